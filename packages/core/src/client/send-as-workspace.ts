import type { InboundMessage, JsonObject } from '@molecule-ai/protocol';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import { cancelMessage } from './cancellation.ts';
import type { ClientContext } from './client-context.ts';
import { type CallLimits, linkHandling, withinHandling, withOrigin } from './current-message.ts';
import {
  DEFAULT_ANSWER_TIMEOUT_MS,
  readMessageState,
  type WaitForAnswerOptions,
  waitForAnswer,
  waitForAnswerOnFeed,
} from './message-state.ts';
import {
  asCall,
  type CallPeerOptions,
  composeMessage,
  type OutgoingMessage,
  type StreamPeerOptions,
  sendThroughProxy,
  startCall,
} from './peer-calls.ts';
import { createPeerStream, type PeerStream, type PeerStreamOptions } from './peer-stream.ts';
import { requireNoDecision } from './questions.ts';
import type { RememberedMessage } from './remembered-messages.ts';
import { peerSource, platformSource } from './stream-sources.ts';

/**
 * Sends a message of this workspace, in a handler as part of its handling: to the peer's server where that is possible, else through
 * the platform. `holdSeconds: 0` does not wait for the answer; the platform stores such a message.
 */
export async function sendAsWorkspace(
  context: ClientContext,
  peerId: string,
  text: string,
  options: CallPeerOptions & { readonly holdSeconds?: number },
): Promise<PeerReply> {
  const { abandoned, direct, directMessages, lookup, transport, settings } = context;
  const { workspaceId, clock, callTimeoutMs } = settings;
  const { signal, timeoutMs = callTimeoutMs, holdSeconds } = options;
  const { metadata, isDirect, remembered, ...composed } = composeAsWorkspace(context, peerId, text, options);
  const call = startCall(holdSeconds === 0 ? 'send_to_peer' : 'call_peer', composed.message, workspaceId);
  const sendWithin = async (message: OutgoingMessage, limits: CallLimits): Promise<PeerReply> => {
    const endsAt = clock.monotonic() + limits.timeoutMs;
    if (settings.onPeerChange === 'block') await lookup.verify(peerId, limits);
    const replied = isDirect && direct.mayReach(message) ? await direct.send(message, limits) : null;
    if (replied !== null) {
      directMessages.add(replied, metadata);
      return replied;
    }
    const leftMs = Math.max(1, endsAt - clock.monotonic());
    const left = { signal: limits.signal, timeoutMs: leftMs, holdSeconds };
    return sendThroughProxy(transport, message, left, (messageId) =>
      abandoned.cancel({ workspaceId, messageId }),
    );
  };
  const reply = await asCall(call, (message) =>
    withinHandling({ signal, timeoutMs }, clock, (limits) => sendWithin(message, limits)),
  );
  remembered.replied(reply);
  return reply;
}

/** As {@link sendAsWorkspace}, and returns the answer as it is made. */
export function streamAsWorkspace(
  context: ClientContext,
  peerId: string,
  text: string,
  options: StreamPeerOptions,
): PeerStream {
  const { abandoned, direct, directMessages, lookup, transport, settings } = context;
  const { workspaceId, clock, callTimeoutMs } = settings;
  const { signal, timeoutMs = Number.POSITIVE_INFINITY } = options;
  const { metadata, isDirect, remembered, ...composed } = composeAsWorkspace(context, peerId, text, options);
  const call = startCall('stream_peer', composed.message, workspaceId);
  const { message } = call;
  const { link, timeoutMs: limitMs } = linkHandling({ signal, timeoutMs }, clock, abandoned.closed);
  const platform = platformSource(transport, message, (messageId) =>
    abandoned.cancel({ workspaceId, messageId }),
  );
  const peer = peerSource(direct, directMessages, message, metadata);
  const streamed: PeerStreamOptions = {
    settings,
    message,
    call,
    link,
    sources: isDirect ? [peer, platform] : [platform],
    openTimeoutMs: callTimeoutMs,
    timeoutMs: limitMs,
    prepare: async (limits) => {
      if (settings.onPeerChange === 'block') await lookup.verify(peerId, limits);
    },
    onReply: (reply) => {
      if (reply.via === 'direct') directMessages.add(reply, metadata);
      remembered.replied(reply);
    },
  };
  return call.run(() => createPeerStream(streamed));
}

