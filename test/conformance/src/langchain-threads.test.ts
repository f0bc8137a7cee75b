import { AIMessage, HumanMessage, RemoveMessage } from '@langchain/core/messages';
import {
  Annotation,
  MemorySaver,
  MessagesAnnotation,
  REMOVE_ALL_MESSAGES,
  START,
  StateGraph,
} from '@langchain/langgraph';
import { MessageFailure, type MessageHandler } from '@molecule-ai/core';
import { expectAnswered, expectStatus } from '@molecule-ai/core/testing';
import { createLangChainHandler, createPeerRunnable } from '@molecule-ai/langchain';
import { type AgentMiddleware, createAgent, humanInTheLoopMiddleware, tool } from 'langchain';
import { expect } from 'vitest';
import { z } from 'zod';
import { openStage } from './harness/handler-stage.ts';
import { RecordingModel, type Turn } from './harness/recording-model.ts';
import { verifies } from './verifies.ts';

const busy = () => Object.assign(new Error('busy'), { status: 503 });
const ofUser = (prompt: readonly { readonly text: string }[]) => prompt.at(-1)?.text === 'From the user';

/** Its first attempt of a message of the user fails when its run is finished. */
function losesFirst(handler: MessageHandler): { readonly handler: MessageHandler; isLost(): boolean } {
  let isLost = false;
  return {
    isLost: () => isLost,
    handler: async (message, context) => {
      const answer = await handler(message, context);
      if (isLost || message.source !== 'canvas_user') return answer;
      isLost = true;
      throw busy();
    },
  };
}

verifies(
  'adapters.handler-own-run',
  'a finished run whose answer was lost, with another message after it',
  async () => {
    const { platform, operator, peer, start, settled } = await openStage();
    const model = new RecordingModel((prompt) => (ofUser(prompt) ? 'For the user.' : 'For the peer.'));
    const agent = createAgent({ model, checkpointer: new MemorySaver() });
    const losing = losesFirst(createLangChainHandler(agent, { threadId: () => 'shared' }));
    const { id } = await start(losing.handler);
    const first = operator.sendMessage(id, 'From the user');
    await platform.clock.advanceUntil(losing.isLost);
    const second = (await peer()).client.callPeer(id, 'From the peer');
    const [one, two] = await settled(Promise.all([first, second]));
    expectAnswered(one, 'For the user.');
    expectAnswered(two, 'For the peer.');
    expect(model.prompts).toHaveLength(2);
  },
);

verifies(
  'adapters.handler-own-run',
  'a run that failed, with another message before it is tried again',
  async () => {
    const { platform, operator, peer, start, settled } = await openStage();
    const starts: number[] = [];
    const look = tool(() => `found ${starts.push(0)}`, {
      name: 'look_up',
      description: 'x',
      schema: z.object({}),
    });
    let hasFailed = false;
    const fails: Turn = () => {
      hasFailed = true;
      return { throws: busy() };
    };
    const model = new RecordingModel({ calls: [{ name: 'look_up', args: {} }] }, fails, (prompt) =>
      prompt.at(-1)?.getType() === 'tool' ? 'For the user.' : 'For the peer.',
    );
    const agent = createAgent({ model, tools: [look], checkpointer: new MemorySaver() });
    const { id } = await start(createLangChainHandler(agent, { threadId: () => 'shared' }));
    const first = operator.sendMessage(id, 'From the user');
    await platform.clock.advanceUntil(() => hasFailed);
    const second = (await peer()).client.callPeer(id, 'From the peer');
    const [one, two] = await settled(Promise.all([first, second]));
    expectAnswered(one, 'For the user.');
    expectAnswered(two, 'For the peer.');
    expect(starts).toHaveLength(1);
    const { values } = await agent.graph.getState({ configurable: { thread_id: 'shared' } });
    expect(values.messages.map(({ text }: HumanMessage) => text)).toEqual([
      'From the user',
      '',
      'found 1',
      'For the user.',
    ]);
  },
);

