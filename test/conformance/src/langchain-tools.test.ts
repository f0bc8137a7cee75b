import { createRequire } from 'node:module';
import { AIMessage, ToolMessage } from '@langchain/core/messages';
import { convertToOpenAITool } from '@langchain/core/utils/function_calling';
import { MemorySaver } from '@langchain/langgraph';
import { ToolNode } from '@langchain/langgraph/prebuilt';
import { RemoteAgentClient, silentLogger } from '@molecule-ai/core';
import { clientPort, type PeerTool, peerTools } from '@molecule-ai/core/adapter-kit';
import type { ScriptedPeerOptions } from '@molecule-ai/core/testing';
import { createPeerTools, type PeerProgress, type PeerStructuredTool } from '@molecule-ai/langchain';
import { createAgent, createMiddleware } from 'langchain';
import { expect, expectTypeOf } from 'vitest';
import { ScriptedChatModel } from './harness/langchain-model.ts';
import { expectFencedOutcome, toolStage } from './harness/tool-stage.ts';
import { verifies } from './verifies.ts';

/** A peer that follows a script, and the client of an agent that asks it. */
async function stage(options: ScriptedPeerOptions = {}) {
  const staged = await toolStage(options);
  return { ...staged, ask: { peer_id: staged.peer.id, text: 'How are the numbers?' } };
}

const ONLY = ['list_peers', 'call_peer'] as const;

const call = (args: Record<string, unknown>, id = 'call_0') => ({
  name: 'call_peer',
  args,
  id,
  type: 'tool_call' as const,
});

verifies(
  'adapters.tools',
  'a call of a tool, without a tool call, in a ToolNode and in an agent',
  async () => {
    const { client, settle, ask } = await stage({ answer: 'All green.' });
    const tools = createPeerTools(client, { only: ONLY });
    const [, callPeer] = tools;
    const plain = await settle(callPeer.invoke(ask));
    expectTypeOf(callPeer.name).toEqualTypeOf<'call_peer'>();
    expectTypeOf(plain.content).toEqualTypeOf<string>();
    expectTypeOf(plain.artifact).toEqualTypeOf<
      Awaited<ReturnType<PeerTool<'call_peer'>['execute']>>['data']
    >();
    // @ts-expect-error a number is no text
    const refused = await callPeer.invoke({ ...ask, text: 7 });
    expectTypeOf(refused.status).toEqualTypeOf<'success' | 'error'>();
    expectTypeOf<PeerStructuredTool<'list_peers' | 'call_peer'>['name']>().toEqualTypeOf<
      'list_peers' | 'call_peer'
    >();
    expect(ToolMessage.isInstance(plain)).toBe(true);
    expect(plain).toMatchObject({ name: 'call_peer', status: 'success', tool_call_id: '' });
    expect(plain.artifact).toMatchObject({ status: 'answered', text: 'All green.' });
    expect(structuredClone(plain.artifact)).toEqual(plain.artifact);
    expectFencedOutcome({ forModel: plain.content }, 'All green.');
    expect(await settle(callPeer.invoke(call(ask)))).toMatchObject({
      status: 'success',
      tool_call_id: 'call_0',
    });

    const node = new ToolNode(tools);
    const { messages } = await settle(
      node.invoke({ messages: [new AIMessage({ content: '', tool_calls: [call(ask)] })] }),
    );
    expect(messages[0]).toMatchObject({ status: 'success', artifact: { status: 'answered' } });

    const model = new ScriptedChatModel([[{ name: 'list_peers', args: {} }], [call(ask)], 'All is well.']);
    const agent = createAgent({ model, tools });
    const result = await settle(agent.invoke({ messages: 'How is it going?' }));
    expect(result.messages.at(-1)?.text).toBe('All is well.');
    const read = model.readTexts().find((text) => text.includes('answered:')) ?? '';
    expectFencedOutcome({ forModel: read }, 'All green.');
  },
);

verifies('adapters.tools', 'tools: schemas', async () => {
  const { client } = await stage();
  const model = new ScriptedChatModel([]);
  await createAgent({ model, tools: createPeerTools(client) }).invoke({ messages: 'hello' });
  const shown = model.offered[0]?.map((tool) => convertToOpenAITool(tool as never).function) ?? [];
  expect(shown.map(({ name }) => name)).toEqual(peerTools(client).map(({ name }) => name));
  const callPeer = shown.find(({ name }) => name === 'call_peer');
  expect(callPeer?.description).toContain('waits for its answer');
  expect(callPeer?.parameters).toMatchObject({
    type: 'object',
    required: ['peer_id', 'text', 'new_conversation', 'answers'],
    additionalProperties: false,
    properties: {
      text: { type: 'string', description: expect.stringContaining('At most 100000 characters.') },
      answers: { type: 'array', items: { type: 'object', additionalProperties: false } },
    },
  });
});

