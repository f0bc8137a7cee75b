import type { PresenceState } from '../presence/presence-machine.ts';
import type { DegradedReason, LastFailure } from './agent-events.ts';

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
