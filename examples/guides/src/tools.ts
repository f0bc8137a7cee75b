// #region tools
import { type PeerClient, peerTextInstructions } from '@molecule-ai/core';
import { peerTools } from '@molecule-ai/core/adapter-kit';

/** What a model calls: a name, arguments that it wrote, and an id. */
export interface ModelCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: unknown;
}

/** The tools of an agent, for a model without a framework. */
export function toolsFor(client: PeerClient) {
  const tools = peerTools(client);
  return {
    instructions: peerTextInstructions, // once, in the system prompt
    declared: tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema })),
    /** The result of a call, for the model. Never throws, except the reason of an abort. */
    async run(call: ModelCall, options: { runId: string; signal?: AbortSignal }): Promise<string> {
      const tool = tools.find(({ name }) => name === call.name);
      if (tool === undefined) return `There is no tool ${JSON.stringify(call.name)}.`;
      const { forModel } = await tool.execute(call.arguments, { ...options, callId: call.id });
      return forModel; // store it with the conversation as it is
    },
  };
}
// #endregion tools

// #region some
/** An agent that only asks, and has little room in its prompt. */
export function askingTools(client: PeerClient) {
  return peerTools(client, {
    only: ['list_peers', 'call_peer'],
    timeoutMs: 300_000, // how long it waits for an answer
    maxModelChars: 8_000, // of an answer, at most
  });
}
// #endregion some
