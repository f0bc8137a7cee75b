import { ControlList, routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { readReply } from '../peers/peer-reply.ts';
import { requestLine, send } from '../platform-api/call.ts';
import { shapeError } from '../transport/api-failure.ts';
import type { HeldReads } from '../transport/held-reads.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';
import { readMessageState } from './message-state.ts';
import { requireOffered } from './offered.ts';

/** A platform that has not responded yet may offer it. */
const CANCEL = {
  word: 'cancel',
  problem: 'The platform cannot cancel messages.',
  hint: 'Stop waiting for the answer; the agent handles the message to its end.',
} as const;

export interface FetchCancellationsOptions extends CallOptions {
  /** Only cancellations after this one. @default 0, those of the last hour */
  sinceSeq?: number | undefined;
  /** How long the platform may hold the request until there is one, in whole seconds, 0–60. @default 0 */
  waitSecs?: number | undefined;
  /** Whether not to wait while as many reads of this process are held as `maxHeldReads` allows. @default false */
  takesTurns?: boolean | undefined;
  /** Whether to retry when the platform is unavailable. @default true */
  isRetried?: boolean | undefined;
}

/** Messages to this agent that their senders or an operator canceled. */
export interface CancellationPage {
  /** Oldest first. */
  readonly canceled: readonly { readonly activityId: string; readonly messageId: string }[];
  /** The next `sinceSeq`. */
  readonly lastSeq: number;
}

/** The message that is canceled. */
export interface CanceledMessage {
  /** The workspace in the path: an agent's own, or for operators the target of the message. */
  readonly workspaceId: string;
  readonly messageId: string;
}

/** Cancels a sent message and returns its state. The state is read first: a message that has ended is left alone. */
export async function cancelMessage(
  transport: Transport,
  message: CanceledMessage,
  { signal }: CallOptions,
): Promise<PeerReply> {
  requireOffered(transport, CANCEL);
  const { workspaceId, messageId } = message;
  const reading = { lane: 'receiving', signal } as const;
  const readState = () => readMessageState(transport, workspaceId, messageId, reading);
  const before = await readState();
  if (before.status !== 'queued' && before.status !== 'input-required') return before;
  // The response to the read names the capabilities, if it was the first one.
  requireOffered(transport, CANCEL);
  const { body } = await sendCancel(transport, message, { signal });
  const { peerId, contextId } = before;
  // The platform responds itself.
  const facts = { peerId, messageId, contextId, isWrapped: !transport.isOperator, hasNamedState: true };
  const reply = readReply(body, facts);
  // The task of a message that was answered meanwhile does not contain the answer.
  return reply.status === 'answered' ? readState() : reply;
}

/** Sends `tasks/cancel`, which may be repeated, and does not wait for calls: they may be what it ends. */
export function sendCancel(
  transport: Transport,
  { workspaceId, messageId }: CanceledMessage,
  { signal }: CallOptions,
): Promise<{ readonly body: unknown }> {
  return send(transport, routes.sendMessage, {
    params: { id: workspaceId },
    body: { jsonrpc: '2.0', id: messageId, method: 'tasks/cancel', params: { id: messageId } },
    lane: 'receiving',
    isRepeatable: true,
    timeoutMs: transport.settings.requestTimeoutMs,
    signal,
  });
}

interface ControlReadsOf {
  readonly transport: Transport;
  readonly heldReads: Pick<HeldReads, 'take'>;
  readonly settings: { readonly workspaceId: string };
}

/** Reads which messages to this agent were canceled. */
export async function readCancellations(
  { transport, heldReads, settings }: ControlReadsOf,
  { sinceSeq = 0, waitSecs: wanted = 0, takesTurns = false, isRetried, signal }: FetchCancellationsOptions,
): Promise<CancellationPage> {
  requireOffered(transport, CANCEL);
  const params = { id: settings.workspaceId };
  const turn = takesTurns && wanted > 0 ? heldReads.take('control') : undefined;
  const waitSecs = turn === null ? 0 : wanted;
  const query = { only: 'control', since_seq: sinceSeq, wait: waitSecs > 0 ? waitSecs : undefined };
  const input = { params, query, isRepeatable: isRetried, signal };
  const { status, body } = await send(transport, routes.listActivity, input).finally(() => turn?.());
  const read = ControlList.tolerant.safeParse(body);
  if (!read.success) {
    throw shapeError(
      requestLine(routes.listActivity, { params }),
      status,
      'a list of control rows was expected',
    );
  }
  return {
    canceled: read.data
      .filter(({ method }) => method === 'cancel_task')
      .map(({ activity_id, message_id }) => ({ activityId: activity_id, messageId: message_id })),
    lastSeq: read.data.reduce((last, { seq }) => Math.max(last, seq), sinceSeq),
  };
}

/** Whether the platform does not know the message, or not yet. */
export function isUnknownMessage(error: unknown): boolean {
  return ApiError.isInstance(error) && error.platformCode === 'message_not_found';
}
