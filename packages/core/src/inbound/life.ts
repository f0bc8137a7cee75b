import { type InboundMessage, JsonObject, JsonValue, MessagePart, OUTCOMES, z } from '@molecule-ai/protocol';
import { deadlineOf } from '../client/current-message.ts';
import { ApiError } from '../errors/api-error.ts';
import { MessageFailure } from '../errors/message-failure.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { MessageEnd } from '../inbound-http/inbound-agent.ts';

/** Attempts to send an answer, of those that count. */
const MAX_SENDS = 5;
/** How often a handler is called for one message, and the pauses in between, in milliseconds: each is four times the one before. */
export interface RetryPolicy {
  readonly attempts: number;
  readonly delayMs: number;
  readonly maxDelayMs: number;
}

const SENDING: Pick<RetryPolicy, 'delayMs' | 'maxDelayMs'> = { delayMs: 1_000, maxDelayMs: 64_000 };
/** How long an answer waits for room in the inbox of its recipient, and between two attempts, in milliseconds. */
const REFUSED_FOR_MS = 24 * 3_600_000;
const REFUSED_DELAYS_MS = { min: 30_000, max: 900_000 } as const;

/** The sentence for the sender of a message that was given up; what went wrong stays with the agent. */
export const GAVE_UP_TEXT = 'The agent failed to handle this message.';
const NO_ANSWER_TEXT = 'The agent has nothing to say to this message.';

const Answer = z.object({
  text: z.string(),
  parts: z.array(MessagePart.tolerant).optional(),
  metadata: JsonObject.optional(),
  /** Set where the text says why there is no answer. */
  end: z.object({ state: z.enum(['unanswered', 'failed']), code: z.string().optional() }).optional(),
});

/** An answer as it is stored and sent: plain JSON. */
export type StoredAnswer = Readonly<z.output<typeof Answer>>;

export const Progress = z.object({
  /** Number of handler attempts started, including those that ended with a crash. */
  attempts: z.int().min(0),
  /** What the handler has answered, `null` for nothing. Missing until it has finished; afterwards it does not run again. */
  answer: Answer.nullable().optional(),
  /** Number of answers sent by `context.reply`. */
  repliesSent: z.int().min(0),
  /** Results of `context.once`, by key. */
  effects: z.record(z.string(), JsonValue),
  /** Whether some of the answer was sent while it was made. Later attempts send theirs as a whole. */
  hasStreamed: z.boolean().optional(),
  /** Since when the recipient of the answer has no room for it, RFC 3339. */
  refusedSince: z.string().optional(),
});

/** What was done for a message, across attempts and restarts. */
export type Progress = Readonly<z.output<typeof Progress>>;

export const NO_PROGRESS: Progress = Object.freeze({ attempts: 0, repliesSent: 0, effects: {} });

/** What is new in the progress of a message. `effects` are added by key. */
export type Change = { readonly [Key in keyof Progress]?: Progress[Key] | undefined };

export function withChange(progress: Progress, change: Change): Progress {
  return { ...progress, ...change, effects: { ...progress.effects, ...change.effects } } as Progress;
}

/** Which way a message came: from the feed, or by a request of the platform, of a peer, or of somebody without a credential. */
export type Via = 'feed' | 'push' | 'direct' | 'unknown';

/** A message, and what was done for it. */
export interface MessageRecord {
  readonly message: InboundMessage;
  readonly via: Via;
  /** Of the message as its sender wrote it, to compare repeats; `''` where the platform has compared them. */
  readonly digest: string;
  readonly progress: Progress;
}

/** What failed: the handler, or sending its answer. */
export type Stage = 'handler' | 'reply';

/** Why a message is given up. */
export interface GivenUp {
  readonly stage: Stage;
  readonly attempts: number;
  readonly error: unknown;
}

/** What became of a message, as this agent sees it. */
export type EndedAs = Exclude<MessageEnd['state'], 'input_required'> | 'dead_letter';

