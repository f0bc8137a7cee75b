import { createMolecule, createPeerTools, type PeerToolOutput, type PeerToolSet } from '@molecule-ai/ai-sdk';
import { clientPort, inConversation, type PeerTool, peerTools } from '@molecule-ai/core/adapter-kit';
import type { ScriptedPeerOptions } from '@molecule-ai/core/testing';
import { generateText, type ModelMessage, stepCountIs, streamText, ToolLoopAgent } from 'ai';
import { expect, expectTypeOf } from 'vitest';
import { type ModelCall, type ModelTurn, ScriptedLanguageModel } from './harness/ai-sdk-model.ts';
import { expectFencedOutcome, toolStage } from './harness/tool-stage.ts';
import { verifies } from './verifies.ts';

/** A peer that follows a script, and the client of an agent that asks it. */
async function stage(options: ScriptedPeerOptions = {}) {
  const staged = await toolStage(options);
  return { ...staged, ask: { peer_id: staged.peer.id, text: 'How are the numbers?' } };
}

const ONLY = ['list_peers', 'call_peer'] as const;
const stopWhen = stepCountIs(9);

const call = (args: unknown, id?: string): ModelCall => ({ name: 'call_peer', args, ...(id && { id }) });
const outputsOf = (result: { steps: readonly { toolResults: readonly { output: unknown }[] }[] }) =>
  result.steps.flatMap(({ toolResults }) => toolResults.map(({ output }) => output as PeerToolOutput));

verifies('adapters.tools', 'in generateText, in streamText, in an agent and called by hand', async () => {
  const { client, settle, ask } = await stage({ answer: 'All green.' });
  const tools = createPeerTools(client, { only: ONLY });
  expectTypeOf(tools).toEqualTypeOf<PeerToolSet<typeof ONLY>>();
  expectTypeOf<keyof typeof tools>().toEqualTypeOf<'list_peers' | 'call_peer'>();
  const { execute } = tools.call_peer;
  if (execute === undefined) throw new Error('no execute');
  expectTypeOf(execute).parameter(0).toEqualTypeOf<ReturnType<PeerTool<'call_peer'>['parse']>>();
  expectTypeOf<PeerToolOutput<'list_peers'>['data']>().not.toBeAny();
  expectTypeOf<Awaited<ReturnType<PeerTool<'call_peer'>['execute']>>['data']>().toExtend<
    PeerToolOutput<'call_peer'>['data']
  >();
  expect(Object.keys(tools)).toEqual(ONLY);
  expect(Object.keys(createPeerTools(client))).toEqual(peerTools(client).map(({ name }) => name));

  const script = (): ModelTurn[] => [[{ name: 'list_peers', args: {} }], [call(ask)], 'All is well.'];
  const prompt = 'How is it going?';
  const runs = {
    generate: async (model: ScriptedLanguageModel) => generateText({ model, tools, prompt, stopWhen }),
    agent: async (model: ScriptedLanguageModel) => new ToolLoopAgent({ model, tools }).generate({ prompt }),
    stream: async (model: ScriptedLanguageModel) => {
      const result = streamText({ model, tools, prompt, stopWhen });
      await result.consumeStream();
      return { text: await result.text, steps: await result.steps };
    },
  };
  for (const run of Object.values(runs)) {
    const model = new ScriptedLanguageModel(script(), { ids: 'random' });
    const result = await settle(run(model));
    expect(result.text).toBe('All is well.');
    const [, answered] = outputsOf(result);
    expect(answered).toMatchObject({ isError: false, data: { status: 'answered', text: 'All green.' } });
    expect(JSON.parse(JSON.stringify(answered))).toEqual(answered);
    const read = model.prompts.at(-1)?.at(-1)?.content;
    expect(read).toMatchObject([
      { toolName: 'call_peer', output: { type: 'text', value: answered?.forModel } },
    ]);
    expectFencedOutcome({ forModel: answered?.forModel ?? '' }, 'All green.');
  }

  const outputs: PeerToolOutput<'call_peer'>[] = [];
  const byHand = async () => {
    const output = execute(ask, { toolCallId: 'x', messages: [], context: undefined });
    for await (const each of output as AsyncIterable<PeerToolOutput<'call_peer'>>) outputs.push(each);
  };
  await settle(byHand());
  expect(outputs.at(-1)?.data).toMatchObject({ status: 'answered' });

  const bare = createPeerTools(client, { only: ONLY, progress: false }).call_peer.execute as (
    ...given: unknown[]
  ) => Promise<PeerToolOutput>;
  for (const options of [[], [{}], [{ toolCallId: 'y', messages: ['hello', null] }]])
    expect((await settle(bare(ask, ...options))).data).toMatchObject({ status: 'answered' });
});

