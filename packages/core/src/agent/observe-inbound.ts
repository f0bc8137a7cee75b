import type { InboundMessage } from '@molecule-ai/protocol';
import { isError } from '../errors/is-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { InboundObserver } from '../inbound/inbound-observer.ts';
import { replyFailureKind } from '../inbound/life.ts';
import type { Logger } from '../logging/logger.ts';
import type { AgentEventEmitter } from './agent-events.ts';
import type { DegradedReasons } from './health.ts';
import type { TaskMetrics } from './task-metrics.ts';

export interface ObserveInboundOptions {
  readonly events: AgentEventEmitter;
  readonly tasks: TaskMetrics;
  readonly degraded: DegradedReasons;
  readonly logger: Logger;
  readonly onMetricsChanged: () => void;
  /** Whether another agent reads at present. Then this one reads nothing, and the feed is not stale. */
  readonly isRefused: () => boolean;
}

/** Reports what happens to messages as events, log lines and heartbeat metrics. Message text is never logged. */
export function observeInbound(options: ObserveInboundOptions): InboundObserver {
  const { events, tasks, degraded, logger, onMetricsChanged, isRefused } = options;
  return {
    received: (message) => events.emit('message', message),
    started: (message) => {
      tasks.started(message);
      onMetricsChanged();
    },
    progressed: (message, text) => {
      tasks.progressed(message, text);
      onMetricsChanged();
    },
    ended: (message) => {
      tasks.ended(message);
      onMetricsChanged();
    },
    succeeded: () => tasks.succeeded(),
    failed: (message, error) => tasks.failed(message, error),
    replySent: (message) => {
      degraded.remove('answers-refused');
      events.emit('reply-sent', message);
    },
    delivered: (message) => events.emit('delivered', message),
    cancelled: (message) => events.emit('cancelled', message),
    endedAsFailed: (message, failure) => {
      const { code, cause } = failure;
      if (code === 'rejected' && cause === undefined) {
        logger.info({ ...idsOf(message), code }, 'A message ended without what somebody had to approve.');
      } else {
        logger.warn(
          { ...idsOf(message), code, error: loggableError(cause ?? failure, message.text) },
          'The handler ended a message as failed.',
        );
      }
      events.emit('failed', message, failure);
    },
    expired: (message) => {
      logger.info(idsOf(message), 'A message expired before its answer was sent.');
      events.emit('expired', message);
    },
    retrying: (message, details) => {
      const { stage, attempt, delayMs, error } = details;
      if (stage === 'reply') tasks.noteFailure(message, error);
      logger.warn(
        {
          ...idsOf(message),
          stage,
          attempt,
          nextAttemptInMs: delayMs,
          error: loggableError(error, message.text),
        },
        'Handling a message failed; it is retried.',
      );
      events.emit('retry', message, details);
    },
    gaveUp: (message, details) => {
      const { stage, attempts, error } = details;
      if (stage === 'reply') tasks.noteFailure(message, error);
      logger.error(
        { ...idsOf(message), stage, attempts, error: loggableError(error, message.text) },
        'A message was given up: see listDeadLetters and replayDeadLetter.',
      );
      if (stage === 'reply' && replyFailureKind(error) === 'refused') degraded.add('answers-refused', error);
      events.emit('dead-letter', message, details);
    },
    stuck: (message) => {
      logger.warn(idsOf(message), 'A handler kept running after its signal was aborted.');
      events.emit('stuck', message);
    },
    cursorLost: (error) => {
      logger.warn(
        { error },
        'The platform no longer knows the read position; unacknowledged messages are read again.',
      );
      events.emit('cursor-lost', error);
    },
    stale: () => {
      if (isRefused()) return;
      logger.warn({}, 'The feed has not been read for three times the expected interval.');
      degraded.add('inbound-stale');
    },
    tooLarge: (error) => degraded.add('feed-too-large', error),
    fits: () => degraded.remove('feed-too-large'),
    setAside: (row, error) => {
      const { activityId, messageId } = row;
      logger.error(
        { activityId, messageId: messageId.slice(0, 100), error },
        'A message is larger than maxResponseBytes: it was set aside, see listDeadLetters.',
      );
      events.emit('set-aside', row, error);
    },
    fresh: () => degraded.remove('inbound-stale'),
    dead: () => {
      logger.warn(
        {},
        'The feed is read, but two messages that the agent sent to itself did not come: messages of others may not come either.',
      );
      degraded.add('inbound-dead');
    },
    alive: () => degraded.remove('inbound-dead'),
    blocked: (message) => {
      logger.warn(
        idsOf(message),
        'A handler has been running for a minute while other messages wait: set handlerTimeoutMs to end such handlers.',
      );
      degraded.add('handlers-blocked');
    },
    unblocked: () => degraded.remove('handlers-blocked'),
    storageDegraded: (error) => {
      logger.error(
        { error },
        'The inbound state cannot be stored: after a restart, the agent continues from the last acknowledged message.',
      );
      degraded.add('storage', error);
    },
    storageRecovered: () => degraded.remove('storage'),
  };
}

