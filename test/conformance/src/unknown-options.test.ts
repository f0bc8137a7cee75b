import { RunnableLambda } from '@langchain/core/runnables';
import { createPeerTools as aiSdkTools, createAiSdkHandler, createMolecule } from '@molecule-ai/ai-sdk';
import { createChatRoute } from '@molecule-ai/ai-sdk/chat';
import {
  A2AServer,
  createRemoteAgent,
  FileTokenStore,
  LongPollDelivery,
  MessageFailure,
  messageForModel,
  PollDelivery,
  RemoteAgentClient,
} from '@molecule-ai/core';
import { peerTools } from '@molecule-ai/core/adapter-kit';
import { createInboundHandler } from '@molecule-ai/core/inbound';
import { OperatorClient } from '@molecule-ai/core/operator';
import { recordingLogger, temporaryState } from '@molecule-ai/core/testing';
import {
  createLangChainHandler,
  createPeerRunnable,
  createPeerTools as langChainTools,
  peerMessageHistory,
} from '@molecule-ai/langchain';
import { MoleculeModule, OnMessage, OnPeerMessage } from '@molecule-ai/nestjs';
import { createPlatform, PlatformOptionsError } from '@molecule-ai/platform';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import { Test } from '@nestjs/testing';
import { expect } from 'vitest';
import { openStage } from './harness/handler-stage.ts';
import { verifies } from './verifies.ts';

const ID = '0b6f0c3e-1d5a-4c1b-9a51-6f2f1b8f0a01';
const CONNECTION = { workspaceId: ID, platformUrl: 'http://127.0.0.1:9' };

/** As a program without types passes them. */
const wrong = (options: Record<string, unknown>): never => options as never;

/** What is thrown, or rejected, as one text. */
async function refusalOf(run: () => unknown): Promise<string> {
  try {
    await run();
  } catch (error) {
    const { name, code, message, hint = '' } = error as Error & { code: string; hint?: string };
    return `${name} ${code} ${message} ${hint}`;
  }
  throw new Error('It was accepted.');
}

verifies('options.wrong-are-refused', 'unknown of programs', async () => {
  const { workspaceId: _, ...connection } = CONNECTION;
  const client = new RemoteAgentClient(CONNECTION);
  const onMessage = () => 'done';
  const agent = createRemoteAgent({ client, onMessage });
  const state = temporaryState().storage.directory;
  const cases: readonly (readonly [string, string, () => unknown])[] = [
    ['workspaceID', 'workspaceId', () => new RemoteAgentClient(wrong({ ...connection, workspaceID: ID }))],
    ['operatorkey', 'operatorKey', () => new OperatorClient(wrong({ ...connection, operatorkey: 'k' }))],
    ['onMesage', 'onMessage', () => createRemoteAgent(wrong({ client, onMesage: onMessage }))],
    [
      'stateDirectory',
      'store',
      () => createRemoteAgent(wrong({ client, onMessage, stateDirectory: '/tmp' })),
    ],
    ['interval', 'intervalMs', () => new PollDelivery(wrong({ interval: 5 }))],
    ['wait', 'waitSeconds', () => new LongPollDelivery(wrong({ wait: 5 }))],
    ['timeout', 'lockTimeoutMs', () => new FileTokenStore(wrong({ directory: state, timeout: 5 }))],
    ['prot', 'port', () => new A2AServer(wrong({ agent, prot: 5 }))],
    ['hold', 'holdSeconds', () => createInboundHandler(agent, wrong({ hold: 5 }))],
    ['onStart', 'onStarted', () => client.runAgentLoop(onMessage, wrong({ onStart: () => {} }))],
    ['interval', 'heartbeatIntervalMs', () => client.runHeartbeatLoop(wrong({ interval: 5 }))],
  ];
  for (const [key, meant, run] of cases) {
    const refusal = await refusalOf(run);
    expect(refusal).toContain('ConfigurationError configuration_invalid');
    expect(refusal).toMatch(
      new RegExp(`no option "${key}"\\. (Did you mean|Its options are) .*\\b${meant}\\b`),
    );
  }
  await client.close();
});