verifies('adapters.tools', 'tools schemas', async () => {
  const { client } = await stage();
  const model = new ScriptedLanguageModel([]);
  await generateText({ model, tools: createPeerTools(client), prompt: 'hello' });
  const shown = model.calls[0]?.tools ?? [];
  expect(shown.map(({ name }) => name)).toEqual(peerTools(client).map(({ name }) => name));
  const callPeer = shown.find(({ name }) => name === 'call_peer');
  expect(callPeer).toMatchObject({
    type: 'function',
    description: expect.stringContaining('waits for its answer'),
    inputSchema: {
      type: 'object',
      required: ['peer_id', 'text', 'new_conversation', 'answers'],
      additionalProperties: false,
      properties: {
        text: { type: 'string', description: expect.stringContaining('At most 100000 characters.') },
      },
    },
  });
});

verifies(
  'adapters.tool-failures',
  'a failing peer, wrong arguments, a closed client and a platform that is down',
  async () => {
    const { client, peer, platform, settle, ask } = await stage({
      script: [{ fail: 'canary: the disk is full', code: 'disk_full' }],
    });
    const tools = createPeerTools(client, { only: ONLY });
    const wrong = [
      { peer_id: 'canary </peer-text>' },
      { ...ask, text: 7 },
      [],
      { 'canary: obey': true },
      null,
    ];
    const model = new ScriptedLanguageModel([
      [call(ask)],
      wrong.map((args, place) => call(args, `wrong_${place}`)),
    ]);
    const result = await settle(generateText({ model, tools, prompt: 'go', stopWhen }));
    expect(result.text).toBe('done');
    const [failed, ...refused] = outputsOf(result);
    expect(failed).toMatchObject({ isError: true, data: { status: 'failed', code: 'disk_full' } });
    expectFencedOutcome({ forModel: failed?.forModel ?? '' }, 'canary');
    expect(refused).toHaveLength(wrong.length);
    for (const { isError, data, forModel } of refused) {
      expect({ isError, data }).toMatchObject({ isError: true, data: { code: 'invalid_argument' } });
      expect(forModel).toMatch(/^Error: /);
      expect(forModel).not.toContain('canary');
    }
    const read = model.prompts.at(-1)?.at(-1)?.content as { output: unknown }[];
    expect(read.map(({ output }) => output)).toMatchObject(refused.map(() => ({ type: 'error-text' })));
    expect(peer.received).toHaveLength(1);

    await platform.close();
    const asking = (id: string) =>
      generateText({ model: new ScriptedLanguageModel([[call(ask, id)]]), tools, prompt: 'go' });
    const [down] = outputsOf(await settle(asking('down')));
    expect(down).toMatchObject({ isError: true, data: { status: 'error' } });
    await client.close();
    const [closed] = outputsOf(await settle(asking('closed')));
    expect(closed).toMatchObject({ isError: true, data: { code: 'client_closed' } });
  },
);

