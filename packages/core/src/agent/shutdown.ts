import type { HeartbeatMetrics } from '../client/heartbeat.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { Inbound } from '../inbound/inbound.ts';
import type { Logger } from '../logging/logger.ts';
import type { LoopOutcome } from '../presence/presence-machine.ts';
import { withDeadline } from '../time/linked-abort.ts';
import type { AgentClient } from './agent-options.ts';

const LAST_HEARTBEAT_MS = 2_000;
const FLUSH_MS = 5_000;
const ABORT_GRACE_MS = 5_000;
const DELIVERY_GRACE_MS = 5_000;

export interface ShutdownParts {
  readonly client: AgentClient;
  readonly inbound: Inbound;
  readonly logger: Logger;
}

/** The abort reason when the agent is stopped. */
export function agentStopped(): MoleculeError {
  return new MoleculeError('The agent was stopped.', { code: 'agent_stopped' });
}

/** The abort reason when the workspace is paused. */
export function workspacePaused(): MoleculeError {
  return new MoleculeError('The workspace was paused.', { code: 'workspace_paused' });
}

/** How an agent ends. */
export interface Ending {
  readonly outcome: LoopOutcome;
  /** How long running handlers may take, in milliseconds. */
  readonly timeoutMs: number;
  /** A pause or resume in progress. */
  readonly transition: Promise<void>;
  /** Whether the platform expects heartbeats of this agent. */
  readonly isRegistered: boolean;
  /** Whether the last heartbeat reached the platform. */
  readonly isReachable: boolean;
  metrics(): HeartbeatMetrics;
  instanceId(): string;
  /** Ends the heartbeats; resolves when the last one has ended. */
  endHeartbeats(): Promise<unknown> | undefined;
}

/** Ends an agent: stops receiving, waits for handlers, acknowledges, and says goodbye to the platform. Never rejects. */
export async function shutDown(parts: ShutdownParts, ending: Ending): Promise<void> {
  const { outcome, isReachable } = ending;
  const isRegistered = ending.isRegistered && parts.client.closeSignal?.aborted !== true;
  await runSteps(parts.logger, [
    () => stopReceiving(parts, ending.transition),
    () => drain(parts, ending.timeoutMs, outcome === 'paused' ? workspacePaused() : agentStopped()),
    () => isRegistered && flush(parts),
    () => ending.endHeartbeats(),
    // After the loop has ended: a later heartbeat would report the tasks again.
    () => isRegistered && isReachable && outcome === 'stopped' && sendLastHeartbeat(parts, ending.metrics()),
    () => isRegistered && isReachable && outcome !== 'superseded' && sayGoodbye(parts, ending.instanceId()),
    () => parts.inbound.close(agentStopped()),
  ]);
}

/** Runs all steps in order, even if some fail. */
async function runSteps(logger: Logger, steps: readonly (() => unknown)[]): Promise<void> {
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
  const { client, inbound, logger } = parts;
  const receiving = inbound.suspend();
  const deadline = { clock: client.clock, timeoutMs: DELIVERY_GRACE_MS, what: 'The delivery' };
  await withDeadline(deadline, () => Promise.all([before, receiving])).catch((error: unknown) => {
    logger.warn(
      { error },
      'The delivery did not react to its abort signal; the agent no longer waits for it.',
    );
  });
}

/** Waits for running handlers, then aborts their signals with `reason`. */
async function drain(parts: ShutdownParts, timeoutMs: number, reason: Error): Promise<void> {
  const { client, inbound, logger } = parts;
  if (inbound.active === 0) return;
  const within = async (ms: number): Promise<boolean> => {
    const deadline = { clock: client.clock, timeoutMs: ms, what: 'The handlers' };
    return withDeadline(deadline, () => inbound.idle()).then(
      () => true,
      () => false,
    );
  };
  if (timeoutMs > 0 && (await within(timeoutMs))) return;
  inbound.abortHandlers(reason);
  if (await within(ABORT_GRACE_MS)) return;
  const fields = { inFlight: inbound.active };
  logger.warn(fields, 'Handlers did not react to their abort signal; the agent no longer waits for them.');
}

/** Stores the position and acknowledges finished messages. */
async function flush({ client, inbound, logger }: ShutdownParts): Promise<void> {
  const deadline = { clock: client.clock, timeoutMs: FLUSH_MS, what: 'The last acknowledgement' };
  await withDeadline(deadline, (signal) => inbound.flush(signal)).catch((error: unknown) => {
    logger.warn(
      { error },
      'Finished messages could not be acknowledged; this is repeated at the next start.',
    );
  });
}

/** Reports that no task is running any more. */
async function sendLastHeartbeat({ client }: ShutdownParts, metrics: HeartbeatMetrics): Promise<void> {
  const deadline = { clock: client.clock, timeoutMs: LAST_HEARTBEAT_MS, what: 'The last heartbeat' };
  const idle = { ...metrics, activeTasks: 0, currentTask: '' };
  await withDeadline(deadline, (signal) => client.heartbeat(idle, { signal })).catch(() => {});
}

/** Reports that this agent stops, so that nobody waits for it. */
async function sayGoodbye({ client }: ShutdownParts, instanceId: string): Promise<void> {
  if (!client.capabilities.has('instances')) return;
  const deadline = { clock: client.clock, timeoutMs: LAST_HEARTBEAT_MS, what: 'The goodbye' };
  await withDeadline(deadline, (signal) => client.goodbye(instanceId, { signal })).catch(() => {});
}
