import { getEventListeners } from 'node:events';
import { createMolecule, type PeerModelErrorData } from '@molecule-ai/ai-sdk';
import { MessageFailure, type MessageHandler, type PeerClient } from '@molecule-ai/core';
import { chaos, expectAnswered, expectStatus, scriptedPeer } from '@molecule-ai/core/testing';
import { APICallError, generateText, RetryError, streamText, type TextStreamPart } from 'ai';
import { expect, onTestFinished, vi } from 'vitest';
import { DATABASES } from './harness/databases.ts';
import { openStage } from './harness/handler-stage.ts';
import { expectNothingOpen, openHandles } from './harness/open-handles.ts';
import { TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

globalThis.AI_SDK_LOG_WARNINGS = false;

const UUID = /^[0-9a-f-]{36}$/;

const ASKED = { prompt: [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'Wait' }] }] };

/** Begins an answer that has no end. */
const endless: MessageHandler = async function* (_message, { signal }) {
  yield 'It begins';
  await new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
};

/** What a call rejects with. */
async function errorOf(call: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(call).then(
    () => expect.fail('it did not reject'),
    (error: unknown) => error,
  );
}

function dataOf(error: unknown): PeerModelErrorData {
  if (!APICallError.isInstance(error)) throw error;
  expect(error.isRetryable).toBe(false);
  return error.data as PeerModelErrorData;
}

/** The SDK waits for seconds of real time before it tries again. */
function withoutPauses(): void {
  const wait = globalThis.setTimeout;
  const now = ((work: () => void, ms = 0, ...rest: unknown[]) =>
    Reflect.apply(wait, globalThis, [
      work,
      ms >= 1_000 && ms < 9_000 ? 0 : ms,
      ...rest,
    ])) as typeof setTimeout;
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(now);
  onTestFinished(() => {
    vi.restoreAllMocks();
  });
}

verifies('ai-sdk.provider-asks', 'provider streams', async () => {
  const { peer, settled } = await openStage();
  const pieces = ['Of all ', 'tests 990', ' pass and ten do not.'];
  const lab = await peer({ answer: { stream: pieces, everyMs: 1_000 } });
  const { client } = await peer();
  const model = createMolecule({ client })(lab.id);
  const parts: TextStreamPart<never>[] = [];
  const { stream } = await settled(
    Promise.resolve(
      model.doStream({ prompt: [{ role: 'user', content: [{ type: 'text', text: 'How many?' }] }] }),
    ),
  );
  const read = async () => {
    for await (const part of stream) parts.push(part as never);
  };
  await settled(read());
  const types = parts.map(({ type }) => type as string);
  expect(types.slice(0, 3)).toEqual(['stream-start', 'response-metadata', 'text-start']);
  expect(types.slice(-2)).toEqual(['text-end', 'finish']);
  const deltas = parts.slice(3, -2) as unknown as { type: string; id: string; delta: string }[];
  expect(deltas.every(({ type, id }) => type === 'text-delta' && id === '0')).toBe(true);
  expect(deltas.length).toBeGreaterThan(1);
  expect(deltas.map(({ delta }) => delta).join('')).toBe(pieces.join(''));
  const [received] = lab.received;
  const untrusted = { untrusted: true, origin: lab.id, messageId: received?.messageId };
  for (const at of [2, -2, -1]) {
    const { providerMetadata } = parts.at(at) as never as { providerMetadata: unknown };
    expect(providerMetadata).toMatchObject({ molecule: { ...untrusted, contextId: received?.contextId } });
  }
  expect(parts.at(-1)).toMatchObject({ finishReason: { unified: 'stop', raw: 'answered' } });

  const result = streamText({ model, prompt: 'How many?' });
  expect(await settled(Promise.resolve(result.text))).toBe(pieces.join(''));
  const [message] = await result.responseMessages;
  expect(message?.content).toMatchObject([
    {
      type: 'text',
      text: pieces.join(''),
      providerOptions: { molecule: { untrusted: true, status: 'answered' } },
    },
  ]);
});

