import { MoleculeError } from '../errors/molecule-error.ts';
import { Inbound } from '../inbound/inbound.ts';
import { childLogger } from '../logging/child-logger.ts';
import type { Logger } from '../logging/logger.ts';
import { HeartbeatLoop } from '../presence/heartbeat-loop.ts';
import { ONBOARD_AGAIN, type PresenceChange, type PresenceState } from '../presence/presence-machine.ts';
import type { LoopOutcome } from '../presence/run-heartbeat-loop.ts';
import { lockWorkspace } from '../storage/workspace-lock.ts';
import { linkAbort, orAborted } from '../time/linked-abort.ts';
import type { AgentEventName, AgentListener } from './agent-events.ts';
import { type AgentHealth, type AgentState, describeHealth } from './agent-health.ts';
import { type AgentClient, type AgentPlan, planAgent, type RemoteAgentOptions } from './agent-options.ts';
import { announce } from './announce.ts';
import { EventHub } from './event-hub.ts';
import { observeInbound } from './observe-inbound.ts';
import { agentStopped, workspacePaused } from './stop-reasons.ts';
import { TaskMetrics } from './task-metrics.ts';
import { Trouble } from './trouble.ts';
import { drain, flush, lastHeartbeat, stopReceiving, takeSteps, type WindDownParts } from './wind-down.ts';

/** Options of {@link RemoteAgent.start}. */
export interface AgentStartOptions {
  /** Gives up starting. */
  signal?: AbortSignal | undefined;
}

/** Options of {@link RemoteAgent.stop}. */
export interface AgentStopOptions {
  /** How long running handlers may go on, in milliseconds. @default the agent's `stopTimeoutMs` */
  timeoutMs?: number | undefined;
}

/**
 * An agent that is registered, beats and receives, until it is stopped, paused for good, removed or revoked.
 * Heartbeats, the state of the workspace and messages are independent: none waits for another.
 */
export class RemoteAgent<Client extends AgentClient = AgentClient> {
  readonly #plan: AgentPlan<Client>;
  readonly #logger: Logger;
  readonly #events: EventHub;
  readonly #tasks: TaskMetrics;
  readonly #presence: HeartbeatLoop;
  readonly #inbound: Inbound;
  readonly #life = linkAbort();
  readonly #closed = Promise.withResolvers<LoopOutcome>();
  readonly #trouble: Trouble;
  #state: AgentState = 'idle';
  #starting: Promise<void> | undefined;
  #finishing: Promise<void> | undefined;
  #beating: Promise<PresenceState> | undefined;
  /** Pauses and resumes one after the other. */
  #switching: Promise<void> = Promise.resolve();
  #lock: Promise<() => Promise<void>> | undefined;
  #outcome: LoopOutcome | undefined;
  #hasOpened = false;

