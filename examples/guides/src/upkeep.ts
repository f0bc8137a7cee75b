import type { MessageHandler, RemoteAgent } from '@molecule-ai/core';
// #region letters
import { FileInboundStore, listDeadLetters } from '@molecule-ai/core';

// #endregion letters
import type { OperatorClient } from '@molecule-ai/core/operator';

// #region once
/** Charges each order once, also when the handler runs again. */
export const charging =
  (charge: (order: string, key: string) => Promise<string>): MessageHandler =>
  async (message, { once }) => {
    const receipt = await once('charge', () => charge(message.text, message.id)); // the id as idempotency key
    return `Charged, receipt ${receipt}.`;
  };
// #endregion once

// #region letters
/** What an agent has given up, while it runs in another process. */
export async function printDeadLetters(stateDirectory: string): Promise<void> {
  for (const letter of await listDeadLetters(new FileInboundStore(stateDirectory))) {
    console.log(letter.at, letter.activityId, letter.stage, letter.attempts, letter.errorCode);
  }
}

/** In the agent itself: handles again what failed for one reason, and removes the rest. */
export async function clearDeadLetters(agent: RemoteAgent, errorCode: string): Promise<void> {
  for (const letter of await agent.listDeadLetters()) {
    if (letter.errorCode === errorCode) await agent.replayDeadLetter(letter.activityId);
    else await agent.discardDeadLetter(letter.activityId);
  }
}
// #endregion letters

// #region token
/** A new token instead of all that a workspace had. Returned once: hand it to the agent. */
export async function replaceTokens(operator: OperatorClient, workspaceId: string): Promise<string> {
  const old = await operator.tokens.list(workspaceId);
  const { authToken } = await operator.tokens.mint(workspaceId);
  for (const { id } of old) await operator.tokens.revoke(workspaceId, id);
  return authToken;
}
// #endregion token
