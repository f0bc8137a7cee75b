import type { Clock, Timer } from '../time/clock.ts';
import type { ExchangeEnd, FromWorker, HeartbeatToSend, KeptHeartbeat } from './worker-messages.ts';

/** How late a heartbeat may be before the main thread is asked whether it runs, in milliseconds. */
const GRACE_MS = 1_000;
/** A main thread that has not responded to a ping for this long is blocked, in milliseconds. */
const BLOCKED_AFTER_MS = 1_000;
/** Not a template, which the embedded program may not contain. */
const BLOCKED_TEXT = 'A handler has blocked the event loop for N s.';
const RETRY_MS = 5_000;
const REFUSALS_UNTIL_SILENT = 3;
const MIN_WATCH_MS = 250;
const MAX_WATCH_MS = 15_000;
/** A timer that is this late shows that the whole process was suspended, in milliseconds. */
const SUSPENDED_MS = 5_000;

interface KeptAgent {
  heartbeat: KeptHeartbeat;
  timer?: Timer;
  /** Cancels what is sent for the main thread. */
  cancelSent?: () => void;
  /** Cancels what is repeated. */
  cancel?: (() => void) | undefined;
  isWedged: boolean;
  refusals: number;
}

export interface RepeatedHeartbeatsOptions {
  readonly clock: Clock;
  /** Sends a request; returns what cancels it. */
  readonly send: (heartbeat: HeartbeatToSend, onEnd: (end: ExchangeEnd) => void) => () => void;
  readonly post: (message: FromWorker) => void;
}

/**
 * The part of the worker that repeats heartbeats while the main thread is blocked. A heartbeat that is late is repeated when
 * the main thread does not respond to a ping, and then with every interval. An agent of a main thread that is blocked for its
 * `maxBlockMs` is reported as wedged.
 */
export class RepeatedHeartbeats {
  readonly #options: RepeatedHeartbeatsOptions;
  readonly #agents = new Map<string, KeptAgent>();
  /** When the main thread got the ping that it has not responded to. */
  #pingedAt: number | undefined;
  #watch: Timer | undefined;
  #watchMs = MAX_WATCH_MS;

  constructor(options: RepeatedHeartbeatsOptions) {
    this.#options = options;
  }

  /** Call with each message of the main thread. */
  mainResponded(): void {
    this.#pingedAt = undefined;
  }

  /** The main thread sends this now; it is repeated when the next one is late. */
  keep(id: string, heartbeat: KeptHeartbeat): void {
    this.#stop(id);
    const agent: KeptAgent = { heartbeat, isWedged: false, refusals: 0 };
    this.#agents.set(id, agent);
    this.#wait(id, agent, heartbeat.intervalMs + GRACE_MS);
    const watchMs = Math.min(heartbeat.intervalMs, heartbeat.maxBlockMs) / 2;
    this.#watchMs = Math.min(this.#watchMs, Math.max(MIN_WATCH_MS, watchMs));
    if (this.#watch === undefined) this.#watchMain();
  }

  /** Sends the heartbeat of an agent for the main thread. */
  send(id: string, onEnd: (end: ExchangeEnd) => void): void {
    const agent = this.#agents.get(id);
    if (agent !== undefined) agent.cancelSent = this.#options.send(agent.heartbeat, onEnd);
  }

  authorize(id: string, authorization: string): void {
    const agent = this.#agents.get(id);
    if (agent === undefined) return;
    const headers = { ...agent.heartbeat.headers, authorization };
    agent.heartbeat = { ...agent.heartbeat, headers };
  }

  /** Also cancels what is being sent. */
  forget(id: string): void {
    this.#stop(id);
    this.#agents.get(id)?.cancelSent?.();
    this.#agents.delete(id);
  }

  #stop(id: string): void {
    const agent = this.#agents.get(id);
    agent?.timer?.cancel();
    agent?.cancel?.();
  }

  /** Asks the main thread from time to time whether it runs, so that it is known since when it does not. */
  #watchMain(): void {
    const { clock } = this.#options;
    const dueAt = clock.monotonic() + this.#watchMs;
    this.#watch = clock.setTimer(this.#watchMs, () => {
      this.#watch = undefined;
      if (this.#agents.size === 0) {
        this.#watchMs = MAX_WATCH_MS;
        return;
      }
      const now = clock.monotonic();
      if (now - dueAt > SUSPENDED_MS && this.#pingedAt !== undefined) this.#pingedAt = now;
      this.#ping();
      this.#reportWedged();
      this.#watchMain();
    });
  }

  #ping(): void {
    if (this.#pingedAt !== undefined) return;
    this.#pingedAt = this.#options.clock.monotonic();
    this.#options.post({ type: 'ping' });
  }

  get #blockedMs(): number {
    return this.#pingedAt === undefined ? 0 : this.#options.clock.monotonic() - this.#pingedAt;
  }

  #reportWedged(): void {
    const blockedMs = this.#blockedMs;
    if (blockedMs < BLOCKED_AFTER_MS) return;
    for (const [id, agent] of this.#agents) {
      if (agent.isWedged || agent.refusals >= REFUSALS_UNTIL_SILENT) continue;
      if (blockedMs >= agent.heartbeat.maxBlockMs) this.#repeat(id, agent);
    }
  }

  /** @param isAsked whether the main thread was asked a moment ago whether it runs */
  #wait(id: string, agent: KeptAgent, ms: number, isAsked = false): void {
    agent.timer?.cancel();
    agent.timer = this.#options.clock.setTimer(ms, () => {
      if (this.#blockedMs >= BLOCKED_AFTER_MS) this.#repeat(id, agent);
      // The main thread runs, and has its reasons: it waits after a failure.
      else if (isAsked) this.#wait(id, agent, agent.heartbeat.intervalMs);
      else {
        this.#ping();
        this.#wait(id, agent, BLOCKED_AFTER_MS, true);
      }
    });
  }

  #repeat(id: string, agent: KeptAgent): void {
    const { clock, send, post } = this.#options;
    const { intervalMs, maxBlockMs } = agent.heartbeat;
    const startedAt = clock.monotonic();
    const blockedMs = this.#blockedMs;
    agent.isWedged = blockedMs >= maxBlockMs;
    agent.timer?.cancel();
    agent.cancel?.();
    const { isWedged, heartbeat } = agent;
    agent.cancel = send(isWedged ? wedged(heartbeat, blockedMs) : heartbeat, (end) => {
      agent.cancel = undefined;
      const status = end.kind === 'response' ? end.status : null;
      post({ type: 'repeated', agent: id, heartbeat: { status, isWedged, blockedMs } });
      if (status === 410) agent.refusals = REFUSALS_UNTIL_SILENT;
      if (status === 401) agent.refusals += 1;
      if (agent.refusals >= REFUSALS_UNTIL_SILENT) return;
      const isFailed = status === null || status >= 500;
      const pauseMs = isFailed ? Math.min(RETRY_MS, intervalMs) : intervalMs;
      this.#wait(id, agent, Math.max(0, startedAt + pauseMs - clock.monotonic()));
    });
  }
}

/** The next heartbeat of the main thread has the state and the error that hold then. */
function wedged(heartbeat: HeartbeatToSend, blockedMs: number): HeartbeatToSend {
  const body = JSON.parse(heartbeat.body) as Record<string, unknown>;
  const seconds = String(Math.floor(blockedMs / 1_000));
  const sample_error = BLOCKED_TEXT.replace('N', seconds);
  return { ...heartbeat, body: JSON.stringify({ ...body, runtime_state: 'wedged', sample_error }) };
}