verifies('adapters.handler-own-run', 'a run that failed for good frees its thread', async () => {
  const { operator, start } = await openStage();
  const model = new RecordingModel({ throws: new MessageFailure('No.') }, 'Fine.', 'Still fine.');
  const agent = createAgent({ model, checkpointer: new MemorySaver() });
  const { id } = await start(createLangChainHandler(agent, { threadId: () => 'one' }));
  expectStatus(await operator.sendMessage(id, 'Go'), 'failed', 'handler_failed');
  expectAnswered(await operator.sendMessage(id, 'And now?'), 'Fine.');
  const { values } = await agent.graph.getState({ configurable: { thread_id: 'one' } });
  expect(values.messages.at(-1).text).toBe('Fine.');
});

verifies(
  'adapters.handler-own-run',
  'a run that something else ended is begun anew for its message',
  async () => {
    const { platform, operator, start, settled } = await openStage();
    let hasFailed = false;
    const model = new RecordingModel(
      () => {
        hasFailed = true;
        return { throws: busy() };
      },
      'For somebody else.',
      'For the user.',
    );
    const agent = createAgent({ model, checkpointer: new MemorySaver() });
    const { id } = await start(createLangChainHandler(agent, { threadId: () => 'one' }));
    const asked = operator.sendMessage(id, 'From the user');
    await platform.clock.advanceUntil(() => hasFailed);
    const config = { configurable: { thread_id: 'one' } };
    await agent.invoke({ messages: [new HumanMessage('From the application')] }, config);
    expectAnswered(await settled(asked), 'For the user.');
    expect(model.prompt(2)).toEqual(['human: From the user']);
  },
);

verifies('adapters.handler-redelivery', 'a graph that shortens its messages goes on', async () => {
  const { operator, start, settled } = await openStage();
  let charged = 0;
  let attempts = 0;
  const graph = new StateGraph(MessagesAnnotation)
    .addNode('charge', () => {
      charged += 1;
      return {};
    })
    .addNode('shorten', () => ({
      messages: [new RemoveMessage({ id: REMOVE_ALL_MESSAGES }), new HumanMessage('Summary')],
    }))
    .addNode('say', () => {
      attempts += 1;
      if (attempts === 1) throw busy();
      return { messages: [new AIMessage('Paid.')] };
    })
    .addEdge(START, 'charge')
    .addEdge('charge', 'shorten')
    .addEdge('shorten', 'say')
    .compile({ checkpointer: new MemorySaver() });
  const { id } = await start(createLangChainHandler(graph));
  expectAnswered(await settled(operator.sendMessage(id, 'Pay')), 'Paid.');
  expect([charged, attempts]).toEqual([1, 2]);
});

verifies('adapters.handler-options', 'data is that of the run only', async () => {
  const { operator, start, settled } = await openStage();
  const State = Annotation.Root({ ...MessagesAnnotation.spec, structuredResponse: Annotation<object> });
  const graph = new StateGraph(State)
    .addNode('say', ({ messages }) => {
      const said = { messages: [new AIMessage('Said.')] };
      return messages.at(-1)?.text === 'Count' ? { ...said, structuredResponse: { pass: 990 } } : said;
    })
    .addEdge(START, 'say')
    .compile({ checkpointer: new MemorySaver() });
  const losing = losesFirst(createLangChainHandler(graph));
  const { id } = await start(losing.handler);
  const partsOf = async (text: string) => (await settled(operator.sendMessage(id, text))).parts;
  const data = expect.objectContaining({ kind: 'data', data: { pass: 990 } });
  // The first one is answered from its thread.
  expect(await partsOf('Count')).toContainEqual(data);
  expect(await partsOf('Thanks')).not.toContainEqual(data);
  expect(await partsOf('Count')).toContainEqual(data);
});

