import { AIMessage } from '@langchain/core/messages';
import { END, interrupt, MemorySaver, MessagesAnnotation, START, StateGraph } from '@langchain/langgraph';
import { ToolNode } from '@langchain/langgraph/prebuilt';
import type { PeerClient } from '@molecule-ai/core';
import { expectAnswered, expectStatus } from '@molecule-ai/core/testing';
import { createLangChainHandler, createPeerRunnable, createPeerTools } from '@molecule-ai/langchain';
import { createAgent, tool } from 'langchain';
import { expect } from 'vitest';
import { openStage, type Stage } from './harness/handler-stage.ts';
import { RecordingModel, type Turn } from './harness/recording-model.ts';
import { verifies } from './verifies.ts';

/** A graph with a model, and a node that runs its tools: those for peers and one that asks the user. */
function askingGraph(client: PeerClient, model: RecordingModel, checkpointer: MemorySaver) {
  const ask = tool(async () => `colour ${interrupt('Which colour?')}`, {
    name: 'ask',
    description: 'Asks the user.',
    schema: { type: 'object', properties: {} },
  });
  return new StateGraph(MessagesAnnotation)
    .addNode('agent', async ({ messages }) => ({ messages: [await model.invoke(messages)] }))
    .addNode('tools', new ToolNode([...createPeerTools(client), ask]))
    .addEdge(START, 'agent')
    .addConditionalEdges(
      'agent',
      ({ messages }) => ((messages.at(-1) as AIMessage).tool_calls?.length ? 'tools' : END),
      ['tools', END],
    )
    .addEdge('tools', 'agent')
    .compile({ checkpointer });
}

/** Asks the agent, answers its question, and returns what it says then. */
async function answered({ operator, settled }: Stage, id: string) {
  const asked = await settled(operator.sendMessage(id, 'Go.'));
  expectStatus(asked, 'input-required');
  const [question] = await operator.listQuestions(id, { state: 'open' });
  await settled(operator.answerQuestion(id, question?.id ?? '', { text: 'red' }));
  return settled(operator.waitForAnswer(id, asked.messageId));
}

verifies('tools.one-message-per-call', 'a step that is resumed by the answer of the user', async () => {
  const stage = await openStage();
  const lab = await stage.peer({ answer: 'done' });
  const calls = [
    { name: 'call_peer', args: { peer_id: lab.id, text: 'Transfer.' } },
    { name: 'delegate_task_async', args: { workspace_id: lab.id, task: 'Pay.' } },
    { name: 'send_message_to_user', args: { message: 'I pay now.' } },
    { name: 'ask', args: {} },
  ];
  const model = new RecordingModel({ calls }, 'Paid.');
  const checkpointer = new MemorySaver();
  const { id, client } = await stage.start((message, context) =>
    createLangChainHandler(askingGraph(context.client, model, checkpointer))(message, context),
  );
  expectAnswered(await answered(stage, id), 'Paid.');
  expect(model.prompts.at(-1)?.map(({ text }) => text)).toContain('colour red');
  expect(lab.received.map(({ text }) => text).sort()).toEqual(['Pay.', 'Transfer.']);
  const { rows } = await stage.settled(client.listActivity({ direction: 'all', limit: 50 }));
  expect(rows.filter(({ text }) => text === 'I pay now.')).toHaveLength(1);
});

verifies('tools.one-message-per-call', 'a node that is resumed by the answer of the user', async () => {
  const stage = await openStage();
  const lab = await stage.peer({ answer: 'done' });
  const checkpointer = new MemorySaver();
  const { id } = await stage.start((message, context) => {
    const ask = createPeerRunnable(context.client, lab.id);
    const graph = new StateGraph(MessagesAnnotation)
      .addNode('order', async (_state, config) => {
        await ask.invoke('Roll out?', config);
        return { messages: [new AIMessage(`in ${interrupt('Which colour?')}`)] };
      })
      .addEdge(START, 'order')
      .compile({ checkpointer });
    return createLangChainHandler(graph)(message, context);
  });
  expectAnswered(await answered(stage, id), 'in red');
  expect(lab.received).toHaveLength(1);
});

const KEEPING = [undefined, new MemorySaver()];

verifies(
  'tools.one-message-per-call',
  'a model that asks the same until it is ready, and a run that fails',
  async () => {
    for (const checkpointer of KEEPING) {
      const stage = await openStage();
      const lab = await stage.peer({ script: ['not ready', 'ready now'] });
      const poll = { calls: [{ name: 'call_peer', args: { peer_id: lab.id, text: 'Is it ready?' } }] };
      let crashes = 1;
      const turn: Turn = (prompt) => {
        const results = prompt.filter((message) => message.getType() === 'tool');
        if (results.length < 2) return poll;
        if (crashes-- > 0) return { throws: Object.assign(new Error('busy'), { status: 503 }) };
        return results.at(-1)?.text.includes('ready now') ? 'Ready.' : 'Never.';
      };
      const { id } = await stage.start((message, context) =>
        createLangChainHandler(
          createAgent({
            model: new RecordingModel(turn),
            tools: createPeerTools(context.client),
            ...(checkpointer === undefined ? {} : { checkpointer }),
          }),
        )(message, context),
      );
      expectAnswered(await stage.settled(stage.operator.sendMessage(id, 'Poll.')), 'Ready.');
      expect(crashes).toBeLessThan(0);
      expect(lab.received).toHaveLength(2);
    }
  },
);

verifies('tools.one-message-per-call', 'two nodes that ask the same, and a run that fails', async () => {
  for (const checkpointer of KEEPING) {
    const stage = await openStage();
    const lab = await stage.peer({ answer: 'done' });
    let crashes = 1;
    const { id } = await stage.start((message, context) => {
      const ask = createPeerRunnable<typeof MessagesAnnotation.State>(context.client, lab.id);
      const graph = new StateGraph(MessagesAnnotation)
        .addNode('one', async (_state, config) => {
          await ask.invoke({ messages: [new AIMessage('Go')] }, config);
          return {};
        })
        .addNode('two', async (_state, config) => {
          await ask.invoke({ messages: [new AIMessage('Go')] }, config);
          if (crashes-- > 0) throw Object.assign(new Error('busy'), { status: 503 });
          return { messages: [new AIMessage('Both.')] };
        })
        .addEdge(START, 'one')
        .addEdge('one', 'two')
        .compile(checkpointer === undefined ? {} : { checkpointer });
      return createLangChainHandler(graph)(message, context);
    });
    expectAnswered(await stage.settled(stage.operator.sendMessage(id, 'Go.')), 'Both.');
    expect(lab.received).toHaveLength(2);
  }
});
