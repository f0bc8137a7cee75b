import type { InboundMessage, JsonValue } from '@molecule-ai/protocol';
import { ApiError } from '../../errors/api-error.ts';
import { MessageFailure, type MessageFailureOptions, OPTION_NAMES } from '../../errors/message-failure.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import { knownOptions, type OptionsProblem, unknownOptions } from '../../settings/known-options.ts';

/** Maximum number of attempts of a handler. */
export const MAX_ATTEMPTS = 5;

const FAILURE_OPTIONS = knownOptions<MessageFailureOptions>({ code: true, cause: true });

const RETRY_DELAYS_MS = [1_000, 4_000, 16_000, 64_000] as const;

/** The pause after attempt number `attempt`, in milliseconds: 1, 4, 16, then 64 s. */
export function messageRetryDelayMs(attempt: number): number {
  return RETRY_DELAYS_MS[Math.min(Math.max(1, attempt), RETRY_DELAYS_MS.length) - 1] ?? 64_000;
}

/**
 * Why a returned text is not sent as an answer; `null` if it is sent. Answers are never answered, because two agents that
 * echo would otherwise not stop.
 *
 * @param isCallerKnown false when the message came by a request that names no sender, which gets the answer itself
 */
export function autoReplyRefusal(message: InboundMessage, isCallerKnown = true): string | null {
  if (!message.expectsAnswer) {
    return 'The message is an answer: the text returned by the handler is not sent.';
  }
  if (!isCallerKnown) return null;
  if (message.source === 'unknown' || (message.source === 'peer_agent' && message.peerId === '')) {
    return 'The sender is unknown: the text returned by the handler is not sent.';
  }
  return null;
}

/** Errors that do not depend on the answer: the platform is unavailable or currently does not accept this agent. */
const NOT_ABOUT_THE_REPLY: ReadonlySet<string> = new Set([
  'connection_failed',
  'timed_out',
  'platform_unavailable',
  'rate_limited',
  'unauthorized',
  'routing_problem',
  'redirect_refused',
  'workspace_paused',
]);

/** How long an answer waits for room in the inbox of its recipient, and between two attempts, in milliseconds. */
const REFUSED_FOR_MS = 24 * 3_600_000;
const REFUSED_DELAYS_MS = { min: 30_000, max: 900_000 } as const;

/** The pause before an answer that was refused `sinceMs` ago is sent again; `null` when it has waited long enough. */
export function refusedDelayMs(sinceMs: number): number | null {
  if (sinceMs >= REFUSED_FOR_MS) return null;
  return Math.min(Math.max(REFUSED_DELAYS_MS.min, sinceMs), REFUSED_DELAYS_MS.max);
}

/**
 * How to treat a failure to send an answer. `unavailable`: retry without limit. `refused`: the recipient has no room for it;
 * retry for a day. `final`: do not retry. `counts`: count it as one of five attempts.
 */
export function replyFailureKind(error: unknown): 'unavailable' | 'refused' | 'final' | 'counts' {
  if (!MoleculeError.isInstance(error)) return 'counts';
  if (error.code === 'inbox_full') return 'refused';
  if (isUnsendable(replyFailureCode(error))) return 'final';
  // With anything else than a page, a platform of another kind may have taken the answer.
  const isLogin = ApiError.isInstance(error) && error.code === 'unexpected_response' && error.isWebPage;
  return isLogin || error.isRetryable || NOT_ABOUT_THE_REPLY.has(error.code) ? 'unavailable' : 'counts';
}

const UNSENDABLE: ReadonlySet<string> = new Set([
  'invalid_argument',
  'payload_too_large',
  'agent_answer_too_large',
  'agent_answer_invalid',
  'invalid_answer',
]);

/** Whether the answer itself is what cannot be sent. */
export function isUnsendable(errorCode: string): boolean {
  return UNSENDABLE.has(errorCode);
}