  constructor(options: RemoteAgentOptions<Client>) {
    const plan = planAgent(options);
    const { client, random } = plan;
    const { clock } = client;
    this.#plan = plan;
    this.#logger = childLogger(client.logger, { workspaceId: client.workspaceId });
    this.#events = new EventHub((event, error) =>
      this.#logger.error({ error, event }, 'A listener of the agent failed.'),
    );
    this.#trouble = new Trouble(this.#events);
    this.#tasks = new TaskMetrics(clock);
    this.#presence = new HeartbeatLoop({
      client,
      clock,
      logger: this.#logger,
      random,
      intervalMs: plan.heartbeatIntervalMs,
      metrics: () => this.#tasks.current(),
      onChange: (change, error) => this.#onPresence(change, error),
    });
    this.#inbound = new Inbound({
      ...plan,
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
        tasks: this.#tasks,
        logger: this.#logger,
        metricsChanged: () => this.#presence.metricsChanged(),
        degrade: (reason, error) => this.#trouble.begin(reason, error),
        recover: (reason) => this.#trouble.end(reason),
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
    return describeHealth(this.#state, this.#presence, this.#inbound, this.#trouble.reasons);
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
    if (this.#finishing !== undefined) throw agentStopped();
    this.#state = 'starting';
    const { client, random, usesFolder } = this.#plan;
    const { clock } = client;
    using limit = linkAbort(signal, this.#life.signal);
    try {
      if (usesFolder) {
        this.#lock = lockWorkspace(client.stateDirectory, clock, this.#logger);
        await this.#lock;
      }
      await this.#inbound.load();
      await announce({
        port: client,
        clock,
        logger: this.#logger,
        random,
        signal: limit.signal,
        onUnreachable: (error) => this.#trouble.begin('platform-unreachable', error),
      });
      limit.signal.throwIfAborted();
      this.#trouble.end('platform-unreachable');
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
    this.#open();
  }

  /** Waits for the first heartbeat's end, but not after `signal` aborted. */
  async #firstRound(signal: AbortSignal): Promise<void> {
    await orAborted(this.#presence.firstRound, signal);
    if (this.#outcome === 'stopped') throw agentStopped();
  }

  #onPresence(change: PresenceChange, error: unknown): void {
    if (change === 'degraded') this.#trouble.begin('platform-unreachable', error);
    if (change === 'started' || change === 'recovered') this.#trouble.end('platform-unreachable');
    if (change === 'paused') this.#pause();
    if (change === 'resumed') this.#resume();
    if (change === 'removed' || change === 'revoked') {
      this.#events.emit(change);
      void this.#finish(change, 0);
    }
  }

  #pause(): void {
    if (this.#finishing !== undefined) return;
    this.#trouble.end('platform-unreachable');
    this.#state = 'paused';
    this.#events.emit('paused');
    if (this.#plan.onPause === 'stop') {
      void this.#finish('paused', 0);
      return;
    }
    this.#switching = this.#switching.then(() => {
      const received = stopReceiving(this.#parts, Promise.resolve());
      this.#inbound.abortHandlers(workspacePaused());
      return received;
    });
  }

  #resume(): void {
    if (this.#finishing !== undefined) return;
    this.#state = 'running';
    this.#events.emit('resumed');
    this.#switching = this.#switching.then(() => {
      if (this.#state === 'running') this.#open();
    });
  }

  #open(): void {
    this.#inbound.open();
    if (this.#hasOpened) return;
    this.#hasOpened = true;
    this.#events.emit('started');
  }

  get #parts(): WindDownParts {
    return { client: this.#plan.client, inbound: this.#inbound, logger: this.#logger };
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
    const parts = this.#parts;
    const isHeard = this.#presence.lastSuccess !== undefined && !this.#trouble.has('platform-unreachable');
    await takeSteps(this.#logger, [
      () => stopReceiving(parts, this.#switching),
      () => drain(parts, timeoutMs, outcome === 'paused' ? workspacePaused() : agentStopped()),
      () => isKnown && flush(parts),
      () => this.#life.abort(agentStopped()),
      () => this.#beating,
      // After the loop's last heartbeat, so that none can follow it and bring the tasks back.
      () => isKnown && isHeard && outcome === 'stopped' && lastHeartbeat(parts, this.#tasks.current()),
      () => this.#inbound.close(),
      () => this.#lock?.then((release) => release()).catch(() => {}),
    ]);
    this.#end(outcome);
  }

  #end(outcome: LoopOutcome): void {
    this.#state = 'stopped';
    this.#events.emit('stopped', outcome);
    this.#closed.resolve(outcome);
  }
}

/**
 * Makes an agent of a client and a handler; `start()` brings it to life.
 * @throws ConfigurationError naming the option.
 *
 * @example
 * const agent = createRemoteAgent({ client, onMessage: (message) => `echo: ${message.text}` });
 * await agent.start();
 * process.once('SIGTERM', () => agent.stop());
 * await agent.closed;
 */
export function createRemoteAgent<Client extends AgentClient>(
  options: RemoteAgentOptions<Client>,
): RemoteAgent<Client> {
  return new RemoteAgent(options);
}