function idsOf({ id, messageId }: InboundMessage): { activityId: string; messageId: string } {
  return { activityId: id, messageId: messageId.slice(0, 100) };
}

const SHORTEST_FRAGMENT = 8;
const MAX_MESSAGE_LENGTH = 500;
const MAX_PEER_TEXT_LENGTH = 65_536;
const MAX_FRAMES = 20;
const MAX_CAUSES = 3;
const HIDDEN = '[text of the message]';

/** An error in plain data for a log line. */
export interface LoggableError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  /** What to do about it, of errors of this package. */
  readonly hint?: string;
  readonly stack?: string;
  readonly cause?: LoggableError;
}

/**
 * The error of a handler for the log: name, code, message, hint, stack and causes. Whatever it quotes of `peerText`, the
 * text that was handled, is removed: every fragment of 8 characters or more, and a shorter text as a whole, except where it is a part of
 * another word.
 */
export function loggableError(error: unknown, peerText: string, depth = 0): LoggableError {
  const clean = (text: string): string => withoutFragments(text, peerText.slice(0, MAX_PEER_TEXT_LENGTH));
  if (!isError(error)) return { name: 'Error', message: `A ${typeof error} was thrown.` };
  const code: unknown = Reflect.get(error, 'code');
  const hint = MoleculeError.isInstance(error) ? error.hint : undefined;
  const { cause } = error;
  return {
    name: clean(String(error.name)),
    message: clean(String(error.message).slice(0, MAX_MESSAGE_LENGTH)),
    ...(typeof code === 'string' ? { code: clean(code.slice(0, 100)) } : {}),
    ...(typeof hint === 'string' ? { hint: clean(hint.slice(0, MAX_MESSAGE_LENGTH)) } : {}),
    ...(typeof error.stack === 'string' ? { stack: framesOf(error.stack, String(error.message)) } : {}),
    ...(isError(cause) && depth < MAX_CAUSES ? { cause: loggableError(cause, peerText, depth + 1) } : {}),
  };
}

/** The frames only: the message stands in front of them, and its own lines may resemble frames. */
function framesOf(stack: string, message: string): string {
  return stack
    .replace(message, () => '')
    .slice(0, 16_384)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, MAX_FRAMES)
    .map((line) => line.slice(0, 300))
    .join('\n');
}

/** `text` without the parts that also occur in `peerText`. */
function withoutFragments(text: string, peerText: string): string {
  const shortest = Math.min(SHORTEST_FRAGMENT, peerText.trim().length);
  if (shortest < 3) return text;
  let clean = '';
  for (let start = 0; start < text.length; ) {
    const length = sharedLength(text, start, peerText, shortest);
    const isPartOfWord = shortest < SHORTEST_FRAGMENT && isInWord(text, start, start + length);
    if (length === 0 || isPartOfWord) {
      clean += text[start];
      start += 1;
    } else {
      clean += HIDDEN;
      start += length;
    }
  }
  return clean;
}

/** Whether a letter stands right before or after letters of the range. Scripts without spaces between words have no such letters. */
function isInWord(text: string, start: number, end: number): boolean {
  const isJoined = (at: number) => /^[A-Za-z]{2}$/.test(text.slice(Math.max(0, at - 1), at + 1));
  return isJoined(start) || isJoined(end);
}

/** How many characters of `text` from `start` on occur together in `peerText`; 0 for fewer than `shortest`. */
function sharedLength(text: string, start: number, peerText: string, shortest: number): number {
  if (!peerText.includes(text.slice(start, start + shortest)) || start + shortest > text.length) return 0;
  let length = shortest;
  while (start + length < text.length && peerText.includes(text.slice(start, start + length + 1)))
    length += 1;
  return length;
}
