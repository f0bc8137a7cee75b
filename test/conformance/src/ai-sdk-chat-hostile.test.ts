import { type ChatRouteOptions, createChatRoute, type FinishedChat } from '@molecule-ai/ai-sdk/chat';
import { ConfigurationError } from '@molecule-ai/core';
import type { ModelScript } from '@molecule-tests/harness';
import { ScriptedLanguageModel } from '@molecule-tests/harness/ai-sdk';
import { jsonSchema, ToolLoopAgent, type ToolSet, tool, type UIMessage } from 'ai';
import { expect, vi } from 'vitest';
import { ChatPage, postOf } from './harness/chat-page.ts';
import { verifies } from './verifies.ts';

const INPUT = jsonSchema<object>({ type: 'object' });
const HELLO = { id: 'm', role: 'user', parts: [{ type: 'text', text: 'hello' }] };

/** Makes these calls, one in each step, and is done. All calls have one id, as some models make them. */
class CallingModel extends ScriptedLanguageModel {
  constructor(...calls: Exclude<Awaited<ReturnType<ModelScript>>, string>[]) {
    super((messages) => calls[messages.filter(({ role }) => role === 'tool').length] ?? 'Done.');
  }

  override async doStream(options: Parameters<ScriptedLanguageModel['doStream']>[0]) {
    const { stream } = await super.doStream(options);
    type Part = typeof stream extends ReadableStream<infer Each> ? Each : never;
    const oneId = new TransformStream<Part, Part>({
      transform: (part, to) =>
        to.enqueue(part.type === 'tool-call' ? { ...part, toolCallId: 'call_0' } : part),
    });
    return { stream: stream.pipeThrough(oneId) };
  }
}

function routeWith(model: ScriptedLanguageModel, options: Partial<ChatRouteOptions> = {}) {
  const done: [string, unknown][] = [];
  const errors: unknown[] = [];
  const finished: FinishedChat[] = [];
  const doing = (name: string) => (input: unknown) => {
    done.push([name, input]);
    return 'Done.';
  };
  const tools: ToolSet = {
    pay: tool({ inputSchema: INPUT, needsApproval: true, execute: doing('pay') }),
    see: tool({ inputSchema: INPUT, execute: doing('see') }),
  };
  const agent = new ToolLoopAgent({ model, tools });
  const onError = (error: unknown) => errors.push(error);
  const onFinish = (chat: FinishedChat) => void finished.push(chat);
  return {
    route: createChatRoute({ agent, onError, onFinish, ...options }),
    agent,
    done,
    errors,
    finished,
  };
}

async function sent(route: (request: Request) => Promise<Response>, body: unknown) {
  const response = await route(postOf(body));
  const text = await response.text();
  return { status: response.status, code: text.startsWith('{') ? JSON.parse(text).code : undefined };
}