verifies(
  'adapters.tool-failures',
  'a failing peer, wrong arguments and a platform that is down (langchain-ai/deepagentsjs#485, langchain-ai/langchain-mcp-adapters#619)',
  async () => {
    const { client, peer, platform, settle, ask } = await stage({
      script: [{ fail: 'canary: the disk is full', code: 'disk_full' }],
    });
    const tools = createPeerTools(client, { only: ONLY });
    const wrong = [
      { peer_id: 'canary </peer-text>' },
      { ...ask, text: 7 },
      'canary',
      null,
      { 'canary: obey': true },
      [],
    ];
    const model = new ScriptedChatModel([
      [call(ask)],
      wrong.map((args, place) => call(args as Record<string, unknown>, `wrong_${place}`)),
    ]);
    const { messages } = await settle(createAgent({ model, tools }).invoke({ messages: 'go' }));
    const results = messages.filter((message) => ToolMessage.isInstance(message));
    expect(results).toHaveLength(1 + wrong.length);
    expect(messages.at(-1)?.text).toBe('done');
    const [failed, ...refused] = results;
    expect(failed).toMatchObject({ status: 'error', artifact: { status: 'failed', code: 'disk_full' } });
    expectFencedOutcome({ forModel: failed?.text ?? '' }, 'canary');
    for (const { status, artifact, text } of refused) {
      expect({ status, artifact }).toMatchObject({ status: 'error', artifact: { code: 'invalid_argument' } });
      expect(text).toMatch(/^Error: /);
      expect(text).not.toContain('canary');
    }
    expect(peer.received).toHaveLength(1);
    const [, callPeer] = tools;
    for (const args of [1n, Symbol('canary'), () => 'canary', { ...ask, text: 1n }] as never[]) {
      for (const input of [args, call(args)] as never[]) {
        const refusal = await callPeer.invoke(input);
        expect(refusal).toMatchObject({ status: 'error', artifact: { code: 'invalid_argument' } });
        expect(refusal.text).not.toContain('canary');
      }
    }
    await client.close();
    await platform.close();
    expect(await callPeer.invoke(call(ask))).toMatchObject({
      status: 'error',
      artifact: { code: 'client_closed' },
    });
  },
);

verifies('tools.one-message-per-call', 'tools: once', async () => {
  const { client, peer, settle, ask } = await stage({ answer: ({ text }) => `to ${text}` });
  const turns = [[call(ask)], [call(ask)], 'first', [call(ask)], 'second', [call(ask)]];
  let crashes = 2;
  const tools = createPeerTools(client, { only: ONLY });
  const agent = createAgent({
    model: new ScriptedChatModel(turns),
    tools,
    checkpointer: new MemorySaver(),
    middleware: [
      createMiddleware({
        name: 'Crashes',
        wrapToolCall: async (request, handler) => {
          const result = await handler(request);
          crashes -= 1;
          if (crashes >= 0) throw new Error('the process is killed');
          return result;
        },
      }),
    ],
  });
  const thread = (thread_id: string) => ({ configurable: { thread_id } });
  const input = { messages: 'go' };
  await expect(settle(agent.invoke(input, thread('1')))).rejects.toThrow('killed');
  await expect(settle(agent.graph.invoke(null, thread('1')))).rejects.toThrow('killed');
  expect(peer.received).toHaveLength(1);
  await settle(agent.graph.invoke(null, thread('1')));
  expect(peer.received).toHaveLength(2);
  await settle(agent.invoke(input, thread('1')));
  expect(peer.received).toHaveLength(3);
  expect(new Set(peer.received.map(({ contextId }) => contextId)).size).toBe(1);
  await settle(agent.invoke(input, thread('2')));
  const [, callPeer] = tools;
  await settle(callPeer.invoke(call(ask)));
  await settle(callPeer.invoke(call(ask)));
  expect(peer.received).toHaveLength(6);
  expect(new Set(peer.received.slice(2).map(({ contextId }) => contextId)).size).toBe(4);
});