export type LifeEvent =
  /** It is the turn of the message. */
  | { readonly kind: 'turn' }
  /** The handler has returned. */
  | { readonly kind: 'returned'; readonly answer: StoredAnswer | null }
  /** It has returned something else than an answer. */
  | { readonly kind: 'invalid'; readonly error: MoleculeError }
  /** It has thrown, or its time was over. `isShown`: a reader got some of the answer, or it is too long to be sent. */
  | {
      readonly kind: 'failed';
      readonly error: unknown;
      readonly isThrown: boolean;
      readonly isShown: boolean;
    }
  /** The agent stops. */
  | { readonly kind: 'stopped'; readonly reason: unknown; readonly isHandling: boolean }
  | { readonly kind: 'canceled' }
  /** `isReported`: the platform says so itself. */
  | { readonly kind: 'expired'; readonly isReported: boolean }
  | { readonly kind: 'sent'; readonly isIgnored: boolean }
  /** The answer could not be sent. `failures`: how often in this process, and `counted` how many of these count. */
  | { readonly kind: 'unsent'; readonly error: unknown; readonly failures: number; readonly counted: number }
  /** Too many answers wait for room. */
  | { readonly kind: 'no-room'; readonly error: unknown; readonly failures: number };

/** The handler is called, or the answer sent, again. `waits`: the recipient has no room for the answer. */
export interface Retry {
  readonly kind: 'retry';
  readonly stage: Stage;
  readonly attempt: number;
  readonly delayMs: number;
  readonly error: unknown;
  readonly waits: boolean;
}

/** What is done next. */
export type Effect =
  | { readonly kind: 'handle' }
  | { readonly kind: 'send'; readonly answer: StoredAnswer }
  | Retry
  /**
   * `isReported`: nothing is left to report to the platform. `notice`: what the sender of a direct message is sent, if possible, because the platform does
   * not know it.
   */
  | {
      readonly kind: 'end';
      readonly end: MessageEnd;
      readonly how: EndedAs;
      readonly isReported: boolean;
      readonly givenUp?: GivenUp;
      readonly notice?: StoredAnswer | null;
    }
  | { readonly kind: 'stop' };

/** How a message is treated. */
export interface Treatment {
  /** Unix time in milliseconds. */
  readonly now: number;
  /** The message is finished before it is handled: nothing brings it back. */
  readonly isAtMostOnce: boolean;
  /** A dead letter that is handled again: it has ended for its sender, and its first failure is the last. */
  readonly isReplay: boolean;
  /** Of a direct message: whether a request waits for its end. */
  readonly isWaited: boolean;
  readonly retry: RetryPolicy;
}

export interface Step {
  readonly change?: Change;
  readonly effect: Effect;
}