verifies(
  'ai-sdk.provider-asks',
  'what fails in the middle is an error part, after which the parts are in order',
  async () => {
    const { peer, settled } = await openStage();
    const lab = await peer({
      answer: async function* () {
        yield 'It begins well ';
        throw new MessageFailure('CANARY', { code: 'broken' });
      },
    });
    const { client } = await peer();
    const model = createMolecule({ client })(lab.id);
    const errors: unknown[] = [];
    const result = streamText({
      model,
      prompt: 'Go',
      onError: ({ error }) => {
        errors.push(error);
      },
    });
    const types: string[] = [];
    const read = async () => {
      for await (const { type } of result.fullStream) types.push(type);
    };
    await settled(read());
    expect(types.filter((type) => !/^(?:start|finish)/.test(type))).toEqual([
      'text-start',
      'text-delta',
      'text-end',
      'error',
    ]);
    expect(await result.finishReason).toBe('error');
    const [error] = errors;
    expect(dataOf(error)).toMatchObject({ status: 'failed', code: 'broken' });
    expect(String((error as Error).message)).not.toContain('CANARY');
  },
);

verifies('tools.abort', 'provider abort', async () => {
  const before = openHandles().length;
  const { peer, platform, settled } = await openStage();
  const slow = await peer({ answer: { never: true } });
  const lab = await peer({ answer: endless });
  const { client } = await peer();
  const molecule = createMolecule({ client });
  const canceled = async (by: typeof slow) => {
    await platform.clock.advanceUntil(() => by.agent.health().inFlight === 0);
    expectStatus(await client.getMessage(by.received.at(-1)?.messageId ?? ''), 'canceled');
  };

  const controller = new AbortController();
  const { signal: abortSignal } = controller;
  const whole = errorOf(generateText({ model: molecule(slow.id), prompt: 'Wait', abortSignal }));
  await platform.clock.advanceUntil(() => slow.received.length === 1);
  controller.abort(new Error('enough'));
  controller.abort(new Error('twice'));
  expect(await whole).toMatchObject({ message: 'enough' });
  await canceled(slow);

  // Before the first word, and in the middle: by the signal, and by who reads.
  const early = new AbortController();
  const opening = errorOf(molecule(slow.id).doStream({ ...ASKED, abortSignal: early.signal }));
  await platform.clock.advanceUntil(() => slow.received.length === 2);
  early.abort(new Error('early'));
  early.abort();
  expect(await opening).toMatchObject({ message: 'early' });
  await canceled(slow);

  const late = new AbortController();
  const streamed = await settled(
    Promise.resolve(molecule(lab.id).doStream({ ...ASKED, abortSignal: late.signal })),
  );
  const reader = streamed.stream.getReader();
  for (let at = 0; at < 4; at += 1) await reader.read();
  const reading = errorOf(reader.read());
  late.abort(new Error('late'));
  expect(await reading).toMatchObject({ message: 'late' });
  late.abort(new Error('twice'));
  await canceled(lab);

  const left = await settled(Promise.resolve(molecule(lab.id).doStream(ASKED)));
  const leaving = left.stream.getReader();
  await leaving.read();
  await leaving.cancel('seen enough');
  await leaving.cancel();
  await canceled(lab);

  const gone = new AbortController();
  gone.abort(new Error('before'));
  const never = { ...ASKED, abortSignal: gone.signal };
  expect(await errorOf(molecule(slow.id).doGenerate(never))).toMatchObject({ message: 'before' });
  expect(await errorOf(molecule(slow.id).doStream(never))).toMatchObject({ message: 'before' });
  expect(slow.received).toHaveLength(2);

  // The SDK ends its stream with an abort part, and rejects nothing with an answer.
  const stop = new AbortController();
  const seen: string[] = [];
  const result = streamText({ model: molecule(lab.id), prompt: 'Go', abortSignal: stop.signal });
  const readAll = async () => {
    for await (const { type } of result.fullStream) {
      seen.push(type);
      if (type === 'text-delta') stop.abort();
    }
  };
  await settled(readAll());
  expect(seen.at(-1)).toBe('abort');
  await canceled(lab);
  await expectNothingOpen(before);
  for (const { signal } of [controller, early, late, stop])
    expect(getEventListeners(signal, 'abort')).toEqual([]);

  const living = new AbortController();
  lab.script('done');
  for (let at = 0; at < 3; at += 1) {
    const { text } = streamText({ model: molecule(lab.id), prompt: 'Go', abortSignal: living.signal });
    expect(await settled(Promise.resolve(text))).toBe('done');
    await settled(Promise.resolve(molecule(lab.id).doGenerate({ ...ASKED, abortSignal: living.signal })));
    const unread = await settled(
      Promise.resolve(molecule(lab.id).doStream({ ...ASKED, abortSignal: living.signal })),
    );
    await unread.stream.cancel();
    const whole = await settled(
      Promise.resolve(molecule(lab.id).doStream({ ...ASKED, abortSignal: living.signal })),
    );
    const last = whole.stream.getReader();
    // It does not ask for more after the last part.
    let part: { type: string } | undefined;
    while (part?.type !== 'finish') part = (await settled(last.read())).value;
  }
  expect(getEventListeners(living.signal, 'abort')).toEqual([]);
});

