import type { InboundObserver } from '../inbound/inbound-observer.ts';
import type { Logger } from '../logging/logger.ts';
import type { AgentEventEmitter } from './agent-events.ts';
import type { DegradedReasons } from './health.ts';
import { describeFailure, type TaskMetrics } from './task-metrics.ts';

/** Where {@link observeInbound} passes on what happens to messages. */
export interface ObserveInboundOptions {
  readonly events: AgentEventEmitter;
  readonly tasks: TaskMetrics;
  readonly degraded: DegradedReasons;
  readonly logger: Logger;
  readonly onMetricsChanged: () => void;
}

/** Turns what happens to messages into events, log lines and heartbeat metrics. No line holds a message's text. */
export function observeInbound(options: ObserveInboundOptions): InboundObserver {
  const { events, tasks, degraded, logger, onMetricsChanged } = options;
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
        'A message is tried again later.',
      );
      events.emit('retry', message, details);
    },
    gaveUp: (message, details) => {
      const { stage, attempts, error } = details;
      logger.error(
        { activityId: message.id, stage, attempts, failure: describeFailure(error) },
        'A message is given up: listDeadLetters shows it.',
      );
      events.emit('dead-letter', message, details);
    },
    stuck: (message) => {
      logger.warn({ activityId: message.id }, 'A handler continues although its signal aborted.');
      events.emit('stuck', message);
    },
    cursorLost: (error) => {
      logger.warn({ error }, 'The platform forgot the position; what is not acknowledged is read again.');
      events.emit('cursor-lost', error);
    },
    stale: () => {
      logger.warn({}, 'Nothing was read from the feed for three times as long as is normal.');
      degraded.add('inbound-stale');
    },
    fresh: () => degraded.remove('inbound-stale'),
    blocked: (message) => {
      logger.warn(
        { activityId: message.id },
        'A handler runs for ten minutes, and other messages wait for it: set handlerTimeoutMs to end such handlers.',
      );
      degraded.add('handlers-blocked');
    },
    unblocked: () => degraded.remove('handlers-blocked'),
    storageDegraded: (error) => {
      logger.error(
        { error },
        'The position cannot be stored: after a restart the one that the platform acknowledged counts.',
      );
      degraded.add('storage', error);
    },
    storageRecovered: () => degraded.remove('storage'),
  };
}