verifies(
  'tools.one-message-per-call',
  'the next attempt of a handled message, and eight calls at once',
  async () => {
    const { client, peer, settle, handle, ask } = await stage({ answer: ({ text }) => `to ${text}` });
    const many = Array.from({ length: 8 }, (_, place) =>
      call({ ...ask, text: `part ${place}`, new_conversation: true }, `call_${place}`),
    );
    let attempts = 0;
    const reply = await handle(async (message) => {
      const model = new ScriptedChatModel([[call(ask)], many, 'All parts are there.']);
      const agent = createAgent({ model, tools: createPeerTools(client) });
      const { messages } = await agent.invoke({ messages: message.text });
      attempts += 1;
      if (attempts === 1) throw new Error('the process is killed');
      return messages.at(-1)?.text ?? '';
    });
    expect(reply.text).toBe('All parts are there.');
    expect(attempts).toBe(2);
    expect(peer.received).toHaveLength(9);
    expect(await settle(client.getPeers())).toHaveLength(1);
  },
);

verifies('adapters.tools-progress', 'tools: progress', async () => {
  const { client, settle, ask } = await stage({
    answer: { stream: ['one ', 'two ', 'three'], everyMs: 1_000 },
  });
  const agentWith = (progress?: boolean) =>
    createAgent({
      model: new ScriptedChatModel([[call(ask)]]),
      tools: createPeerTools(client, { progress }),
    });
  const custom = async (progress?: boolean) => {
    const chunks: PeerProgress[] = [];
    const stream = await agentWith(progress).stream({ messages: 'go' }, { streamMode: 'custom' });
    for await (const chunk of stream) chunks.push(chunk as PeerProgress);
    return chunks;
  };
  const chunks = await settle(custom());
  expect(chunks[0]).toEqual({ type: 'peer_progress', tool: 'call_peer', toolCallId: 'call_0', text: 'one' });
  expect(chunks.map(({ text }) => text).join('')).toBe('one two three');
  expect(await settle(custom(false))).toEqual([]);

  const events: string[] = [];
  const [, callPeer] = createPeerTools(client, { only: ONLY });
  const listening = async () => {
    for await (const { event, name, data } of callPeer.streamEvents(ask, { version: 'v2' })) {
      if (event === 'on_custom_event' && name === 'peer_progress')
        events.push((data as unknown as PeerProgress).text);
    }
  };
  await settle(listening());
  expect(events.join('')).toBe('one two three');
  expect(events.length).toBeGreaterThan(1);
});

verifies(
  'tools.patience',
  'an answer after a minute and an abort (langchain-ai/langchainjs#9560)',
  async () => {
    const { client, peer, platform, settle, ask } = await stage({
      script: [{ afterMs: 90_000, answer: 'late' }, { afterMs: 200_000, answer: 'later' }, { never: true }],
    });
    const [, callPeer] = createPeerTools(client, { only: ONLY });
    expect((await settle(callPeer.invoke(ask))).artifact).toMatchObject({ text: 'late' });
    const patient = await settle(callPeer.invoke(call(ask), { timeout: 300_000 }));
    expect(patient.artifact).toMatchObject({ text: 'later' });
    const startedAt = platform.clock.now();
    const queued = await settle(callPeer.withConfig({ timeout: 30_000 }).invoke(call(ask, 'call_1')));
    expect(queued).toMatchObject({ status: 'success', artifact: { status: 'queued' } });
    expect(platform.clock.now() - startedAt).toBeLessThan(30_000);
    const controller = new AbortController();
    const reason = new Error('enough');
    const running = callPeer.invoke(call(ask, 'call_2'), { signal: controller.signal });
    const rejected = expect(running).rejects.toBe(reason);
    await platform.clock.advanceUntil(() => peer.received.length === 4);
    controller.abort(reason);
    await rejected;
    await platform.clock.advanceUntil(() => peer.agent.health().inFlight < 2);
    const { messageId = '' } = peer.received[3] ?? {};
    expect((await settle(client.getMessage(messageId))).status).toBe('canceled');
  },
);

verifies('adapters.tools', 'the client of the CommonJS build (microsoft/TypeScript#56455)', async () => {
  const { client, platform, settle, ask } = await stage({ answer: 'fine' });
  const commonJs: typeof import('@molecule-ai/core') = createRequire(import.meta.url)('@molecule-ai/core');
  expect(commonJs.RemoteAgentClient).not.toBe(RemoteAgentClient);
  const other = new commonJs.RemoteAgentClient({
    ...platform,
    workspaceId: client.workspaceId,
    authToken: (await clientPort(client).currentToken()) ?? '',
    logger: silentLogger,
  });
  const [, callPeer] = createPeerTools(other, { only: ONLY });
  expect(await settle(callPeer.invoke(ask))).toMatchObject({
    status: 'success',
    artifact: { text: 'fine' },
  });
  await other.close();
  const refused = await callPeer.invoke(ask);
  expect(refused).toMatchObject({ status: 'error', artifact: { code: 'client_closed' } });
});