verifies(
  'tools.abort',
  'the end of a handler ends its models as well, with the reason of its signal',
  async () => {
    const { operator, peer, platform, start, settled } = await openStage();
    const slow = await peer({ answer: { never: true } });
    const { id, client, failures } = await start(async (_message, context) => {
      const model = createMolecule({ client: context.client })(slow.id);
      return (await generateText({ model, prompt: 'Wait' })).text;
    });
    const messageId = crypto.randomUUID();
    const reply = operator.sendMessage(id, 'whole', { messageId });
    await platform.clock.advanceUntil(() => slow.received.length === 1);
    await operator.cancelMessage(id, messageId);
    await settled(reply);
    await platform.clock.advanceUntil(() => failures.length === 1 && slow.agent.health().inFlight === 0);
    expect(APICallError.isInstance(failures[0])).toBe(false);
    expectStatus(await client.getMessage(slow.received[0]?.messageId ?? ''), 'canceled');
  },
);

verifies('tools.abort', 'over sockets, a stream that is left or aborted leaves nothing open', async () => {
  const [database = expect.fail('no database')] = DATABASES;
  const environment = new TestEnvironment(database);
  environment.begin();
  const { url: platformUrl, operatorKey } = await environment.platform();
  const lab = await scriptedPeer({ platformUrl, operatorKey }, { answer: endless });
  const { client, ...user } = await scriptedPeer({ platformUrl, operatorKey });
  const model = createMolecule({ client })(lab.id);
  const controller = new AbortController();
  const { signal: abortSignal } = controller;
  const [left, aborted] = await Promise.all([
    model.doStream(ASKED),
    model.doStream({ ...ASKED, abortSignal }),
  ]);
  await left.stream.cancel();
  controller.abort();
  await expect(aborted.stream.getReader().read()).resolves.toMatchObject({
    value: { type: 'stream-start' },
  });
  for (const { messageId } of lab.received) {
    await vi.waitUntil(async () => (await client.getMessage(messageId)).status === 'canceled', {
      timeout: 20_000,
    });
  }
  await Promise.all([lab.stop(), user.stop()]);
  // Checks that nothing is open.
  await environment.end();
});