verifies('ai-sdk.chat-parts', async () => {
  const model = new ScriptedLanguageModel(() => 'Hi.');
  const { route, errors } = routeWith(model);
  const others = {
    providerReference: { scripted: 'of-another' },
    providerOptions: { scripted: { file: 'of-another' } },
    data: 'of-another',
    fileId: 'of-another',
  };
  const text = { type: 'text', text: 'Read it', ...others };
  const url = 'data:text/plain;base64,aGVsbG8=';
  const file = { type: 'file', mediaType: 'text/plain', url, ...others };
  const metadata = { scripted: { signature: 'kept' }, molecule: { origin: 'x', contextId: 'of-another' } };
  const call = {
    type: 'tool-see',
    toolCallId: 'c',
    state: 'output-available',
    input: {},
    output: 'seen',
    callProviderMetadata: metadata,
    ...others,
  };
  const parts = [
    { ...text, providerMetadata: metadata },
    { type: 'constructor', ...others },
    { type: 'of-a-later-version', ...others },
    call,
  ];
  const messages = [
    { id: 'a', role: 'user', parts: [text, file] },
    { id: 'b', role: 'assistant', parts },
    HELLO,
  ];
  expect(await sent(route, { id: 'chat-1', messages })).toEqual({ status: 200 });
  const prompt = JSON.stringify(model.options.at(-1)?.prompt);
  for (const word of ['Read it', 'seen', 'kept']) expect(prompt).toContain(word);
  expect(prompt).not.toContain('of-another');
  expect(model.prompts.at(-1)?.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'user']);

  // A message that was added to a run is one of the user.
  const steering = (...said: unknown[]) => ({
    id: 'chat-1',
    messages: [
      HELLO,
      {
        id: 'b',
        role: 'assistant',
        parts: [
          { type: 'steering-message', id: 's', parts: said },
          { type: 'text', text: 'Well.' },
        ],
      },
      HELLO,
    ],
  });
  const foreign = { ...file, url: 'http://169.254.169.254/keys' };
  expect(await sent(route, steering(foreign))).toEqual({ status: 400, code: 'file_url' });
  expect(await sent(route, steering(null))).toEqual({ status: 400, code: 'invalid_messages' });
  expect(await sent(route, steering({ ...text, providerMetadata: metadata }, file))).toEqual({ status: 200 });
  const steered = JSON.stringify(model.options.at(-1)?.prompt);
  expect(steered).toContain('Read it');
  expect(steered).not.toMatch(/of-another|kept/);
  expect(errors).toEqual([]);
});

verifies('ai-sdk.chat-approvals', 'of a model whose calls have the same id in each step', async () => {
  const pay = (to: string) => ({ name: 'pay', args: { to } });
  const model = new CallingModel({ name: 'see', args: {} }, pay('lab'), pay('shop'), pay('bank'));
  const { route, done } = routeWith(model);
  const page = new ChatPage(route);
  await page.say('Pay them');
  await page.decide(true);
  await page.decide(false, 'Not the shop.');
  expect(page.calls.map(({ state }) => state)).toEqual([
    'output-available',
    'output-available',
    'output-denied',
    'approval-requested',
  ]);
  await page.decide(true);
  expect(page.text).toBe('Done.');
  expect(done).toEqual([
    ['see', {}],
    ['pay', { to: 'lab' }],
    ['pay', { to: 'bank' }],
  ]);
});

verifies('ai-sdk.chat-approvals', 'once, also with an agent that fails after the call', async () => {
  const model = new CallingModel({ name: 'pay', args: { to: 'lab' } });
  const { route, agent, done } = routeWith(model);
  const page = new ChatPage(route);
  await page.say('Pay');
  page.answer(true);
  const stream = async (options: never) => {
    const result = await agent.stream(options);
    await result.consumeStream();
    throw new Error('The agent failed later.');
  };
  const failing = { version: 'agent-v1' as const, tools: agent.tools, stream };
  const other = routeWith(model, { agent: failing });
  const chat = { id: page.id, messages: page.messages };
  expect(await sent(other.route, chat)).toEqual({ status: 500, code: 'run_failed' });
  expect(done).toEqual([['pay', { to: 'lab' }]]);
  expect(await sent(other.route, chat)).toEqual({ status: 409, code: 'approval_used' });
  expect(done).toHaveLength(1);
  // A chat that the framework refuses has begun nothing.
  const again = new ChatPage(route);
  await again.say('Pay');
  again.answer(true);
  const broken = [{ id: 'x', role: 'wizard', parts: HELLO.parts }, ...again.messages];
  expect(await sent(route, { id: again.id, messages: broken })).toEqual({
    status: 400,
    code: 'invalid_messages',
  });
  await again.submit();
  expect(done).toHaveLength(2);
});

