import { MoleculeError } from '../errors/molecule-error.ts';
import { Inbound } from '../inbound/inbound.ts';
import { childLogger, type Logger } from '../logging/logger.ts';
import { HeartbeatLoop } from '../presence/heartbeat-loop.ts';
import { ONBOARD_AGAIN, type PresenceChange, type PresenceState } from '../presence/presence-machine.ts';
import { registerWithRetry } from '../presence/registration-retry.ts';
import type { LoopOutcome } from '../presence/run-heartbeat-loop.ts';
import { lockWorkspace } from '../storage/workspace-lock.ts';
import { linkAbort, orAborted } from '../time/linked-abort.ts';
import { AgentEventEmitter, type AgentEventName, type AgentListener } from './agent-events.ts';
import {
  type AgentClient,
  type RemoteAgentOptions,
  type RemoteAgentSettings,
  resolveRemoteAgentOptions,
} from './agent-options.ts';
import { type AgentHealth, type AgentState, DegradedReasons, describeHealth } from './health.ts';
import { observeInbound } from './observe-inbound.ts';
import {
  agentStopped,
  drain,
  flush,
  runSteps,
  type ShutdownParts,
  sendLastHeartbeat,
  stopReceiving,
  workspacePaused,
} from './shutdown.ts';
import { TaskMetrics } from './task-metrics.ts';

/** Options of {@link RemoteAgent.start}. */
export interface AgentStartOptions {
  /** Ends the start, which then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Options of {@link RemoteAgent.stop}. */
export interface AgentStopOptions {
  /** How long running handlers may continue, in milliseconds. @default the agent's `stopTimeoutMs` */
  timeoutMs?: number | undefined;
}

/**
 * An agent that is registered, sends heartbeats and receives, until it is stopped, removed or revoked, or paused with
 * `onPause: 'stop'`.
 * Heartbeats, the state of the workspace and messages are independent: none waits for another.
 */
export class RemoteAgent<Client extends AgentClient = AgentClient> {
  readonly #settings: RemoteAgentSettings<Client>;
  readonly #logger: Logger;
  readonly #events: AgentEventEmitter;
  readonly #tasks: TaskMetrics;
  readonly #presence: HeartbeatLoop;
  readonly #inbound: Inbound;
  readonly #life = linkAbort();
  readonly #closed = Promise.withResolvers<LoopOutcome>();
  readonly #degraded: DegradedReasons;
  #state: AgentState = 'idle';
  #starting: Promise<void> | undefined;
  #finishing: Promise<void> | undefined;
  #heartbeats: Promise<PresenceState> | undefined;
  /** Pauses and resumes, one after the other. */
  #transition: Promise<void> = Promise.resolve();
  #lock: Promise<() => Promise<void>> | undefined;
  #outcome: LoopOutcome | undefined;
  #hasOpened = false;