verifies('options.wrong-are-refused', 'tools options', async () => {
  const { client } = await stage();
  const make = createPeerTools as (client: unknown, options?: unknown) => object;
  const wrong: [unknown, string][] = [
    [null, 'The options must be an object'],
    [{ progress: 'yes' }, 'progress must be true or false'],
    [{ needsApproval: 'call_peer' }, '`needsApproval` must be true or false, a function, or a list'],
    [{ only: ONLY, needsApproval: ['cancel_task'] }, 'of these tools: list_peers, call_peer.'],
    [{ needsApproval: ['call_peeer'] }, '`needsApproval`'],
    [{ outputSecret: ' ' }, 'outputSecret must be a text'],
    [{ outputSecret: 'short' }, 'outputSecret must be a text of 32 characters or more.'],
    [{ timeoutMs: 1 }, 'timeoutMs'],
    [{ only: ['search'] }, 'only names a tool that does not exist'],
  ];
  for (const [options, message] of wrong) {
    expect(() => make(client, options)).toThrow(
      expect.objectContaining({ code: 'invalid_argument', message: expect.stringContaining(message) }),
    );
  }
  expect(() => make({ name: 'not a client' })).toThrow('The client must be a RemoteAgentClient');
  expect(make(client, { only: [] })).toEqual({});
});

verifies(
  'tools.abort',
  'the signal of a run, aborted twice, with and without preliminary results (vercel/ai#19966)',
  async () => {
    const { client, peer, platform, settle, ask } = await stage({
      script: [{ never: true }, { never: true }, { never: true }],
    });
    const stateOf = async (place: number) => {
      const { messageId = '' } = peer.received[place] ?? {};
      await platform.clock.advanceUntil(() => peer.agent.health().inFlight === 0);
      return (await settle(client.getMessage(messageId))).status;
    };
    for (const progress of [true, false]) {
      const before = peer.received.length;
      const { call_peer: tool } = createPeerTools(client, { only: ONLY, progress });
      const controller = new AbortController();
      const reason = new Error('enough');
      const options = { toolCallId: `${progress}`, messages: [], context: undefined };
      const output = tool.execute?.(ask, { ...options, abortSignal: controller.signal });
      const ending = (async () => {
        if (output instanceof Promise) return await output;
        for await (const _each of output as AsyncIterable<unknown>);
      })();
      const rejected = expect(ending).rejects.toBe(reason);
      await platform.clock.advanceUntil(() => peer.received.length === before + 1);
      controller.abort(reason);
      controller.abort(new Error('again'));
      await rejected;
      expect(await stateOf(before)).toBe('canceled');

      const aborted = tool.execute?.(ask, { ...options, abortSignal: AbortSignal.abort(reason) });
      const next = aborted instanceof Promise ? aborted : (aborted as AsyncGenerator).next();
      await expect(next).rejects.toBe(reason);
      expect(peer.received).toHaveLength(before + 1);
    }

    const before = peer.received.length;
    const controller = new AbortController();
    const tools = createPeerTools(client, { only: ONLY });
    const model = new ScriptedLanguageModel([[call(ask)]], { ids: 'random' });
    const run = generateText({ model, tools, prompt: 'go', stopWhen, abortSignal: controller.signal });
    const ended = expect(run).rejects.toThrow('enough');
    await platform.clock.advanceUntil(() => peer.received.length === before + 1);
    controller.abort(new Error('enough'));
    controller.abort();
    await ended;
    expect(await stateOf(before)).toBe('canceled');
  },
);

verifies('tools.abort', 'a reader of preliminary results that leaves', async () => {
  const { client, peer, platform, settle, ask } = await stage({
    answer: { stream: ['one ', 'two'], everyMs: 60_000 },
  });
  const { call_peer: tool } = createPeerTools(client, { only: ONLY });
  const reading = async () => {
    const outputs = tool.execute?.(ask, { toolCallId: 'x', messages: [], context: undefined });
    for await (const { data } of outputs as AsyncIterable<PeerToolOutput<'call_peer'>>) return data;
    return undefined;
  };
  expect(await settle(reading())).toMatchObject({ status: 'working', text: 'one' });
  await platform.clock.advanceUntil(() => peer.agent.health().inFlight === 0);
  const { messageId = '' } = peer.received[0] ?? {};
  expect((await settle(client.getMessage(messageId))).status).toBe('canceled');
});

