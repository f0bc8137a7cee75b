import { MessagesAnnotation, START, StateGraph } from '@langchain/langgraph';
import { ConfigurationError, MoleculeError } from '@molecule-ai/core';
import { peerTools } from '@molecule-ai/core/adapter-kit';
import { expectStatus } from '@molecule-ai/core/testing';
import {
  createLangChainHandler,
  createPeerRunnable,
  createPeerTools,
  peerMessageHistory,
  peersMiddleware,
} from '@molecule-ai/langchain';
import { expect } from 'vitest';
import { openStage } from './harness/handler-stage.ts';
import { RecordingModel } from './harness/recording-model.ts';
import { verifies } from './verifies.ts';

/** What a program without types gets. */
function thrownBy(create: () => unknown): MoleculeError {
  try {
    create();
  } catch (error) {
    if (MoleculeError.isInstance(error)) return error;
    throw error;
  }
  throw new Error('It was accepted.');
}

verifies('options.wrong-are-refused', 'of the runnable', async () => {
  const { peer } = await openStage();
  const { id, client } = await peer();
  for (const timeoutMs of [Number.NaN, '5000', -1, 0, 300, 1_999, 2_000.5, 1e12]) {
    const { code, message } = thrownBy(() =>
      createPeerRunnable(client, id, { timeoutMs: timeoutMs as number }),
    );
    expect([code, message]).toEqual([
      'invalid_argument',
      expect.stringContaining('timeoutMs must be an integer from 2000 to 2147483647, got '),
    ]);
  }
  for (const maxModelChars of ['x', -3, 0, 1.5]) {
    const { code, message } = thrownBy(() =>
      createPeerRunnable(client, id, { maxModelChars: maxModelChars as number }),
    );
    expect([code, message]).toEqual([
      'invalid_argument',
      expect.stringContaining('maxModelChars must be an integer from 1 '),
    ]);
  }
  expect(thrownBy(() => createPeerRunnable(client, id, null as never)).message).toBe(
    'The options must be an object, got null.',
  );
  for (const peerId of ['lab', '', undefined, `${id}/a2a`]) {
    const { code, message } = thrownBy(() => createPeerRunnable(client, peerId as string));
    expect(code).toBe('invalid_argument');
    expect(message).toContain('The id of the peer must be a UUID as getPeers() gives it');
  }
});

verifies('options.wrong-are-refused', 'of the tools and the history, and clients that are none', async () => {
  const { peer } = await openStage();
  const { id, client } = await peer();
  for (const none of [undefined, null, {}, 'client']) {
    const wrong = none as never;
    for (const create of [
      () => peerTools(wrong),
      () => createPeerTools(wrong),
      () => peersMiddleware(wrong),
      () => createPeerRunnable(wrong, id),
      () => peerMessageHistory(wrong),
    ]) {
      const { code, message } = thrownBy(create);
      expect(code).toBe('invalid_argument');
      expect(message).toContain('The client must be a RemoteAgentClient');
    }
  }
  for (const [options, message] of [
    [null, 'The options must be an object, got null.'],
    [{ progress: 'no' }, 'progress must be true or false, got "no".'],
    [{ timeoutMs: 300 }, 'timeoutMs must be an integer from 2000 to 2147483647, got 300.'],
  ] as const) {
    expect(thrownBy(() => createPeerTools(client, options as never)).message).toBe(message);
    expect(thrownBy(() => peersMiddleware(client, options as never)).message).toBe(message);
  }
  for (const limit of [0, 1_000, 1.5, '10', Number.NaN]) {
    const { code, message } = thrownBy(() => peerMessageHistory(client, { limit: limit as number }));
    expect(code).toBe('invalid_argument');
    expect(message).toContain('limit must be an integer from 1 to 500, got ');
  }
  expect(thrownBy(() => peerMessageHistory(client, { conversationId: ' ' })).message).toContain(
    'conversationId must be a text that is not blank',
  );
  expect(
    await peerMessageHistory(client, { conversationId: 'a'.repeat(32), limit: 500 }).getMessages(),
  ).toEqual([]);
});

verifies('options.wrong-are-refused', 'of the handler, and targets that are none', async () => {
  const model = new RecordingModel('Hello.');
  for (const [options, message] of [
    [null, 'The options must be an object, got null.'],
    [{ approvals: 'peer' }, 'approvals must be "user" or "sender-when-user", got "peer".'],
    [{ threadId: 'x' }, 'threadId must be a function, got "x".'],
    [{ input: {} }, 'input must be a function, got an object.'],
    [{ output: 7 }, 'output must be a function, got 7.'],
    [{ config: 'y' }, 'config must be an object, got "y".'],
  ] as const) {
    const error = thrownBy(() => createLangChainHandler(model, options as never));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.message).toBe(message);
  }
  const graph = new StateGraph(MessagesAnnotation).addNode('a', () => ({})).addEdge(START, 'a');
  const uncompiled = thrownBy(() => createLangChainHandler(graph as never));
  expect(uncompiled).toBeInstanceOf(ConfigurationError);
  expect(`${uncompiled.message} ${uncompiled.hint}`).toContain(
    'not compiled. Pass what its compile() returns.',
  );
  for (const target of [undefined, null, {}, () => 'hello', 'openai:gpt-5']) {
    const error = thrownBy(() => createLangChainHandler(target as never));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.message).toContain(
      'The target must be an agent, a compiled graph or another runnable, got ',
    );
    expect(error.hint).toContain('createAgent()');
  }
});

verifies('options.wrong-are-refused', 'a thread that is no text fails the message', async () => {
  const { operator, start, settled } = await openStage();
  const model = new RecordingModel('Hello.');
  const { id, failures } = await start(
    createLangChainHandler(model, { threadId: () => undefined as unknown as string }),
  );
  expectStatus(await settled(operator.sendMessage(id, 'Good morning')), 'failed', 'configuration_invalid');
  expect(failures).toMatchObject([
    { code: 'configuration_invalid', message: '`threadId` must return a text.' },
  ]);
  expect(model.prompts).toEqual([]);
});