  constructor(options: RemoteAgentOptions<Client>) {
    const settings = resolveRemoteAgentOptions(options);
    const { client, random } = settings;
    const { clock } = client;
    this.#settings = settings;
    this.#logger = childLogger(client.logger, { workspaceId: client.workspaceId });
    this.#events = new AgentEventEmitter((event, error) =>
      this.#logger.error({ error, event }, 'A listener of the agent failed.'),
    );
    this.#degraded = new DegradedReasons(this.#events);
    this.#tasks = new TaskMetrics(clock);
    this.#presence = new HeartbeatLoop({
      client,
      clock,
      logger: this.#logger,
      random,
      intervalMs: settings.heartbeatIntervalMs,
      metrics: () => this.#tasks.current(),
      onChange: (change, error) => this.#onPresence(change, error),
    });
    this.#inbound = new Inbound({
      ...settings,
      clock,
      logger: this.#logger,
      handler: (message, context) =>
        settings.onMessage(message, {
          ...context,
          client,
          logger: childLogger(this.#logger, { activityId: message.id }),
        }),
      observer: observeInbound({
        events: this.#events,
        tasks: this.#tasks,
        degraded: this.#degraded,
        logger: this.#logger,
        onMetricsChanged: () => this.#presence.metricsChanged(),
      }),
    });
  }

  get state(): AgentState {
    return this.#state;
  }

  /** Resolves with the reason when the agent has ended. Never rejects. */
  get closed(): Promise<LoopOutcome> {
    return this.#closed.promise;
  }

  /** Calls `listener` at each `event`; returns a function that removes it. A listener that throws is logged. */
  on<Name extends AgentEventName>(event: Name, listener: AgentListener<Name>): () => void {
    return this.#events.on(event, listener);
  }

  off<Name extends AgentEventName>(event: Name, listener: AgentListener<Name>): void {
    this.#events.off(event, listener);
  }

  /** A snapshot; cheap. */
  health(): AgentHealth {
    return describeHealth(this.#state, this.#presence, this.#inbound, this.#degraded.list());
  }

  /**
   * Registers and begins to send heartbeats and to receive. Resolves after the first heartbeat. A platform that is
   * down is waited for, with a `degraded` event. Calling it again returns the same promise.
   * @throws MoleculeError `workspace_in_use`, `unauthorized`, `agent_stopped`, `workspace_removed`.
   */
  start(options: AgentStartOptions = {}): Promise<void> {
    this.#starting ??= this.#start(options);
    return this.#starting;
  }

  /**
   * Ends the agent: stops receiving, lets running handlers finish within the time, then aborts them; acknowledges
   * what is finished. Unfinished messages are delivered again. Never rejects; calling it again returns the same
   * promise.
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
    const { client, random, usesFolder } = this.#settings;
    const { clock } = client;
    using limit = linkAbort(signal, this.#life.signal);
    try {
      if (usesFolder) {
        this.#lock = lockWorkspace(client.stateDirectory, clock, this.#logger);
        await this.#lock;
      }
      await this.#inbound.load();
      await registerWithRetry({
        client,
        clock,
        logger: this.#logger,
        random,
        signal: limit.signal,
        onUnreachable: (error) => this.#degraded.add('platform-unreachable', error),
      });
      limit.signal.throwIfAborted();
      this.#degraded.remove('platform-unreachable');
      this.#heartbeats = this.#presence.run(this.#life.signal);
      await orAborted(this.#presence.firstRound, limit.signal);
      if (this.#outcome === 'stopped') throw agentStopped();
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

  #onPresence(change: PresenceChange, error: unknown): void {
    if (change === 'degraded') this.#degraded.add('platform-unreachable', error);
    if (change === 'started' || change === 'recovered') this.#degraded.remove('platform-unreachable');
    if (change === 'paused') this.#pause();
    if (change === 'resumed') this.#resume();
    if (change === 'removed' || change === 'revoked') {
      this.#events.emit(change);
      void this.#finish(change, 0);
    }
  }

  #pause(): void {
    if (this.#finishing !== undefined) return;
    this.#degraded.remove('platform-unreachable');
    this.#state = 'paused';
    this.#events.emit('paused');
    if (this.#settings.onPause === 'stop') {
      void this.#finish('paused', 0);
      return;
    }
    this.#transition = this.#transition.then(() => {
      const received = stopReceiving(this.#parts, Promise.resolve());
      this.#inbound.abortHandlers(workspacePaused());
      return received;
    });
  }

  #resume(): void {
    if (this.#finishing !== undefined) return;
    this.#state = 'running';
    this.#events.emit('resumed');
    this.#transition = this.#transition.then(() => {
      if (this.#state === 'running') this.#open();
    });
  }

  #open(): void {
    this.#inbound.open();
    if (this.#hasOpened) return;
    this.#hasOpened = true;
    this.#events.emit('started');
  }

  get #parts(): ShutdownParts {
    return { client: this.#settings.client, inbound: this.#inbound, logger: this.#logger };
  }

  #finish(outcome: LoopOutcome, timeoutMs = this.#settings.stopTimeoutMs): Promise<void> {
    this.#outcome ??= outcome;
    this.#finishing ??= this.#shutDown(outcome, timeoutMs);
    return this.#finishing;
  }

  async #shutDown(outcome: LoopOutcome, timeoutMs: number): Promise<void> {
    this.#state = 'stopping';
    const parts = this.#parts;
    const isRegistered = this.#heartbeats !== undefined && (outcome === 'stopped' || outcome === 'paused');
    const isReachable =
      this.#presence.lastSuccess !== undefined && !this.#degraded.has('platform-unreachable');
    await runSteps(this.#logger, [
      () => stopReceiving(parts, this.#transition),
      () => drain(parts, timeoutMs, outcome === 'paused' ? workspacePaused() : agentStopped()),
      () => isRegistered && flush(parts),
      () => this.#life.abort(agentStopped()),
      () => this.#heartbeats,
      // After the loop's last heartbeat, so that none follows it and reports the tasks again.
      () =>
        isRegistered &&
        isReachable &&
        outcome === 'stopped' &&
        sendLastHeartbeat(parts, this.#tasks.current()),
      () => this.#inbound.close(),
      () => this.#lock?.then((release) => release()).catch(() => {}),
    ]);
    this.#state = 'stopped';
    this.#events.emit('stopped', outcome);
    this.#closed.resolve(outcome);
  }
}

/**
 * Creates an agent from a client and a handler; `start()` runs it.
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