verifies('ai-sdk.provider-ends', 'provider ends', async () => {
  const { operator, peer, platform, settled } = await openStage();
  const lab = await peer({ answer: { fail: 'CANARY', code: 'broken' } });
  const { client } = await peer();
  const molecule = createMolecule({ client, timeoutMs: 5_000 });
  const failures = [
    (id: string) => settled(errorOf(generateText({ model: molecule(id), prompt: 'Go' }))),
    (id: string) =>
      settled(
        errorOf(
          molecule(id).doStream({ prompt: [{ role: 'user', content: [{ type: 'text', text: 'Go' }] }] }),
        ),
      ),
  ];
  for (const failing of failures) {
    const error = await failing(lab.id);
    const data = dataOf(error);
    expect(data).toEqual({
      status: 'failed',
      code: 'broken',
      hint: expect.stringContaining('getMessage'),
      messageId: expect.stringMatching(UUID),
      contextId: lab.received.at(-1)?.contextId,
    });
    expect(JSON.parse(JSON.stringify(data))).toEqual(data);
    expect(error).toMatchObject({ url: new URL(platform.platformUrl).origin, isRetryable: false });
    expect(String(error)).not.toContain('CANARY');
    expect((await client.getMessage(data.messageId)).text).toBe('CANARY');

    const slow = await peer({ answer: { never: true } });
    const queued = dataOf(await failing(slow.id));
    expect(queued).toMatchObject({
      status: 'queued',
      code: 'timed_out',
      hint: expect.stringContaining('same call again'),
    });
    const canceling = failing(slow.id);
    await platform.clock.advanceUntil(() => slow.agent.health().inFlight === 1);
    await client.cancelTask(slow.received.at(-1)?.messageId ?? '');
    expect(dataOf(await canceling)).toMatchObject({ status: 'canceled' });

    await operator.pause(slow.id);
    const held = await failing(slow.id);
    // A stream waits for a peer that is away.
    expect(String(held)).toContain(failing === failures[0] ? 'is paused' : 'has not answered yet');
    expect(dataOf(held)).toMatchObject({ status: 'queued' });

    const unknown = dataOf(await failing(crypto.randomUUID()));
    expect(unknown).toMatchObject({ status: 'error', code: 'access_denied', hint: expect.any(String) });
    const removed = await peer();
    await operator.deleteWorkspace(removed.id);
    expect(dataOf(await failing(removed.id))).toMatchObject({ status: 'error', code: 'workspace_removed' });
  }
});

verifies(
  'ai-sdk.provider-ends',
  'a message that expires, a closed client, a platform that is down',
  async () => {
    const { operator, peer, platform, settled } = await openStage();
    const lab = await peer();
    const faulty = chaos(platform.connection.dispatcher, { clock: platform.clock });
    const { client } = await peer({
      client: { connection: { dispatcher: faulty }, limits: { maxRetries: 0 } },
    });
    const model = createMolecule({ client })(lab.id);
    await operator.pause(lab.id);
    const deadline = new Date(platform.clock.now() + 60_000).toISOString();
    const messageId = crypto.randomUUID();
    const contextId = crypto.randomUUID();
    await settled(client.sendToPeer(lab.id, 'Go', { messageId, contextId, metadata: { deadline } }));
    await platform.clock.advance(120_000);
    const providerOptions = { molecule: { messageId, contextId } };
    const expired = dataOf(await settled(errorOf(generateText({ model, prompt: 'Go', providerOptions }))));
    expect(expired).toMatchObject({ status: 'expired', messageId });
    const other = errorOf(generateText({ model, prompt: 'Something else', providerOptions }));
    expect(dataOf(await settled(other))).toMatchObject({ status: 'error', code: 'conflict' });

    faulty.rules = [{ fault: 'drop', lost: 'connection' }];
    const down = await settled(errorOf(generateText({ model, prompt: 'Go', maxRetries: 0 })));
    expect(down).toMatchObject({ isRetryable: true, data: { code: 'connection_failed' } });
    await client.close();
    expect(dataOf(await errorOf(generateText({ model, prompt: 'Go' })))).toMatchObject({
      code: 'client_closed',
    });
  },
);

verifies(
  'tools.one-message-per-call',
  'an answer that is too large for the client is that of one message',
  async () => {
    const { peer, settled } = await openStage();
    const lab = await peer({ answer: 'x'.repeat(300_000) });
    const { client } = await peer({ client: { limits: { maxResponseBytes: 100_000 } } });
    const model = createMolecule({ client })(lab.id);
    for (let at = 0; at < 2; at += 1) {
      const error = await settled(errorOf(generateText({ model, prompt: 'How many?' })));
      expect(dataOf(error)).toMatchObject({ status: 'error', code: 'response_too_large' });
    }
    expect(lab.received).toHaveLength(1);
  },
);

