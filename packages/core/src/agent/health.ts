import { MoleculeError } from '../errors/molecule-error.ts';
import type { Inbound } from '../inbound/inbound.ts';
import type { HeartbeatLoop } from '../presence/heartbeat-loop.ts';
import type { LoopOutcome, PresenceState } from '../presence/presence-machine.ts';
import type { DegradedReason, LastFailure } from './agent-events.ts';
import type { AgentReport } from './agent-report.ts';
import type { AutoDelivery } from './auto-delivery.ts';

/**
 * `idle` before `start()`; `running` also while degraded, see `health()`; `stopped` is final, and `closed` resolves with
 * the reason.
 */
export type AgentState = 'idle' | 'starting' | 'running' | 'paused' | 'stopping' | 'stopped';

/** A snapshot for probes and support. Times are ISO 8601. */
export interface AgentHealth {
  readonly state: AgentState;
  readonly presence: PresenceState;
  /** Running or paused, and not degraded. */
  readonly ok: boolean;
  readonly degradedReasons: readonly DegradedReason[];
  /** When the platform last accepted a heartbeat. */
  readonly lastHeartbeatAt: string | null;
  readonly consecutiveHeartbeatFailures: number;
  /** Where heartbeats are sent from: the worker thread of the process, or the thread of the agent. */
  readonly heartbeats: 'worker' | 'main thread';
  /** Largest delay of the event loop in the last minute, in milliseconds; `null` where it is not measured. */
  readonly eventLoopLagMs: number | null;
  /** How messages come in now: the name of the delivery, and of `auto` the one that it uses. */
  readonly delivery: string;
  /**
   * Why `auto` does not push, a word of docs/contract/receiving.md#why-it-is-not-push; `null` when it does, before the first
   * probe, without a `reportedUrl`, and with another delivery.
   */
  readonly deliveryReason: string | null;
  /** When the delivery last read the feed, even if it was empty, or passed a message. */
  readonly lastInboundAt: string | null;
  /** Milliseconds since then, whatever the wall clock did; `null` before. Above `expectedSilenceMs` of the delivery something is wrong. */
  readonly inboundAgeMs: number | null;
  /** Messages being handled now. */
  readonly inFlight: number;
  /** Messages read and not finished, those in flight included. */
  readonly unfinished: number;
  /** The row up to which everything is finished. */
  readonly acknowledged: string | null;
  /** Messages that were given up and wait for a replay or a discard. */
  readonly deadLetters: number;
  /** `null` when nothing failed. */
  readonly lastFailure: LastFailure | null;
  /**
   * Why the agent has ended: the code of the error that ended its start, such as `unauthorized` or `workspace_in_use`, else the outcome
   * that `closed` resolves with. `null` before.
   */
  readonly endReason: string | null;
}

interface StartFailure {
  readonly error: unknown;
}

/** What is described, of the parts of an agent. */
interface HealthParts {
  readonly report: Pick<AgentReport, 'degradedReasons' | 'lastFailure'>;
  readonly presence: HeartbeatLoop;
  readonly inbound: Inbound;
  readonly autoDelivery: Pick<AutoDelivery, 'reason'> | null;
}

export function describeHealth(
  state: AgentState,
  { report, presence, inbound, autoDelivery }: HealthParts,
  end: StartFailure | LoopOutcome | undefined,
): AgentHealth {
  const { degradedReasons, lastFailure } = report;
  return {
    state,
    presence: presence.state,
    ok: degradedReasons.length === 0 && (state === 'running' || state === 'paused'),
    degradedReasons,
    lastHeartbeatAt: isoTime(presence.lastSuccess?.at),
    consecutiveHeartbeatFailures: presence.consecutiveFailures,
    heartbeats: presence.place,
    eventLoopLagMs: presence.eventLoopLagMs,
    delivery: inbound.deliveryName,
    deliveryReason: autoDelivery?.reason ?? null,
    lastInboundAt: isoTime(inbound.lastReadAt),
    inboundAgeMs: inbound.inboundAgeMs,
    inFlight: inbound.active,
    unfinished: inbound.unfinished,
    acknowledged: inbound.acknowledged,
    deadLetters: inbound.deadLetterCount,
    lastFailure: lastFailure ?? inbound.lastGivenUp,
    endReason: state === 'stopped' && end !== undefined ? endReason(end) : null,
  };
}

function endReason(end: StartFailure | LoopOutcome): string {
  if (typeof end === 'string') return end;
  return MoleculeError.isInstance(end.error) ? end.error.code : 'start_failed';
}

function isoTime(unixMs: number | undefined): string | null {
  return unixMs === undefined ? null : new Date(unixMs).toISOString();
}
