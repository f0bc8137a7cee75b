import { MoleculeError } from '../errors/molecule-error.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { waitForAnswerOnFeed } from './answer-on-feed.ts';
import type { ClientContext } from './client-context.ts';
import { withinHandling, withOrigin } from './current-message.ts';
import { DEFAULT_ANSWER_TIMEOUT_MS, type WaitForAnswerOptions, waitForAnswer } from './message-state.ts';
import { type CallPeerOptions, sendThroughProxy } from './peer-calls.ts';
import { requireNoDecision } from './questions.ts';

/** Sends a message of this workspace, in a handler as part of its handling; `holdSeconds: 0` does not wait for the answer. */
export async function sendAsWorkspace(
  { abandoned, returned, transport, settings }: ClientContext,
  peerId: string,
  text: string,
  options: CallPeerOptions & { readonly holdSeconds?: number },
): Promise<PeerReply> {
  const { workspaceId, clock, callTimeoutMs } = settings;
  const { signal, timeoutMs = callTimeoutMs } = options;
  requireNoDecision(options.answers);
  const metadata = withOrigin(workspaceId, options.metadata);
  const reply = await withinHandling({ signal, timeoutMs }, clock, (limits) =>
    sendThroughProxy(transport, peerId, text, {
      ...options,
      ...limits,
      metadata,
      isWrapped: true,
      isInNewContext: true,
      onAbandoned: (messageId) => abandoned.cancel({ workspaceId, messageId }),
    }),
  );
  returned.add(reply);
  return reply;
}

/**
 * Waits for the end of a message of this workspace; in a handler no longer than its handling. On a platform without the
 * state of messages it waits for the answer on the feed.
 */
export function waitAsWorkspace(
  { transport, settings: { workspaceId, clock } }: ClientContext,
  messageId: string,
  { signal, timeoutMs = DEFAULT_ANSWER_TIMEOUT_MS }: WaitForAnswerOptions,
): Promise<PeerReply> {
  return withinHandling({ signal, timeoutMs }, clock, async (limits) => {
    const endsAt = clock.monotonic() + limits.timeoutMs;
    try {
      return await waitForAnswer(transport, workspaceId, messageId, { ...limits, isWrapped: true });
    } catch (error) {
      if (!MoleculeError.isInstance(error) || error.code !== 'not_supported') throw error;
      return waitForAnswerOnFeed(transport, workspaceId, messageId, { signal: limits.signal, endsAt });
    }
  });
}