verifies('options.wrong-are-refused', 'unknown of calls', async () => {
  const platform = await createTestPlatform();
  const sent: string[] = [];
  const dispatcher: typeof platform.connection.dispatcher = Object.assign(
    Object.create(platform.connection.dispatcher),
    {
      dispatch: (request: { path: string }, handler: never) => {
        sent.push(request.path);
        return platform.connection.dispatcher.dispatch(request as never, handler);
      },
    },
  );
  await using client = new RemoteAgentClient({
    ...platform,
    ...(await platform.createWorkspace('a')),
    connection: { ...platform.connection, dispatcher },
  });
  const operator = new OperatorClient({
    ...platform,
    operatorKey: platform.operatorKey,
    connection: { ...platform.connection, dispatcher },
  });
  const message = { source: 'peer_agent', peerId: ID, inReplyTo: '', text: 'x' } as const;
  const inbound = { ...message, id: 'row', messageId: 'm', contextId: 'c' };
  const cases: readonly (readonly [string, string, () => unknown])[] = [
    ['timeout', 'timeoutMs', () => client.callPeer(ID, 'hi', wrong({ timeout: 5 }))],
    ['timeout', 'timeoutMs', () => client.sendToPeer(ID, 'hi', wrong({ timeout: 5 }))],
    ['timeout', 'timeoutMs', () => client.streamPeer(ID, 'hi', wrong({ timeout: 5 }))],
    ['timeout', 'timeoutMs', () => client.waitForAnswer('id', wrong({ timeout: 5 }))],
    ['limits', 'limit', () => client.listActivity(wrong({ limits: 5 }))],
    ['sinceID', 'sinceId', () => client.fetchInbound(wrong({ sinceID: 'x' }))],
    ['activeTask', 'activeTasks', () => client.heartbeat(wrong({ activeTask: 1 }))],
    ['parent_id', 'parentId', () => operator.createWorkspace(wrong({ name: 'x', parent_id: ID }))],
    ['timeout', 'timeoutMs', () => operator.sendMessage(ID, 'hi', wrong({ timeout: 5 }))],
    ['part', 'parts', () => client.reply(inbound, wrong({ text: 'hi', part: [] }))],
    ['sender_name', 'sender', () => messageForModel(message, wrong({ sender_name: true }))],
  ];
  for (const [key, meant, run] of cases) {
    const refusal = await refusalOf(run);
    expect(refusal).toContain('MoleculeError invalid_argument');
    expect(refusal).toMatch(
      new RegExp(`no option "${key}"\\. (Did you mean|Its options are) .*\\b${meant}\\b`),
    );
  }
  expect(sent).toEqual([]);
  expect(await client.getPeers({ signal: undefined })).toEqual([]);
  expect(sent).toHaveLength(1);
  await operator.close();
  await platform.close();
});

verifies('options.wrong-are-refused', 'unknown of adapters', async () => {
  const { peer } = await openStage();
  const { id, client } = await peer();
  const target = RunnableLambda.from(async () => 'done');
  const model = 'openai/gpt-5';
  const cases: readonly (readonly [string, () => unknown])[] = [
    ['timeoutMs', () => peerTools(client, wrong({ timeout: 5 }))],
    ['timeoutMs', () => langChainTools(client, wrong({ timeout: 5 }))],
    ['timeoutMs', () => createPeerRunnable(client, id, wrong({ timeout: 5 }))],
    ['threadId', () => createLangChainHandler(target, wrong({ thread: () => 'x' }))],
    ['conversationId', () => peerMessageHistory(client, wrong({ conversation: 'x' }))],
    ['timeoutMs', () => aiSdkTools(client, wrong({ timeout: 5 }))],
    ['timeoutMs', () => createMolecule(wrong({ client, timeout: 5 }))],
    ['maxMessages', () => createAiSdkHandler({ model }, wrong({ maxMessage: 5 }))],
    ['onError', () => createChatRoute(wrong({ agent: { stream: () => {} }, onErrors: () => {} }))],
    ['agent', () => OnMessage(wrong({ agents: 'a' }))],
    ['from', () => OnPeerMessage(wrong({ form: id }))],
  ];
  for (const [meant, run] of cases) expect(await refusalOf(run)).toContain(`Did you mean ${meant}?`);
  for (const [options, meant] of [
    [{ manualStrat: true }, 'manualStart'],
    [{ client: { ...CONNECTION, workspaceID: ID } }, 'workspaceId'],
    [{ agent: { stopTimeout: 5 } }, 'limits.stopTimeoutMs'],
    [{ push: { pth: '/a2a' } }, 'path'],
  ] as const) {
    const given = { client: CONNECTION, withoutHandlers: true, manualStart: true, ...options };
    const compile = () =>
      Test.createTestingModule({ imports: [MoleculeModule.forRoot(wrong(given))] }).compile();
    expect(await refusalOf(compile)).toContain(`Did you mean ${meant}?`);
  }
});