verifies('tools.one-message-per-call', 'provider once', async () => {
  const { operator, platform, peer, start, settled } = await openStage();
  const lab = await peer({ answer: ({ text }) => `done: ${text}` });
  const faulty = chaos(platform.connection.dispatcher, { clock: platform.clock });
  const { client } = await peer({
    client: { connection: { dispatcher: faulty }, limits: { maxRetries: 0 } },
  });
  const path = `/workspaces/${lab.id}/a2a`;
  const molecule = createMolecule({ client, timeoutMs: 5_000 });
  const ask = (prompt: string, from: PeerClient = client) =>
    settled(
      generateText({
        model: (from === client ? molecule : createMolecule({ client: from }))(lab.id),
        prompt,
      }),
    );
  withoutPauses();

  // Refused, and not sent at all: the SDK tries again.
  for (const rule of [
    { fault: 'status', status: 429, path, times: 1 },
    { fault: 'drop', lost: 'connection', path, times: 1 },
  ] as const) {
    faulty.rules = [rule];
    const before = lab.received.length;
    expect((await ask('Deploy')).text).toBe('done: Deploy');
    expect(lab.received).toHaveLength(before + 1);
  }

  // It may have arrived: the SDK does not try again, and a repeat by the application is the same message.
  faulty.rules = [{ fault: 'drop', lost: 'response', path, times: 1 }];
  const before = lab.received.length;
  const error = await errorOf(ask('Restart'));
  expect(RetryError.isInstance(error)).toBe(false);
  expect(dataOf(error)).toMatchObject({
    status: 'error',
    code: 'connection_failed',
    hint: expect.stringContaining('the same call again sends the same message'),
  });
  expect((await ask('Restart')).text).toBe('done: Restart');
  expect(lab.received).toHaveLength(before + 1);
  await ask('Restart');
  expect(lab.received).toHaveLength(before + 2);

  // What a gateway responds with after the platform has the message is no refusal.
  for (const rule of [
    { fault: 'html', status: 404, isProcessed: true, path, times: 1 },
    { fault: 'status', status: 408, isProcessed: true, path, times: 1 },
    { fault: 'html', status: 200, isProcessed: true, path, times: 1 },
    { fault: 'status', status: 302, isProcessed: true, path, times: 1 },
  ] as const) {
    faulty.rules = [rule];
    const prompt = JSON.stringify(rule);
    const asked = lab.received.length;
    expect(dataOf(await errorOf(ask(prompt)))).toMatchObject({ status: 'error' });
    expect((await ask(prompt)).text).toBe(`done: ${prompt}`);
    expect(lab.received).toHaveLength(asked + 1);
  }

  // No answer in time: the repeat waits on.
  lab.script({ afterMs: 8_000, answer: 'at last' });
  expect(dataOf(await errorOf(ask('Slowly')))).toMatchObject({ status: 'queued' });
  expect((await ask('Slowly')).text).toBe('at last');
  expect(lab.received).toHaveLength(before + 7);

  // A message that is handled again asks the same messages, as often as it asks them.
  lab.script(({ text }) => `done: ${text}`);
  let crashes = 2;
  const { id } = await start(async (message, context) => {
    const model = createMolecule({ client: context.client })(lab.id);
    const first = await generateText({ model, prompt: message.text });
    if (crashes-- > 1) throw Object.assign(new Error('busy'), { status: 503 });
    const second = await generateText({ model, prompt: message.text });
    if (crashes-- > 0) throw Object.assign(new Error('busy'), { status: 503 });
    return `${first.text} ${second.text} ${first.response.id === second.response.id}`;
  });
  const asked = lab.received.length;
  expectAnswered(await settled(operator.sendMessage(id, 'Twice')), 'done: Twice done: Twice false');
  expect(lab.received).toHaveLength(asked + 2);
});
