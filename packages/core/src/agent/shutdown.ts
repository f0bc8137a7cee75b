import { MoleculeError } from '../errors/molecule-error.ts';
import type { Inbound } from '../inbound/inbound.ts';
import type { Logger } from '../logging/logger.ts';
import { withDeadline } from '../time/linked-abort.ts';
import type { AgentClient } from './agent-options.ts';
import type { AgentReport } from './agent-report.ts';
import type { AgentRequests } from './agent-requests.ts';

const LAST_HEARTBEAT_MS = 2_000;
const FLUSH_MS = 5_000;
const ABORT_GRACE_MS = 5_000;
const DELIVERY_GRACE_MS = 5_000;

export interface ShutdownParts {
  readonly client: AgentClient;
  readonly logger: Logger;
  readonly report: AgentReport;
  readonly requests: AgentRequests;
  readonly inbound: Inbound;
}

/** The abort reason when the agent is stopped. */
export function agentStopped(): MoleculeError {
  return new MoleculeError('The agent was stopped.', { code: 'agent_stopped' });
}

/** The abort reason when the workspace is paused. */
export function workspacePaused(): MoleculeError {
  return new MoleculeError('The workspace was paused.', { code: 'workspace_paused' });
}

/** Runs all steps of a shutdown in order, even if some fail. Never rejects. */
export async function runSteps(logger: Logger, steps: readonly (() => unknown)[]): Promise<void> {
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      logger.error({ error }, 'A step of the shutdown failed; continuing with the next.');
    }
  }
}

/** Stops receiving. A custom delivery that ignores its signal is not waited for longer than five seconds. */
export async function stopReceiving(parts: ShutdownParts, before: Promise<void>): Promise<void> {
  const receiving = parts.inbound.suspend();
  const text = 'The delivery did not react to its abort signal; the agent no longer waits for it.';
  const work = () => Promise.all([before, receiving]);
  await within(parts, DELIVERY_GRACE_MS, 'The delivery', work).catch((error: unknown) => {
    parts.logger.warn({ error }, text);
  });
}

/** Waits for running handlers, then aborts their signals with `reason`. */
export async function drain(parts: ShutdownParts, timeoutMs: number, reason: Error): Promise<void> {
  const { inbound, logger } = parts;
  if (inbound.active === 0) return;
  const areIdleIn = (ms: number): Promise<boolean> =>
    within(parts, ms, 'The handlers', () => inbound.idle()).then(
      () => true,
      () => false,
    );
  if (timeoutMs > 0 && (await areIdleIn(timeoutMs))) return;
  inbound.abortHandlers(reason);
  if (await areIdleIn(ABORT_GRACE_MS)) return;
  const fields = { inFlight: inbound.active };
  logger.warn(fields, 'Handlers did not react to their abort signal; the agent no longer waits for them.');
}

/** Stores the position and acknowledges finished messages. */
export async function flush(parts: ShutdownParts): Promise<void> {
  const text = 'Finished messages could not be acknowledged; this is repeated at the next start.';
  const work = (signal: AbortSignal) => parts.inbound.flush(signal);
  await within(parts, FLUSH_MS, 'The last acknowledgement', work).catch((error: unknown) => {
    parts.logger.warn({ error }, text);
  });
}

/** Reports that no task is running any more. */
export async function sendLastHeartbeat(parts: ShutdownParts): Promise<void> {
  const idle = { ...parts.report.metrics(), activeTasks: 0, currentTask: '' };
  const work = (signal: AbortSignal) => parts.client.heartbeat(idle, { signal });
  await within(parts, LAST_HEARTBEAT_MS, 'The last heartbeat', work).catch(() => {});
}

/** Reports that this agent stops, so that nobody waits for it. */
export async function sayGoodbye(parts: ShutdownParts): Promise<void> {
  const { client, requests } = parts;
  if (!client.capabilities.has('instances')) return;
  const work = (signal: AbortSignal) => client.goodbye(requests.instanceId, { signal });
  await within(parts, LAST_HEARTBEAT_MS, 'The goodbye', work).catch(() => {});
}

/** @param what the subject of the error message */
function within<T>(
  { client }: ShutdownParts,
  timeoutMs: number,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return withDeadline({ clock: client.clock, timeoutMs, what }, work);
}