verifies('options.unknown-of-answers', async () => {
  const { platform, peer, settled } = await openStage();
  const asking = await peer();
  const workspace = await platform.createWorkspace('agent');
  using state = temporaryState();
  const logger = recordingLogger();
  await using client = new RemoteAgentClient({ ...platform, ...workspace, ...state, logger });
  const agent = createRemoteAgent({
    client,
    onMessage: async ({ text }, { reply }) => {
      if (text === 'fail') throw new MessageFailure('No.', wrong({ kode: 'no' }));
      if (text !== 'reply') return wrong({ text, part: [] });
      await reply(wrong({ text, metdata: {} }));
    },
  });
  await agent.start();
  const ends: string[] = [];
  for (const text of ['return', 'return', 'reply', 'fail']) {
    const call = asking.client.callPeer(workspace.workspaceId, text);
    const reply = await settled(call);
    ends.push(`${reply.status} ${reply.text}`);
  }
  expect(ends).toEqual(['answered return', 'answered return', 'answered reply', 'failed No.']);
  const ignored = logger.lines.filter(({ message }) => message.endsWith('It is ignored.'));
  expect(ignored.map(({ message, fields }) => [message, fields.hint])).toEqual([
    ['An answer has no key "part". It is ignored.', 'Did you mean parts?'],
    ['An answer has no key "metdata". It is ignored.', 'Did you mean metadata?'],
    ['MessageFailure has no option "kode". It is ignored.', 'Did you mean code?'],
  ]);
  await settled(agent.stop());
});

verifies('options.wrong-are-refused', 'unknown of platforms', async () => {
  const refusal = await createPlatform(
    wrong({ mode: 'dev', server: { prot: 1, quux: undefined }, hierachy: 'x' }),
  ).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(PlatformOptionsError);
  const { problems, code } = refusal as PlatformOptionsError;
  expect(code).toBe('invalid_options');
  expect(problems.map(({ option }) => option)).toEqual(['server.prot', 'server.quux', 'hierachy']);
  expect(problems.map(({ problem }) => problem)).toEqual([
    'is not an option; did you mean server.port?',
    expect.stringMatching(/^is not an option; the options of server are contractCheck, .*, stopTimeoutMs$/),
    'is not an option; did you mean security.hierarchy?',
  ]);
  expect(String(refusal)).toContain('server.prot: is not an option');
  await expect(createTestPlatform(wrong({ prot: 1 }))).rejects.toBeInstanceOf(PlatformOptionsError);
  const both = createPlatform(wrong({ mode: 'dev', server: { port: -1 }, prot: 1 }));
  await expect(both).rejects.toMatchObject({ problems: [{ option: 'prot' }, { option: 'server.port' }] });
});

verifies('options.of-tests', async () => {
  await using platform = await createTestPlatform();
  using state = temporaryState();
  const workspace = await platform.createWorkspace('a');
  expect(Object.keys({ ...platform }).sort()).toEqual(['connection', 'platformUrl']);
  expect(Object.keys(platform.connection).sort()).toEqual(['clock', 'dispatcher']);
  await using client = new RemoteAgentClient({ ...platform, ...workspace, ...state });
  await client.register();
  const operator = new OperatorClient(platform);
  expect((await operator.getWorkspace(workspace.workspaceId)).status).toBe('online');
  await operator.close();
});