/** What a message becomes by an event: what changes in its record, and what is done next. */
export function next(record: MessageRecord, event: LifeEvent, treatment: Treatment): Step {
  const { message, progress } = record;
  const { now, isAtMostOnce, isReplay } = treatment;
  const { attempts } = progress;
  const giveUp = (stage: Stage, count: number, error: unknown): Step => {
    const failure = { message: GAVE_UP_TEXT, code: codeOf(stage, error) };
    const givenUp = { stage, attempts: count, error };
    // An answer that can be sent later may still arrive by a replay.
    const isOver = isNoticed(record, treatment) && (stage === 'handler' || isUnsendable(failure.code));
    const notice = isOver ? noticeOf('failed', failure) : null;
    const end = endOf('failed', now, failure);
    return { effect: { kind: 'end', end, how: 'dead_letter', isReported: false, givenUp, notice } };
  };

  switch (event.kind) {
    case 'turn': {
      if (progress.answer !== undefined) return answered(record, progress.answer, treatment);
      const most = isReplay ? attempts + 1 : treatment.retry.attempts;
      if (attempts + 1 > most) return giveUp('handler', attempts, endedByCrash());
      const deadlineMs = isReplay ? null : deadlineOf(message.metadata);
      if (deadlineMs !== null && deadlineMs <= now) return ended('failed', now, EXPIRED, { how: 'expired' });
      return { change: { attempts: attempts + 1 }, effect: { kind: 'handle' } };
    }
    case 'returned': {
      const isSent = event.answer !== null && progress.repliesSent === 0 && answerRefusal(record) === null;
      const answer = isSent ? event.answer : null;
      return answered(record, answer, treatment, { answer });
    }
    case 'invalid':
      return giveUp('handler', attempts, event.error);
    case 'failed': {
      const failure = event.isThrown ? endingFailure(event.error) : null;
      if (failure !== null) {
        const error = { message: failure.textForSender, code: failure.code };
        return endedWithout(record, 'failed', treatment, error);
      }
      // Nobody can take back what was shown, and a text that is too long is too long again.
      const isLast = event.isShown || isAtMostOnce || isDefect(event.error) || isReplay;
      return isLast || attempts >= treatment.retry.attempts
        ? giveUp('handler', attempts, event.error)
        : retry('handler', attempts, event.error, treatment.retry);
    }
    case 'stopped':
      if (!event.isHandling) return { effect: { kind: 'stop' } };
      // It was acknowledged and is not delivered again.
      if (isAtMostOnce) return giveUp('handler', attempts, event.reason);
      return { change: { attempts: attempts - 1 }, effect: { kind: 'stop' } };
    case 'canceled':
      return ended('canceled', now);
    case 'expired':
      return event.isReported
        ? ended('expired', now, null, { isReported: true })
        : ended('failed', now, EXPIRED, { how: 'expired' });
    case 'sent': {
      if (event.isIgnored) return ended('canceled', now);
      const { end } = progress.answer ?? {};
      return ended(end?.state ?? 'answered', now, null, { isReported: true });
    }
    case 'unsent': {
      const { error, failures, counted } = event;
      if (isExpiredForReply(error)) return ended('expired', now, null, { isReported: true });
      const kind = replyFailureKind(error, record.via);
      if (kind === 'refused' && !isReplay) {
        const refusedSince = progress.refusedSince ?? new Date(now).toISOString();
        const change = progress.refusedSince === undefined ? { refusedSince } : {};
        const delayMs = refusedDelayMs(now - Date.parse(refusedSince));
        if (delayMs === null) return { change, ...giveUp('reply', failures, error) };
        return {
          change,
          effect: { kind: 'retry', stage: 'reply', attempt: failures, delayMs, error, waits: true },
        };
      }
      const isLast = kind === 'final' || counted >= MAX_SENDS || isReplay;
      return isLast ? giveUp('reply', failures, error) : retry('reply', failures, error, SENDING);
    }
    case 'no-room':
      return giveUp('reply', event.failures, event.error);
  }
}

/** The sender of a direct message whose request no longer waits gets the end in a message of the agent. */
function isNoticed({ via }: MessageRecord, { isWaited, isReplay }: Treatment): boolean {
  return via === 'direct' && !isWaited && !isReplay;
}

function ended(
  state: EndState,
  now: number,
  error: MessageEnd['error'] = null,
  { isReported = false, how = state }: { readonly isReported?: boolean; readonly how?: EndedAs } = {},
): Step {
  return { effect: { kind: 'end', end: endOf(state, now, error), how, isReported } };
}

function retry(
  stage: Stage,
  attempt: number,
  error: unknown,
  { delayMs: first, maxDelayMs }: typeof SENDING,
): Step {
  const delayMs = Math.min(first * 4 ** (Math.max(1, attempt) - 1), maxDelayMs);
  return { effect: { kind: 'retry', stage, attempt, delayMs, error, waits: false } };
}

function endedWithout(
  record: MessageRecord,
  state: 'unanswered' | 'failed',
  treatment: Treatment,
  error: MessageEnd['error'] = null,
): Step {
  if (!isNoticed(record, treatment)) return ended(state, treatment.now, error);
  const answer = noticeOf(state, error);
  return { change: { answer }, effect: { kind: 'send', answer } };
}

/** After the handler has finished. */
function answered(
  record: MessageRecord,
  answer: StoredAnswer | null,
  treatment: Treatment,
  change: Change = {},
): Step {
  if (answer !== null) return { change, effect: { kind: 'send', answer } };
  if (record.progress.repliesSent === 0) return endedWithout(record, 'unanswered', treatment);
  return ended('answered', treatment.now, null, { isReported: true });
}

const EXPIRED = { message: 'The deadline passed before the agent had finished.', code: 'message_expired' };

let latest = { ms: 0, text: new Date(0).toISOString() };

/** RFC 3339. Messages of one moment share the text. */
export function isoTime(ms: number): string {
  if (ms !== latest.ms) latest = { ms, text: new Date(ms).toISOString() };
  return latest.text;
}

export function endOf(
  state: MessageEnd['state'],
  nowMs: number,
  error: MessageEnd['error'] = null,
): MessageEnd {
  return { state, at: isoTime(nowMs), answer: null, error };
}

