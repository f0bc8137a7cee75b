import type { PresenceState } from '../presence/presence-machine.ts';

/**
 * What is wrong with the agent. `inbound-stale`: the feed could not be read for three times the expected interval. `inbound-dead`: the
 * feed is read, but two messages that the agent sent to itself did not come; with `delivery: 'push'`, the platform was asked twice and does not
 * reach the agent at its `reportedUrl`. `handlers-blocked`: a handler has been running for a minute while other messages
 * wait for it; set `handlerTimeoutMs` to end such handlers. `identity-in-use`: another running agent
 * receives the messages of this workspace. `feed-too-large`: a page of the feed was larger than `maxResponseBytes`, and no
 * page has been read since. `rate-limited`: the platform refuses requests of the workspace for a while, because it sends
 * too many; they are sent again. `answers-refused`: an answer was given up, because its recipient had no room for it for a
 * day, or too many such answers wait; until the next answer is sent. `clock-skew`: the clock of this machine differs by more
 * than a minute from that of the platform, and its pushes cannot be verified; the error says how far.
 */
export type DegradedReason =
  | 'platform-unreachable'
  | 'inbound-stale'
  | 'inbound-dead'
  | 'storage'
  | 'handlers-blocked'
  | 'feed-too-large'
  | 'identity-in-use'
  | 'rate-limited'
  | 'answers-refused'
  | 'clock-skew';

/** The latest failure of a handler or of sending its answer; never its text. */
export interface LastFailure {
  readonly activityId: string;
  /** The code of the error; `handler_failed` for an error without one. */
  readonly code: string;
  /** RFC 3339. */
  readonly at: string;
}

interface Sign {
  /** Logged at this level once it is so; without one, the part that notices it logs more. */
  readonly warn?: string;
  readonly error?: string;
  /** The agent neither sends heartbeats nor receives messages: counts for `exitWhenDead`. */
  readonly isDead?: true;
}

/**
 * What is watched, and what is done. docs/running-an-agent.md says what to do about each reason.
 *
 * | What is checked | When | What is done |
 * |---|---|---|
 * | the feed is read | after three times the expected silence of the delivery | `inbound-stale`; the next read ends it |
 * | a message comes by the feed | after `probeAfterMs` | the agent sends itself a message; two that do not come within a minute are `inbound-dead`; the next message ends it |
 * | a message is pushed, with `push` | after `probeAfterMs`, then each minute | the platform is asked whether it reaches the agent; two refusals are `inbound-dead`; the next push or probe ends it |
 * | the platform reaches the agent, with `auto` | each minute while it does, else after 15 s to 5 min | the agent registers for push or long-poll: `delivery-changed` |
 * | the agent is not dead, with `exitWhenDead` | every 5 s | after five minutes the process ends with exit code 70 |
 * | no handler blocks others | after a minute of a handler, then every 15 s | `handlers-blocked`; its end ends it |
 * | the event loop is not late | every 500 ms, for all agents of a process | `eventLoopLagMs` of the health and of heartbeats |
 */
export const SIGNS: Readonly<Record<DegradedReason, Sign>> = {
  'platform-unreachable': { isDead: true },
  'inbound-stale': {
    warn: 'The feed has not been read for three times the expected interval.',
    isDead: true,
  },
  'inbound-dead': { isDead: true },
  'handlers-blocked': {
    warn: 'A handler has been running for a minute while other messages wait: set handlerTimeoutMs to end such handlers.',
  },
  storage: {
    error:
      'The inbound state cannot be stored: after a restart, the agent continues from the last acknowledged message.',
  },
  'feed-too-large': {},
  'identity-in-use': {},
  'rate-limited': {},
  'answers-refused': {},
  'clock-skew': {},
};

/**
 * `idle` before `start()`; `running` also while degraded, see `health()`; `stopped` is final, and `closed` resolves with
 * the reason.
 */
export type AgentState = 'idle' | 'starting' | 'running' | 'paused' | 'stopping' | 'stopped';

/**
 * A snapshot for probes and support. Times are ISO 8601. Of an agent that is silent read `ok`, `degradedReasons` and `endReason` first, then
 * `presence` (whether heartbeats arrive), `inboundAgeMs` (whether messages are read), `inFlight` and `deadLetters` (what became of them).
 */
export interface AgentHealth {
  readonly state: AgentState;
  /** What the platform knows: whether it accepted the last heartbeats, and whether the workspace is paused or removed. */
  readonly presence: PresenceState;
  /** Running or paused, and not degraded. */
  readonly ok: boolean;
  /** What is wrong now; `[]` for nothing. The event `degraded` reports each with its error, and docs/running-an-agent.md says what to do. */
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
