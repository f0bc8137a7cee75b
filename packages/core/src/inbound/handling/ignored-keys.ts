import type { Logger } from '../../logging/logger.ts';
import type { OptionsProblem } from '../../settings/known-options.ts';

const MAX_LOGGED = 100;

const loggedBy = new WeakMap<Logger, Set<string>>();

/**
 * Logs that a handler gave something under a key that does not exist. The rest is right, so it is sent. Once for each logger, because the same
 * comes with every message.
 */
export function logIgnored(
  logger: Logger,
  { id }: { readonly id: string },
  ignored: OptionsProblem | null | undefined,
): void {
  if (!ignored) return;
  const { problem, hint } = ignored;
  const logged = loggedBy.get(logger) ?? new Set();
  loggedBy.set(logger, logged);
  if (logged.has(problem) || logged.size >= MAX_LOGGED) return;
  logged.add(problem);
  logger.warn({ activityId: id, hint }, `${problem} It is ignored.`);
}