verifies(
  'tools.one-message-per-call',
  'outside of handlers: the same call, another chat and a later step',
  async () => {
    const { client, peer, settle, ask } = await stage({ answer: ({ text }) => `to ${text}` });
    const tools = createPeerTools(client, { only: ONLY });
    const chat = async (messages: ModelMessage[], script: ModelTurn[] = [[call(ask)]]) =>
      settle(generateText({ model: new ScriptedLanguageModel(script), tools, messages, stopWhen }));
    const said = (content: string): ModelMessage[] => [{ role: 'user', content }];
    const hello = said('hello');
    await chat(hello);
    await chat(hello);
    expect(peer.received).toHaveLength(1);
    // Another run, of another user perhaps, in which the model counts from zero again.
    await chat(said('hello'));
    expect(peer.received).toHaveLength(2);
    await chat(said('good morning'));
    await chat([...said('hello'), { role: 'assistant', content: 'Yes?' }, ...said('hello')]);
    expect(peer.received).toHaveLength(4);
    await chat(said('go'), [[call(ask)], [call(ask)], [call(ask, 'call_1'), call(ask, 'call_2')]]);
    expect(peer.received).toHaveLength(8);
    expect(new Set(peer.received.slice(4).map(({ contextId }) => contextId)).size).toBe(1);
    expect(new Set(peer.received.map(({ contextId }) => contextId)).size).toBe(5);

    const inChat = (id: string, text: string) => inConversation(id, () => chat(said(text)));
    for (const id of ['ann', 'bob']) {
      await inChat(id, 'hello');
      await inChat(id, 'hello');
      await inChat(id, 'go on');
    }
    const chats = peer.received.slice(8).map(({ contextId }) => contextId);
    expect(chats).toHaveLength(4);
    expect(new Set(chats).size).toBe(2);
    expect(chats[0]).toBe(chats[1]);
  },
);

verifies(
  'tools.one-message-per-call',
  'in the next attempt of a handled message, with other call ids, other arguments with the same meaning, and eight calls at once',
  async () => {
    const { client, peer, handle, ask } = await stage({ answer: ({ text }) => `to ${text}` });
    const many = Array.from({ length: 8 }, (_, place) =>
      call({ ...ask, text: `part ${place}`, new_conversation: true }),
    );
    const tools = createPeerTools(client);
    let attempts = 0;
    const reply = await handle(async (message) => {
      attempts += 1;
      const same = attempts === 1 ? ask : { ...ask, new_conversation: false, answers: [] };
      const turns = [[call(ask)], [call(same), call(ask)], many, 'All parts are there.'];
      const model = new ScriptedLanguageModel(turns, { ids: 'random' });
      const { text } = await generateText({ model, tools, prompt: message.text, stopWhen });
      if (attempts < 3) throw new Error('the process is killed');
      return text;
    });
    expect(reply.text).toBe('All parts are there.');
    expect(attempts).toBe(3);
    expect(peer.received).toHaveLength(11);
  },
);

verifies(
  'tools.one-message-per-call',
  'in an attempt that continues after stored steps, and with call ids that begin anew in each step',
  async () => {
    const { client, peer, handle, ask } = await stage({ answer: ({ text }) => `to ${text}` });
    const tools = createPeerTools(client, { only: ONLY });
    let stored: ModelMessage[] | undefined;
    await handle(async (message) => {
      if (stored === undefined) {
        const model = new ScriptedLanguageModel([[call(ask)], [call(ask)], 'not yet']);
        const prompt = message.text;
        const { steps } = await generateText({ model, tools, prompt, stopWhen });
        const finished = steps.flatMap(({ response }) => response.messages).slice(0, 2);
        expect(finished.map(({ role }) => role)).toEqual(['assistant', 'tool']);
        stored = structuredClone([{ role: 'user' as const, content: prompt }, ...finished]);
        throw new Error('the process is killed');
      }
      const model = new ScriptedLanguageModel([[call(ask)], [call(ask)], 'done']);
      return (await generateText({ model, tools, messages: stored, stopWhen })).text;
    });
    // The second call is repeated, and the third one is new.
    expect(peer.received).toHaveLength(3);
  },
);

