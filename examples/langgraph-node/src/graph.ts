import { AIMessage, HumanMessage } from '@langchain/core/messages';
import { type BaseCheckpointSaver, END, MessagesAnnotation, START, StateGraph } from '@langchain/langgraph';
import type { PeerClient } from '@molecule-ai/core';
import { createPeerRunnable } from '@molecule-ai/langchain';

/** A graph whose second node is a peer. */
export function releaseGraph(client: PeerClient, labId: string, checkpointer: BaseCheckpointSaver) {
  return (
    new StateGraph(MessagesAnnotation)
      .addNode('plan', () => ({ messages: [new HumanMessage('How are the tests of release 4.2?')] }))
      .addNode('lab', createPeerRunnable(client, labId))
      // A model in a real graph: what the peer said is in a fence.
      .addNode('decide', ({ messages }) => {
        const isGood = messages.at(-1)?.text.includes('all tests pass') === true;
        return { messages: [new AIMessage(isGood ? 'Ship it.' : 'Wait.')] };
      })
      .addEdge(START, 'plan')
      .addEdge('plan', 'lab')
      .addEdge('lab', 'decide')
      .addEdge('decide', END)
      .compile({ checkpointer })
  );
}
