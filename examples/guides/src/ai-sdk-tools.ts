// #region agent
import { boundaryMiddleware, createPeerTools } from '@molecule-ai/ai-sdk';
import type { PeerClient } from '@molecule-ai/core';
import { ToolLoopAgent, wrapLanguageModel } from 'ai';

type Model = Parameters<typeof wrapLanguageModel>[0]['model']; // openai('gpt-5') for example

/** An agent whose model may ask its peers. */
export async function plan(client: PeerClient, given: Model, prompt: string): Promise<string> {
  const model = wrapLanguageModel({ model: given, middleware: boundaryMiddleware() });
  const tools = createPeerTools(client);
  const planner = new ToolLoopAgent({ model, instructions: 'You plan releases.', tools });
  const { text } = await planner.generate({ prompt });
  return text;
}
// #endregion agent

// #region approval
/** The same, where a person approves what is sent to peers. Returns the calls that wait for it. */
export async function planCarefully(client: PeerClient, given: Model, prompt: string): Promise<string[]> {
  const model = wrapLanguageModel({ model: given, middleware: boundaryMiddleware() });
  // With version 6: createPeerTools(client, { needsApproval: ['call_peer'] })
  const planner = new ToolLoopAgent({
    model,
    tools: createPeerTools(client),
    toolApproval: { call_peer: 'user-approval' }, // version 7
  });
  const { content } = await planner.generate({ prompt });
  const requests = content.filter((part) => part.type === 'tool-approval-request');
  return requests.map(({ toolCall }) => `${toolCall.toolName} ${JSON.stringify(toolCall.input)}`);
}
// #endregion approval