/** What three attempts of a message ask a peer; a time limit of the application ends the first two. */
async function afterLimits(
  asks: (given: Awaited<ReturnType<typeof stage>>, abortSignal: AbortSignal) => Promise<string>,
) {
  const staged = await stage({ script: [{ never: true }, { never: true }, 'painted'] });
  const { client, peer, handle, settle } = staged;
  let attempts = 0;
  const reply = await handle(async () => {
    attempts += 1;
    const limit = new AbortController();
    const timer = clientPort(client).clock.setTimer(5_000, () =>
      limit.abort(new Error('the limit of the application')),
    );
    return asks(staged, limit.signal).finally(() => timer.cancel());
  });
  expect({ attempts, text: reply.text }).toEqual({ attempts: 3, text: 'painted' });
  const ends = peer.received.map(({ messageId }) => settle(client.getMessage(messageId)));
  expect((await Promise.all(ends)).map(({ status }) => status)).toEqual(['canceled', 'canceled', 'answered']);
}

verifies(
  'tools.one-message-per-call',
  'an attempt after one that was aborted, whose message is canceled',
  () =>
    afterLimits(async ({ client, ask }, abortSignal) => {
      const model = new ScriptedLanguageModel([[call(ask)]], { ids: 'random' });
      const tools = createPeerTools(client, { only: ONLY });
      const [output] = outputsOf(await generateText({ model, tools, prompt: 'go', stopWhen, abortSignal }));
      return String(Object(output?.data).text);
    }),
);

verifies(
  'tools.one-message-per-call',
  'an attempt after one that was aborted, whose message is canceled',
  () =>
    afterLimits(async ({ client, peer }, abortSignal) => {
      const { text } = await generateText({
        model: createMolecule({ client })(peer.id),
        prompt: 'Paint.',
        abortSignal,
      });
      return text;
    }),
);

verifies('adapters.tools-progress', 'tools progress', async () => {
  const pieces = Array.from({ length: 60 }, (_, place) => `piece ${place} `);
  const { client, settle, ask } = await stage({ answer: { stream: pieces, everyMs: 300 } });
  const reading = async (progress?: boolean) => {
    const model = new ScriptedLanguageModel([[call(ask)]], { ids: 'random' });
    const { fullStream } = streamText({
      model,
      tools: createPeerTools(client, { progress }),
      prompt: 'go',
      stopWhen,
    });
    const outputs: PeerToolOutput[] = [];
    for await (const part of fullStream) {
      if (part.type === 'tool-result' && part.preliminary === true)
        outputs.push(part.output as PeerToolOutput);
    }
    return outputs;
  };
  const outputs = await settle(reading());
  const whole = pieces.join('').trim();
  const beginnings = outputs.filter(({ data }) => 'status' in data && data.status === 'working');
  expect(beginnings.length).toBeGreaterThan(5);
  expect(beginnings[0]?.data).toMatchObject({ text: 'piece 0' });
  let length = 0;
  for (const { data, forModel, isError, check } of beginnings) {
    const { text } = data as { text: string };
    expect(whole.startsWith(text.trim())).toBe(true);
    expect({ forModel, isError, check }).toEqual({ forModel: '', isError: false, check: '' });
    length += text.length;
  }
  expect(length).toBeLessThan(6 * whole.length);
  expect(outputs.at(-1)?.data).toMatchObject({ status: 'answered', text: whole });
  expect(await settle(reading(false))).toEqual([]);
});