interface ComposedMessage {
  readonly message: OutgoingMessage;
  readonly metadata: JsonObject | undefined;
  /** Whether the server of the peer may get it. */
  readonly isDirect: boolean;
  readonly remembered: RememberedMessage;
}

function composeAsWorkspace(
  { sent, directMessages, transport, settings: { workspaceId } }: ClientContext,
  peerId: string,
  text: string,
  options: CallPeerOptions & { readonly holdSeconds?: number },
): ComposedMessage {
  const { via, holdSeconds, answers } = options;
  if (via !== undefined && via !== 'proxy') {
    throw new MoleculeError('`via` must be "proxy" or left out.', { code: 'invalid_argument' });
  }
  requireNoDecision(answers);
  const metadata = withOrigin(workspaceId, options.metadata, (id) => directMessages.pathAfter(id));
  const message = composeMessage(transport, peerId, text, { ...options, metadata });
  const remembered = sent.add(message.messageId, peerId, message.hasOwnId);
  // Answers belong to questions, which the platform keeps.
  const isStored = via === 'proxy' || holdSeconds !== undefined || answers !== undefined;
  if (!isStored) directMessages.checkTurns();
  const isDirect = !isStored && metadata?.in_reply_to === undefined;
  return { message, metadata, isDirect, remembered };
}

/**
 * Waits for the end of a message of this workspace; in a handler no longer than its handling. On a platform without the
 * state of messages it waits for the answer on the feed.
 */
export function waitAsWorkspace(
  { sent, transport, settings: { workspaceId, clock }, directMessages }: ClientContext,
  messageId: string,
  { signal, peerId, timeoutMs = DEFAULT_ANSWER_TIMEOUT_MS }: WaitForAnswerOptions,
): Promise<PeerReply> {
  return withinHandling({ signal, timeoutMs }, clock, async (limits) => {
    const endsAt = clock.monotonic() + limits.timeoutMs;
    if (directMessages.has(messageId)) {
      return directMessages.waitForEnd(messageId, { signal: limits.signal, endsAt });
    }
    try {
      return await waitForAnswer(transport, workspaceId, messageId, limits);
    } catch (error) {
      if (!MoleculeError.isInstance(error) || error.code !== 'not_supported') throw error;
      const waiting = { signal: limits.signal, endsAt, peerId: peerId ?? sent.find(messageId)?.peerId };
      return waitForAnswerOnFeed(transport, workspaceId, messageId, waiting);
    }
  });
}

/** The state of a message of this workspace, where it is known: at the platform, or at the peer that got it directly. */
export async function readAsWorkspace(
  { transport, settings: { workspaceId }, directMessages }: ClientContext,
  messageId: string,
  { signal }: CallOptions,
): Promise<PeerReply> {
  if (directMessages.has(messageId)) return directMessages.read(messageId, { signal });
  return await readMessageState(transport, workspaceId, messageId, { signal });
}

/** Cancels a message of this workspace where it is. */
export async function cancelAsWorkspace(
  { transport, settings: { workspaceId }, directMessages }: ClientContext,
  messageId: string,
  { signal }: CallOptions,
): Promise<PeerReply> {
  if (directMessages.has(messageId)) return directMessages.cancel(messageId, { signal });
  return await cancelMessage(transport, { workspaceId, messageId }, { signal });
}

/** Whether a call has returned what a message says, or returns it now: such a message is not handled. */
export function observeReply(
  { sent, directMessages }: Pick<ClientContext, 'sent' | 'directMessages'>,
  message: InboundMessage,
): boolean {
  return sent.hasReturned(message) || directMessages.observe(message);
}
