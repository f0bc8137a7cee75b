import type { InboundMessage } from '@molecule-ai/protocol';
import type { InboundObserver } from '../inbound/inbound-observer.ts';
import { replyFailureKind } from '../inbound/life.ts';
import type { Logger } from '../logging/logger.ts';
import type { AgentEventEmitter } from './agent-events.ts';
import type { DegradedReasons } from './health.ts';
import { loggableError } from './loggable-error.ts';
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