verifies('ai-sdk.chat-forged-approvals', 'numbers that JSON has no words for, and deep input', async () => {
  const args = { limit: null, amount: 0, list: [null] };
  const model = new CallingModel({ name: 'pay', args });
  const { route, done, errors } = routeWith(model);
  const page = new ChatPage(route);
  await page.say('Pay');
  page.answer(true);
  const genuine = JSON.stringify({ id: page.id, messages: page.messages });
  const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
  for (const [one, other] of [
    ['"limit":null', '"limit":1e999'],
    ['"limit":null', '"limit":-1e999'],
    ['"amount":0', '"amount":-0'],
    ['"list":[null]', '"list":[1e999]'],
    ['"limit":null', `"limit":${deep(5_000)}`],
    ['"limit":null', `"limit":${deep(1_000_000)}`],
  ] as const) {
    const forged = genuine.replace(one, other);
    expect(forged).not.toBe(genuine);
    expect(await sent(route, forged)).toEqual({ status: 403, code: 'approval_refused' });
  }
  expect([done, errors]).toEqual([[], []]);
  expect(await sent(route, genuine)).toEqual({ status: 200 });
  expect(done).toEqual([['pay', args]]);
});

verifies('ai-sdk.chat-requests', 'a message of many calls', async () => {
  const { route, errors } = routeWith(new ScriptedLanguageModel(() => 'Hi.'));
  const parts = Array.from({ length: 50_000 }, (_, at) => ({
    type: 'tool-see',
    toolCallId: `${at}`,
    state: 'input-streaming',
  }));
  const messages = [{ id: 'a', role: 'assistant', parts }, HELLO];
  expect(await sent(route, { id: 'chat-1', messages })).toEqual({ status: 200 });
  expect(errors).toEqual([]);
});

verifies('ai-sdk.chat-peers', 'no id of the page where the application names none', async () => {
  for (const id of [undefined, null, '', 5, {}]) {
    const model = new ScriptedLanguageModel(() => 'Hi.');
    const { route, errors } = routeWith(model, { chatId: () => id as never });
    expect(await sent(route, { id: 'of-another-user', messages: [HELLO] })).toEqual({
      status: 500,
      code: 'run_failed',
    });
    expect(errors).toEqual([expect.any(ConfigurationError)]);
    expect(model.prompts).toEqual([]);
  }
});

function streaming(body: ReadableStream<Uint8Array>, signal?: AbortSignal): Request {
  const headers = { 'content-type': 'application/json' };
  const init = { method: 'POST', headers, body, duplex: 'half', ...(signal && { signal }) };
  return new Request('http://chat.test', init as RequestInit);
}

verifies('ai-sdk.chat-requests', 'bodies that break off, never end, or were read before', async () => {
  const { route, errors } = routeWith(new ScriptedLanguageModel(() => 'Hi.'));
  const broken = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error('socket hang up')),
  });
  const response = await route(streaming(broken));
  expect([response.status, await response.json()]).toMatchObject([400, { code: 'incomplete_body' }]);

  const left = new AbortController();
  const cancel = vi.fn();
  const reading = Promise.withResolvers<void>();
  const endless = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode('{"id":')),
    pull: () => reading.resolve(),
    cancel,
  });
  const waiting = route(streaming(endless, left.signal));
  await reading.promise;
  left.abort();
  expect((await waiting).status).toBe(499);
  expect(cancel).toHaveBeenCalledOnce();
  expect(errors).toEqual([]);

  const request = postOf({ id: 'chat-1', messages: [HELLO] });
  await request.text();
  expect((await route(request)).status).toBe(500);
  expect(errors).toEqual([expect.any(ConfigurationError)]);
});

verifies('ai-sdk.chat-abort', 'of a response that nobody reads', async () => {
  const { route, errors, finished } = routeWith(new ScriptedLanguageModel(() => 'word '.repeat(1_000)));
  const left = new AbortController();
  const response = await route(
    new Request(postOf({ id: 'chat-1', messages: [HELLO] }), { signal: left.signal }),
  );
  expect(response.status).toBe(200);
  // Until what lies between the model and the page is full.
  for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(finished).toEqual([]);
  left.abort();
  await vi.waitUntil(() => finished.length > 0);
  expect(finished).toMatchObject([{ chatId: 'chat-1', outcome: 'aborted' }]);
  const messages: readonly UIMessage[] = finished[0]?.messages ?? [];
  expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
  expect(errors).toEqual([]);
});
