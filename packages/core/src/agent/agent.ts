import { MoleculeError } from '../errors/molecule-error.ts';
import { InboundPipeline } from '../inbound/inbound-pipeline.ts';
import { childLogger } from '../logging/child-logger.ts';
import type { Logger } from '../logging/logger.ts';
import { deferred } from '../presence/deferred.ts';
import { HeartbeatLoop } from '../presence/heartbeat-loop.ts';
import type { PresenceChange, PresenceState } from '../presence/presence-machine.ts';
import { ONBOARD_AGAIN } from '../presence/report-presence.ts';
import type { LoopOutcome } from '../presence/run-heartbeat-loop.ts';
import { withDeadline } from '../time/deadline.ts';
import { linkAbort } from '../time/linked-abort.ts';
import type { AgentClient } from './agent-client.ts';
import type { AgentEventName, AgentListener, DegradedReason } from './agent-events.ts';
import type { AgentHealth, AgentState } from './agent-health.ts';
import { type AgentOptions, type AgentPlan, planAgent } from './agent-options.ts';
import { announce } from './announce.ts';
import { EventHub } from './event-hub.ts';
import { observeInbound } from './observe-inbound.ts';
import { TaskBoard } from './task-board.ts';
import { lockWorkspace } from './workspace-lock.ts';

const LAST_WORDS_MS = 2_000;
const FLUSH_MS = 5_000;
const ABORT_GRACE_MS = 5_000;
const DELIVERY_GRACE_MS = 5_000;

/** Options of {@link Agent.start}. */
export interface AgentStartOptions {
  /** Gives up starting. */
  signal?: AbortSignal | undefined;
}

/** Options of {@link Agent.stop}. */
export interface AgentStopOptions {
  /** How long running handlers may go on, in milliseconds. @default the agent's `stopTimeoutMs` */
  timeoutMs?: number | undefined;
}

/**
 * An agent that is registered, beats and receives, until it is stopped, paused for good, removed or revoked.
 * Heartbeats, the state of the workspace and messages are independent: none waits for another.
 */
export class Agent<Client extends AgentClient = AgentClient> {
  readonly #plan: AgentPlan<Client>;
  readonly #logger: Logger;
  readonly #events: EventHub;
  readonly #board: TaskBoard;
  readonly #presence: HeartbeatLoop;
  readonly #pipeline: InboundPipeline;
  readonly #life = linkAbort();
  readonly #closed = deferred<LoopOutcome>();
  readonly #degraded = new Set<DegradedReason>();
  #state: AgentState = 'idle';
  #starting: Promise<void> | undefined;
  #finishing: Promise<void> | undefined;
  #beating: Promise<PresenceState> | undefined;
  /** Pauses and resumes one after the other. */
  #switching: Promise<void> = Promise.resolve();
  #lock: Promise<() => Promise<void>> | undefined;
  #outcome: LoopOutcome | undefined;