/** The code of a failure to send an answer: one that is too large or too complex has the code of the platform for it. */
export function replyFailureCode(error: unknown): string {
  if (!ApiError.isInstance(error)) return failureCode(error);
  if (error.code === 'payload_too_large') return 'agent_answer_too_large';
  return error.platformCode === 'invalid_message' ? 'agent_answer_invalid' : error.code;
}

/** The platform let the message expire before its answer: nothing is due any more. */
export function isExpiredForReply(error: unknown): boolean {
  return ApiError.isInstance(error) && error.platformCode === 'message_expired';
}

/** Why a handler was aborted: its sender no longer waits. */
export function isDeadlinePassed(reason: unknown): boolean {
  return MoleculeError.isInstance(reason) && reason.code === 'message_expired';
}

/** The sentence for the sender of a message that was given up; what went wrong stays with the agent. */
export const GAVE_UP_TEXT = 'The agent failed to handle this message.';

/**
 * The failure with which a handler ends its message, `null` for an error after which it is handled again. A call that the
 * platform refused as a loop is refused again each time.
 */
export function endingFailure(error: unknown): MessageFailure | null {
  if (MessageFailure.isInstance(error)) return error;
  if (!MoleculeError.isInstance(error) || error.code !== 'loop_detected') return null;
  const text = 'The agent could not finish: agents called each other in a circle, and the platform ended it.';
  return new MessageFailure(text, { code: 'loop_detected', cause: error });
}

/** The options of a failure that it does not have; `null` when there are none. */
export function ignoredOptionsOf(failure: MessageFailure): OptionsProblem | null {
  const names: unknown = Reflect.get(failure, OPTION_NAMES);
  if (!Array.isArray(names)) return null;
  return unknownOptions(
    'MessageFailure',
    Object.fromEntries(names.map((name) => [name, true])),
    FAILURE_OPTIONS,
  );
}

/** Whether a handler gave an answer that no attempt can send. */
export function isInvalidAnswer(error: unknown): boolean {
  return MoleculeError.isInstance(error) && error.code === 'invalid_answer';
}

/** The sentence for the sender of a message that the agent cannot read. */
export const UNREADABLE_TEXT = 'The message is too large for the agent to read.';

/** The code of a handler's error, for dead letters and senders. */
export function failureCode(error: unknown): string {
  return MoleculeError.isInstance(error) || MessageFailure.isInstance(error) ? error.code : 'handler_failed';
}

/** Why a message is given up after a restart, when it has no attempt left. */
export function endedByCrash(): MoleculeError {
  return new MoleculeError('The process ended during each attempt to handle this message.', {
    code: 'handler_failed',
  });
}

/** The abort reason when the sender cancelled the message. */
export function cancelledBySender(): MoleculeError {
  return new MoleculeError('The sender cancelled this message.', { code: 'cancelled_by_sender' });
}

export function isCancelledBySender(signal: AbortSignal): boolean {
  return MoleculeError.isInstance(signal.reason) && signal.reason.code === 'cancelled_by_sender';
}

/** True if the cancellation names one of the ids of the message and comes from the same sender or from the canvas. */
export function isCancellationOf(cancellation: InboundMessage, message: InboundMessage): boolean {
  const isSameSender =
    cancellation.source === message.source &&
    cancellation.sourceId.toLowerCase() === message.sourceId.toLowerCase();
  if (!isSameSender && cancellation.source !== 'canvas_user') return false;
  const named = new Set(
    [
      cancellation.params.id,
      cancellation.params.task_id,
      cancellation.params.taskId,
      cancellation.metadata.delegation_id,
      cancellation.raw.delegation_id,
      cancellation.inReplyTo,
    ].filter(isId),
  );
  return [message.id, message.messageId, message.metadata.delegation_id, message.raw.delegation_id]
    .filter(isId)
    .some((id) => named.has(id));
}

function isId(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== '';
}