/** The outcome that is reported to the platform; `null` where it learns the end otherwise. */
export function outcomeOf({ state, error }: MessageEnd): Outcome | null {
  if (state === 'failed') return { outcome: 'failed', error: error ?? { message: GAVE_UP_TEXT } };
  return state === 'unanswered' || state === 'canceled' ? { outcome: state } : null;
}

type EndState = Exclude<MessageEnd['state'], 'input_required'>;

export const Outcome = z.object({
  outcome: z.enum(OUTCOMES),
  error: z.object({ message: z.string(), code: z.string().optional() }).optional(),
});
/** How the handling of one message ended, for the platform. `error` is what the sender receives. */
export type Outcome = Readonly<z.output<typeof Outcome>>;

/** The pause before an answer that was refused `sinceMs` ago is sent again; `null` when it has waited long enough. */
function refusedDelayMs(sinceMs: number): number | null {
  if (sinceMs >= REFUSED_FOR_MS) return null;
  return Math.min(Math.max(REFUSED_DELAYS_MS.min, sinceMs), REFUSED_DELAYS_MS.max);
}

/**
 * Why a returned text is not sent as an answer; `null` if it is sent. Answers are never answered, because two agents that
 * echo would otherwise not stop. Whoever sends a request without a name gets the answer in its response.
 */
export function answerRefusal({ message, via }: Pick<MessageRecord, 'message' | 'via'>): string | null {
  if (!message.expectsAnswer) {
    return 'The message is an answer: the text returned by the handler is not sent.';
  }
  const isNameless = message.source === 'peer_agent' && message.peerId === '';
  if (message.source === 'unknown' ? via === 'feed' : isNameless) {
    return 'The sender is unknown: the text returned by the handler is not sent.';
  }
  return null;
}

/** What the sender of a direct message is sent instead of an answer. */
function noticeOf(state: 'unanswered' | 'failed', error: MessageEnd['error']): StoredAnswer {
  const text = error?.message ?? NO_ANSWER_TEXT;
  return { text, end: { state, ...(error === null ? {} : { code: error.code }) } };
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

/**
 * How to treat a failure to send an answer. `unavailable`: retry without limit. `refused`: the recipient has no room for it;
 * retry for a day. `final`: do not retry. `counts`: count it as one of five attempts.
 */
export function replyFailureKind(
  error: unknown,
  via: Via = 'feed',
): 'unavailable' | 'refused' | 'final' | 'counts' {
  if (!MoleculeError.isInstance(error)) return 'counts';
  if (error.code === 'inbox_full') return 'refused';
  const code = replyFailureCode(error);
  // What is too large for a request may be the response of one: whoever read a stream of it may come back.
  if (isUnsendable(code)) return code === 'agent_answer_too_large' && via !== 'feed' ? 'counts' : 'final';
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

/** The code of a failure, for dead letters and senders. */
export function codeOf(stage: Stage, error: unknown): string {
  return stage === 'reply' ? replyFailureCode(error) : failureCode(error);
}

/** The code of a failure to send an answer: one that is too large or too complex has the code of the platform for it. */
function replyFailureCode(error: unknown): string {
  if (!ApiError.isInstance(error)) return failureCode(error);
  if (error.code === 'payload_too_large') return 'agent_answer_too_large';
  return error.platformCode === 'invalid_message' ? 'agent_answer_invalid' : error.code;
}

/** The code of a handler's error; `handler_failed` for an error without one. */
export function failureCode(error: unknown): string {
  return MoleculeError.isInstance(error) || MessageFailure.isInstance(error) ? error.code : 'handler_failed';
}

/** The platform let the message expire before its answer: nothing is due any more. */
export function isExpiredForReply(error: unknown): boolean {
  return ApiError.isInstance(error) && error.platformCode === 'message_expired';
}

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

/** Whether the agent has to be changed: another attempt ends in the same way. */
function isDefect(error: unknown): boolean {
  return MoleculeError.isInstance(error) && ['invalid_answer', 'configuration_invalid'].includes(error.code);
}

/** Why a message is given up after a restart, when it has no attempt left. */
function endedByCrash(): MoleculeError {
  return new MoleculeError('The process ended during each attempt to handle this message.', {
    code: 'handler_failed',
  });
}
