import type { InboundObserver } from '../inbound/inbound-observer.ts';
import type { Logger } from '../logging/logger.ts';
import type { AgentEventEmitter } from './agent-events.ts';
import type { DegradedReasons } from './health.ts';
import { describeFailure, type TaskMetrics } from './task-metrics.ts';

export interface ObserveInboundOptions {
  readonly events: AgentEventEmitter;
  readonly tasks: TaskMetrics;
  readonly degraded: DegradedReasons;
  readonly logger: Logger;
  readonly onMetricsChanged: () => void;
  /** Whether another agent reads at present; then nothing is read here, which is no fault of the feed. */
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
    failed: (_message, error) => tasks.failed(error),
    replySent: (message) => events.emit('reply-sent', message),
    delivered: (message) => events.emit('delivered', message),
    cancelled: (message) => events.emit('cancelled', message),
    retrying: (message, details) => {
      const { stage, attempt, delayMs, error } = details;
      logger.warn(
        { activityId: message.id, stage, attempt, delayMs, failure: describeFailure(error) },
        'Handling a message failed; it is retried.',
      );
      events.emit('retry', message, details);
    },
    gaveUp: (message, details) => {
      const { stage, attempts, error } = details;
      logger.error(
        { activityId: message.id, stage, attempts, failure: describeFailure(error) },
        'All attempts to handle a message failed: see listDeadLetters.',
      );
      events.emit('dead-letter', message, details);
    },
    stuck: (message) => {
      logger.warn({ activityId: message.id }, 'A handler kept running after its signal was aborted.');
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
    fresh: () => degraded.remove('inbound-stale'),
    blocked: (message) => {
      logger.warn(
        { activityId: message.id },
        'A handler has been running for ten minutes while other messages wait: set handlerTimeoutMs to end such handlers.',
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