  constructor(options: AgentOptions<Client>) {
    const plan = planAgent(options);
    const { client, random } = plan;
    const { clock } = client;
    this.#plan = plan;
    this.#logger = childLogger(client.logger, { workspaceId: client.workspaceId });
    this.#events = new EventHub((event, error) =>
      this.#logger.error({ error, event }, 'A listener of the agent failed.'),
    );
    this.#board = new TaskBoard(clock);
    this.#presence = new HeartbeatLoop({
      port: client,
      clock,
      logger: this.#logger,
      random,
      intervalMs: plan.heartbeatIntervalMs,
      metrics: () => this.#board.metrics(),
      onChange: (change, error) => this.#onPresence(change, error),
    });
    this.#pipeline = new InboundPipeline({
      ...plan,
      port: client,
      clock,
      logger: this.#logger,
      handler: (message, context) =>
        plan.onMessage(message, {
          ...context,
          client,
          logger: childLogger(this.#logger, { activityId: message.id }),
        }),
      observer: observeInbound({
        events: this.#events,
        board: this.#board,
        logger: this.#logger,
        metricsChanged: () => this.#presence.metricsChanged(),
        degrade: (reason, error) => this.#degrade(reason, error),
        recover: (reason) => this.#recover(reason),
      }),
    });
  }

  get state(): AgentState {
    return this.#state;
  }

  /** Settles when the agent has ended, with why. Never rejects. */
  get closed(): Promise<LoopOutcome> {
    return this.#closed.promise;
  }

  /** Calls `listener` at each `event`; the answer takes it off again. A listener that throws disturbs nobody. */
  on<Name extends AgentEventName>(event: Name, listener: AgentListener<Name>): () => void {
    return this.#events.on(event, listener);
  }

  off<Name extends AgentEventName>(event: Name, listener: AgentListener<Name>): void {
    this.#events.off(event, listener);
  }

  /** A snapshot; cheap. */
  health(): AgentHealth {
    const heartbeatAt = this.#presence.lastSuccess?.at;
    const readAt = this.#pipeline.lastReadAt;
    return {
      state: this.#state,
      presence: this.#presence.state,
      ok: this.#degraded.size === 0 && (this.#state === 'running' || this.#state === 'paused'),
      degradedReasons: [...this.#degraded],
      lastHeartbeatAt: heartbeatAt === undefined ? null : new Date(heartbeatAt).toISOString(),
      consecutiveHeartbeatFailures: this.#presence.consecutiveFailures,
      lastInboundAt: readAt === undefined ? null : new Date(readAt).toISOString(),
      inFlight: this.#pipeline.active,
      unfinished: this.#pipeline.unfinished,
      acknowledged: this.#pipeline.acknowledged,
    };
  }

  /**
   * Registers and begins to beat and to receive. Resolves once the platform knows that the agent lives. A platform
   * that is down is waited for, with a `degraded` event. Calling it again gives the same promise.
   * @throws MoleculeError `workspace_in_use`, `unauthorized`, `agent_stopped`, `workspace_removed`.
   */
  start(options: AgentStartOptions = {}): Promise<void> {
    this.#starting ??= this.#start(options);
    return this.#starting;
  }

  /**
   * Ends the agent: takes in nothing more, lets running handlers finish within the time, then aborts them; tells
   * the platform what is finished, and goes. Unfinished messages are delivered again. Never rejects; calling it
   * again gives the same promise.
   */
  stop(options: AgentStopOptions = {}): Promise<void> {
    return this.#finish('stopped', options.timeoutMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #start({ signal }: AgentStartOptions): Promise<void> {
    if (this.#finishing !== undefined) throw stopped();
    this.#state = 'starting';
    const { client, random, usesFolder } = this.#plan;
    const { clock } = client;
    using limit = linkAbort(signal, this.#life.signal);
    try {
      if (usesFolder) {
        this.#lock = lockWorkspace(client.stateDirectory, this.#logger);
        await this.#lock;
      }
      await this.#pipeline.load();
      await announce({
        port: client,
        clock,
        logger: this.#logger,
        random,
        signal: limit.signal,
        onUnreachable: (error) => this.#degrade('platform-unreachable', error),
      });
      limit.signal.throwIfAborted();
      this.#recover('platform-unreachable');
      this.#beating = this.#presence.run(this.#life.signal);
      await this.#firstRound(limit.signal);
    } catch (error) {
      if (this.#outcome === 'paused') return;
      await this.#finish('stopped', 0);
      throw error;
    }
    if (this.#presence.state === 'removed' || this.#presence.state === 'revoked') {
      await this.#finishing;
      throw new MoleculeError('The workspace does not accept this agent any more.', {
        code: this.#presence.state === 'removed' ? 'workspace_removed' : 'unauthorized',
        hint: ONBOARD_AGAIN,
      });
    }
    if (this.#finishing !== undefined || this.#state !== 'starting') return;
    this.#state = 'running';
    this.#pipeline.open();
  }

  /** Waits for the first heartbeat's end, but not after `signal` aborted. */
  async #firstRound(signal: AbortSignal): Promise<void> {
    const aborted = deferred<never>();
    signal.addEventListener('abort', () => aborted.reject(signal.reason), { once: true });
    await Promise.race([this.#presence.firstRound, aborted.promise]);
    if (this.#outcome === 'stopped') throw stopped();
  }

  #onPresence(change: PresenceChange, error: unknown): void {
    if (change === 'degraded') this.#degrade('platform-unreachable', error);
    if (change === 'started' || change === 'recovered') this.#recover('platform-unreachable');
    if (change === 'paused') this.#pause();
    if (change === 'resumed') this.#resume();
    if (change === 'removed' || change === 'revoked') {
      this.#events.emit(change);
      void this.#finish(change, 0);
    }
  }

  #pause(): void {
    if (this.#finishing !== undefined) return;
    this.#recover('platform-unreachable');
    this.#state = 'paused';
    this.#events.emit('paused');
    if (this.#plan.onPause === 'stop') {
      void this.#finish('paused', 0);
      return;
    }
    this.#switching = this.#switching.then(async () => {
      const receiving = this.#pipeline.suspend();
      this.#pipeline.abortHandlers(paused());
      await receiving;
    });
  }

  #resume(): void {
    if (this.#finishing !== undefined) return;
    this.#state = 'running';
    this.#events.emit('resumed');
    this.#switching = this.#switching.then(() => {
      if (this.#state === 'running') this.#pipeline.open();
    });
  }

  #finish(outcome: LoopOutcome, timeoutMs = this.#plan.stopTimeoutMs): Promise<void> {
    this.#outcome ??= outcome;
    this.#finishing ??= this.#wind(outcome, timeoutMs);
    return this.#finishing;
  }

  /** Each step runs whatever became of the one before. */
  async #wind(outcome: LoopOutcome, timeoutMs: number): Promise<void> {
    const wasStarted = this.#beating !== undefined;
    this.#state = 'stopping';
    const isKnown = wasStarted && (outcome === 'stopped' || outcome === 'paused');
    const steps: readonly (() => unknown)[] = [
      () => this.#stopReceiving(),
      () => this.#drain(outcome, timeoutMs),
      () => isKnown && this.#flush(),
      () => this.#life.abort(stopped()),
      () => this.#beating,
      // After the loop's last heartbeat, so that none can follow it and bring the tasks back.
      () => isKnown && outcome === 'stopped' && this.#lastHeartbeat(),
      () => this.#pipeline.close(),
      () => this.#lock?.then((release) => release()).catch(() => {}),
    ];
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        this.#logger.error({ error }, 'A step of stopping the agent failed; the next ones follow.');
      }
    }
    this.#end(outcome);
  }

  /** A delivery of the user's own may ignore its signal; then the agent ends without it. */
  async #stopReceiving(): Promise<void> {
    const { clock } = this.#plan.client;
    const receiving = this.#pipeline.suspend();
    const deadline = { clock, timeoutMs: DELIVERY_GRACE_MS, what: 'The delivery' };
    await withDeadline(deadline, () => Promise.all([this.#switching, receiving])).catch((error: unknown) => {
      this.#logger.warn({ error }, 'The delivery ignores its abort signal; the agent ends without it.');
    });
  }

  async #drain(outcome: LoopOutcome, timeoutMs: number): Promise<void> {
    const { clock } = this.#plan.client;
    if (this.#pipeline.active === 0) return;
    const within = async (ms: number): Promise<boolean> => {
      const deadline = { clock, timeoutMs: ms, what: 'The handlers' };
      return withDeadline(deadline, () => this.#pipeline.idle()).then(
        () => true,
        () => false,
      );
    };
    if (timeoutMs > 0 && (await within(timeoutMs))) return;
    this.#pipeline.abortHandlers(outcome === 'paused' ? paused() : stopped());
    if (await within(ABORT_GRACE_MS)) return;
    const fields = { inFlight: this.#pipeline.active };
    this.#logger.warn(fields, 'Handlers ignore their abort signal; the agent ends without them.');
  }

  async #flush(): Promise<void> {
    const { clock } = this.#plan.client;
    await withDeadline({ clock, timeoutMs: FLUSH_MS, what: 'The last acknowledgement' }, (signal) =>
      this.#pipeline.flush(signal),
    ).catch((error: unknown) => {
      this.#logger.warn({ error }, 'What is finished could not be acknowledged; it is at the next start.');
    });
  }

  async #lastHeartbeat(): Promise<void> {
    const { client } = this.#plan;
    const { clock } = client;
    if (this.#presence.lastSuccess === undefined || this.#degraded.has('platform-unreachable')) return;
    const metrics = { ...this.#board.metrics(), activeTasks: 0, currentTask: '' };
    await withDeadline({ clock, timeoutMs: LAST_WORDS_MS, what: 'The last heartbeat' }, (signal) =>
      client.heartbeat(metrics, { signal }),
    ).catch(() => {});
  }

  #end(outcome: LoopOutcome): void {
    this.#state = 'stopped';
    this.#events.emit('stopped', outcome);
    this.#closed.resolve(outcome);
  }

  #degrade(reason: DegradedReason, error: unknown): void {
    if (this.#degraded.has(reason)) return;
    this.#degraded.add(reason);
    this.#events.emit('degraded', reason, error);
  }

  #recover(reason: DegradedReason): void {
    if (this.#degraded.delete(reason)) this.#events.emit('recovered', reason);
  }
}

function stopped(): MoleculeError {
  return new MoleculeError('The agent was stopped.', { code: 'agent_stopped' });
}

function paused(): MoleculeError {
  return new MoleculeError('The workspace was paused.', { code: 'workspace_paused' });
}

/**
 * Makes an agent of a client and a handler; `start()` brings it to life.
 * @throws ConfigurationError naming the option.
 *
 * @example
 * const agent = createAgent({ client, onMessage: (message) => `echo: ${message.text}` });
 * await agent.start();
 * process.once('SIGTERM', () => agent.stop());
 * await agent.closed;
 */
export function createAgent<Client extends AgentClient>(options: AgentOptions<Client>): Agent<Client> {
  return new Agent(options);
}