verifies('adapters.handler-message', 'a peer as the whole target answers in its own words', async () => {
  const { operator, peer, start, settled } = await openStage();
  const lab = await peer();
  lab.script('Yes, 990 < 1000.', 'Yes, 990 < 1000.', 'words '.repeat(300));
  let maxModelChars = 32_000;
  const agent = await start((message, context) =>
    createLangChainHandler(createPeerRunnable(agent.client, lab.id, { maxModelChars }))(message, context),
  );
  expectAnswered(await settled(operator.sendMessage(agent.id, 'All?')), 'Yes, 990 < 1000.');
  const stream = operator.streamMessage(agent.id, 'Once more?');
  const pieces: string[] = [];
  const reading = (async () => {
    for await (const piece of stream) pieces.push(piece);
  })();
  await settled(reading);
  expectAnswered(await stream.reply(), 'Yes, 990 < 1000.');
  maxModelChars = 1_000;
  const cut = await settled(operator.sendMessage(agent.id, 'And at length?'));
  expectAnswered(cut, /^words [\s\S]* 799 more characters are left out\.$/);
  expect(cut.text).not.toContain('peer-text');
});

/** An agent that does what its model says, with an approval. */
function writing(...script: readonly [Turn, ...Turn[]]) {
  const written: string[] = [];
  const write = tool(({ note }) => `${written.push(note)}`, {
    name: 'write',
    description: 'Writes',
    schema: z.object({ note: z.string() }),
  });
  // Its types do not fit `exactOptionalPropertyTypes`.
  const review = humanInTheLoopMiddleware as unknown as (options: unknown) => AgentMiddleware;
  const model = new RecordingModel(...script);
  const middleware = [review({ interruptOn: { write: true } })];
  const agent = createAgent({ model, tools: [write], middleware, checkpointer: new MemorySaver() });
  return { agent, written, model };
}

const writes = (...notes: string[]): Turn => ({
  calls: notes.map((note, index) => ({ name: 'write', args: { note }, id: `call_${index}` })),
});

const UNSHOWN: readonly (readonly [string, Turn, string])[] = [
  ['longer than a question', writes(`${'-- harmless\n'.repeat(7_000)}DROP TABLE users;`), 'action_too_large'],
  ['longer than the platform takes', writes('x'.repeat(33 * 1024)), 'action_too_large'],
  ['longer in bytes', writes('€'.repeat(20 * 1024)), 'action_too_large'],
  ['more than twenty', writes(...Array.from({ length: 21 }, String)), 'too_many_questions'],
];
for (const [name, turn, code] of UNSHOWN) {
  verifies('adapters.handler-shown-whole', `actions ${name}`, async () => {
    const { operator, start } = await openStage();
    const { agent, written, model } = writing(turn, 'Next.', 'After that.');
    const { id } = await start(createLangChainHandler(agent, { threadId: () => 'one' }));
    expectStatus(await operator.sendMessage(id, 'Write'), 'failed', code);
    expect(await operator.listQuestions(id, { state: 'open' })).toEqual([]);
    expectAnswered(await operator.sendMessage(id, 'Go on'), 'Next.');
    expectAnswered(await operator.sendMessage(id, 'And then'), 'After that.');
    expect(model.prompt(-1).filter((line) => line.startsWith('human'))).toHaveLength(3);
    const { values } = await agent.graph.getState({ configurable: { thread_id: 'one' } });
    expect(values.messages.at(-1).text).toBe('After that.');
    expect(written).toEqual([]);
  });
}

verifies('adapters.handler-shown-whole', 'an action that is as large as a question can be', async () => {
  const { operator, start, settled } = await openStage();
  const note = 'x'.repeat(31 * 1024);
  const { agent, written } = writing(writes(note), 'Written.');
  const { id } = await start(createLangChainHandler(agent));
  const asked = await operator.sendMessage(id, 'Write');
  const [question] = await operator.listQuestions(id, { state: 'open' });
  expect(question?.data).toEqual({ action: 'write', args: { note } });
  await operator.answerQuestion(id, question?.id ?? '', { decision: 'approve' });
  expectAnswered(await settled(operator.waitForAnswer(id, asked.messageId)), 'Written.');
  expect(written).toEqual([note]);
});
