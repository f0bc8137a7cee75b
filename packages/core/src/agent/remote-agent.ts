import { MoleculeError } from '../errors/molecule-error.ts';
import { listDeadLetters } from '../inbound/inbound-store.ts';
import type { DeadLetter } from '../inbound/ledger-lines.ts';
import type { InboundPort } from '../inbound-http/inbound-agent.ts';
import {
  type LoopOutcome,
  ONBOARD_AGAIN,
  type PresenceChange,
  type PresenceState,
} from '../presence/presence-machine.ts';
import { registerWithRetry } from '../presence/registration-retry.ts';
import { checkCallsOf, knownOptions, unknownOptions } from '../settings/known-options.ts';
import { lockWorkspace } from '../storage/file-lock.ts';
import { linkAbort, orAborted } from '../time/linked-abort.ts';
import type { AgentEventName, AgentListener } from './agent-events.ts';
import {
  type AgentClient,
  type RemoteAgentOptions,
  type RemoteAgentSettings,
  resolveRemoteAgentOptions,
} from './agent-options.ts';
import { type AgentParts, createAgentParts, describeHealth } from './agent-parts.ts';
import { isRateLimited } from './agent-requests.ts';
import type { AgentHealth, AgentState } from './health.ts';
import {
  agentStopped,
  drain,
  flush,
  runSteps,
  sayGoodbye,
  sendLastHeartbeat,
  stopReceiving,
  workspacePaused,
} from './shutdown.ts';

export interface AgentStartOptions {
  /**
   * `false`: `start()` resolves at once, and the agent registers in the background. `health()` and the events `started`
   * and `degraded` report how far it is. An error that ends the start is logged and emitted as `start-failed`, and
   * `closed` rejects with it. @default true
   */
  wait?: boolean | undefined;
  /** Aborts the start, which then rejects with the signal's reason; with `wait: false` the agent ends as `stopped`. */
  signal?: AbortSignal | undefined;
}

export interface AgentStopOptions {
  /** How long to wait for running handlers, in milliseconds. @default the agent's `stopTimeoutMs` */
  timeoutMs?: number | undefined;
}

const STOP_OPTIONS = knownOptions<AgentStopOptions>({ timeoutMs: true });

/**
 * A running agent: registers, sends heartbeats and receives messages, until it is stopped, its workspace is removed, its
 * token is revoked, another running agent takes over, or it is paused with `onPause: 'stop'`. Heartbeats never wait for message handling.
 */
export interface RemoteAgent extends Pick<AgentRuntime, keyof AgentRuntime> {}

/** Runs the parts of an agent: presence and inbound messages. */
export class AgentRuntime<Client extends AgentClient = AgentClient> {
  readonly #settings: RemoteAgentSettings<Client>;
  readonly #parts: AgentParts;
  readonly #life = linkAbort();
  readonly #closed = Promise.withResolvers<LoopOutcome>();
  #state: AgentState = 'idle';
  #starting: Promise<void> | undefined;
  #finishing: Promise<void> | undefined;
  #heartbeats: Promise<PresenceState> | undefined;
  /** Serialises pauses and resumes. */
  #transition: Promise<void> = Promise.resolve();
  #lock: Promise<() => Promise<void>> | undefined;
  #outcome: LoopOutcome | undefined;
  #startFailure: { readonly error: unknown; readonly isAwaited: boolean } | undefined;
  #hasOpened = false;
  #hasLoaded = false;

  constructor(options: RemoteAgentOptions<Client>) {
    this.#settings = resolveRemoteAgentOptions(options);
    this.#parts = createAgentParts(this.#settings, {
      onSuperseded: () => {
        this.#parts.report.emit('superseded');
        void this.#finish('superseded', 0);
      },
      onClientClosed: (reason) => {
        void this.#finish('stopped', 0);
        this.#parts.inbound.abortHandlers(reason);
      },
      onPresence: (change, error) => this.#onPresence(change, error),
      isEnding: () => this.#finishing !== undefined || this.#starting === undefined,
      stop: (limits) => this.stop(limits),
    });
  }

  /** The receiving side, for `createInboundHandler` and `A2AServer`. */
  get inbound(): InboundPort {
    return this.#parts.port;
  }

  get state(): AgentState {
    return this.#state;
  }

  /** Resolves when the agent has ended, with the reason. Rejects only with the error that ended a start with `wait: false`. */
  get closed(): Promise<LoopOutcome> {
    return this.#closed.promise;
  }

  /** Returns an unsubscribe function. Listener errors are logged. */
  on<Name extends AgentEventName>(event: Name, listener: AgentListener<Name>): () => void {
    return this.#parts.report.on(event, listener);
  }

  off<Name extends AgentEventName>(event: Name, listener: AgentListener<Name>): void {
    this.#parts.report.off(event, listener);
  }

  /** Returns a snapshot without any request. */
  health(): AgentHealth {
    return describeHealth(this.#state, this.#parts, this.#startFailure ?? this.#outcome);
  }

  /**
   * Registers, then starts heartbeats and receiving. Resolves after the first heartbeat. While the platform is
   * unreachable it keeps retrying and emits `degraded`. Further calls return the same promise.
   * @throws MoleculeError `workspace_in_use`, `unauthorized`, `agent_stopped`, `workspace_removed`.
   */
  start(options: AgentStartOptions = {}): Promise<void> {
    const isOver = this.#finishing !== undefined;
    this.#starting ??= this.#start(options);
    if (options.wait !== false || isOver) return this.#starting;
    this.#starting.catch(() => {}); // `closed` reports it.
    return Promise.resolve();
  }

  /**
   * Stops receiving, waits for running handlers until the timeout, aborts the rest and acknowledges finished messages.
   * Unfinished messages are delivered again. Never rejects; further calls return the same promise.
   */
  stop(options: AgentStopOptions = {}): Promise<void> {
    const unknown = unknownOptions('stop', options, STOP_OPTIONS);
    // To stop never fails.
    if (unknown !== null) this.#parts.logger.warn({ hint: unknown.hint }, unknown.problem);
    return this.#finish('stopped', options.timeoutMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** The messages that were given up, oldest first; their content is untrusted. Before `start()` from the store. */
  async listDeadLetters(): Promise<readonly DeadLetter[]> {
    return this.#hasLoaded ? this.#parts.inbound.deadLetters.list() : listDeadLetters(this.#settings.store);
  }

  /**
   * Handles a dead letter once more; when that succeeds, removes it. The answer reaches the sender as a late message.
   * @throws the error of the handler or of sending the answer; MoleculeError `not_found`, `agent_stopped`.
   */
  async replayDeadLetter(activityId: string): Promise<void> {
    await this.#openDeadLetters.replay(activityId);
  }

  /** Removes a dead letter. @throws MoleculeError `not_found`, `agent_stopped`. */
  async discardDeadLetter(activityId: string): Promise<void> {
    await this.#openDeadLetters.discard(activityId);
  }

  get #openDeadLetters(): AgentParts['inbound']['deadLetters'] {
    if (!this.#hasLoaded || this.#finishing !== undefined) throw agentStopped();
    return this.#parts.inbound.deadLetters;
  }

  async #start(options: AgentStartOptions): Promise<void> {
    if (this.#finishing !== undefined) throw agentStopped();
    this.#state = 'starting';
    const { client, random, usesFolder } = this.#settings;
    const { logger, report, requests, presence, inbound, port } = this.#parts;
    const { clock } = client;
    using limit = linkAbort(options.signal, client.closeSignal, this.#life.signal);
    try {
      port.checkServed();
      if (usesFolder) {
        this.#lock = lockWorkspace(client.stateDirectory, clock, logger);
        await this.#lock;
        await requests.load();
      }
      await inbound.load();
      this.#hasLoaded = true;
      await registerWithRetry({
        client: requests,
        platformUrl: client.platformUrl,
        clock,
        logger,
        random,
        signal: limit.signal,
        onUnreachable: (error) => {
          if (!isRateLimited(error)) report.degraded('platform-unreachable', error);
        },
      });
      limit.signal.throwIfAborted();
      report.recovered('platform-unreachable');
      this.#heartbeats = presence.run(this.#life.signal);
      await orAborted(presence.firstRound, limit.signal);
      if (this.#outcome === 'stopped') throw agentStopped();
    } catch (error) {
      if (this.#outcome === 'paused') return;
      throw await this.#failStart(error, options);
    }
    if (presence.state === 'removed' || presence.state === 'revoked') {
      await this.#finishing;
      throw new MoleculeError('The workspace no longer accepts this agent.', {
        code: presence.state === 'removed' ? 'workspace_removed' : 'unauthorized',
        hint: ONBOARD_AGAIN,
      });
    }
    if (this.#finishing !== undefined || this.#state !== 'starting') return;
    this.#state = 'running';
    this.#open();
    // An agent that is pushed to does not read.
    if (this.#settings.onConflict !== 'fail' || this.#settings.deliveryChoice === 'push') return;
    try {
      await orAborted(requests.firstRead, limit.signal);
    } catch (error) {
      throw await this.#failStart(error, options);
    }
  }

  /** Ends the agent because it could not start; returns the error. A stop or an abort by the caller is not a failure. */
  async #failStart(error: unknown, { wait, signal }: AgentStartOptions): Promise<unknown> {
    if (this.#finishing === undefined && signal?.aborted !== true)
      this.#startFailure = { error, isAwaited: wait !== false };
    await this.#finish('stopped', 0);
    return error;
  }

  #onPresence(change: PresenceChange, error: unknown): void {
    if (change === 'degraded') this.#parts.report.degraded('platform-unreachable', error);
    if (change === 'started' || change === 'recovered') this.#parts.report.recovered('platform-unreachable');
    if (change === 'paused') this.#pause();
    if (change === 'resumed') this.#resume();
    if (change === 'removed' || change === 'revoked') {
      this.#parts.report.emit(change);
      void this.#finish(change, 0);
    }
  }

  #pause(): void {
    if (this.#finishing !== undefined) return;
    this.#parts.report.recovered('platform-unreachable');
    this.#state = 'paused';
    this.#parts.report.emit('paused');
    if (this.#settings.onPause === 'stop') {
      void this.#finish('paused', 0);
      return;
    }
    this.#transition = this.#transition.then(() => {
      const received = stopReceiving(this.#parts, Promise.resolve());
      this.#parts.inbound.abortHandlers(workspacePaused());
      return received;
    });
  }

  #resume(): void {
    if (this.#finishing !== undefined) return;
    this.#state = 'running';
    this.#parts.report.emit('resumed');
    this.#transition = this.#transition.then(() => {
      if (this.#state === 'running') this.#open();
    });
  }

  #open(): void {
    this.#parts.inbound.open();
    if (this.#hasOpened) return;
    this.#hasOpened = true;
    this.#parts.report.emit('started');
  }

  #finish(outcome: LoopOutcome, timeoutMs = this.#settings.stopTimeoutMs): Promise<void> {
    this.#outcome ??= outcome;
    this.#finishing ??= this.#shutDown(outcome, timeoutMs);
    return this.#finishing;
  }

  /** Stops receiving, waits for handlers, acknowledges, and says goodbye to the platform. Never rejects. */
  async #shutDown(outcome: LoopOutcome, timeoutMs: number): Promise<void> {
    const parts = this.#parts;
    const { client, logger, report, presence, inbound } = parts;
    this.#state = 'stopping';
    const isRefused = outcome === 'removed' || outcome === 'revoked';
    const isRegistered = this.#heartbeats !== undefined && !isRefused && client.closeSignal?.aborted !== true;
    const isReached = presence.lastSuccess !== undefined && !report.isDegraded('platform-unreachable');
    await runSteps(logger, [
      () => stopReceiving(parts, this.#transition),
      () => drain(parts, timeoutMs, outcome === 'paused' ? workspacePaused() : agentStopped()),
      () => isRegistered && flush(parts),
      () => {
        this.#life.abort(agentStopped());
        return this.#heartbeats;
      },
      // After the loop has ended: a later heartbeat would report the tasks again.
      () => isRegistered && isReached && outcome === 'stopped' && sendLastHeartbeat(parts),
      () => isRegistered && isReached && outcome !== 'superseded' && sayGoodbye(parts),
      () => inbound.close(agentStopped()),
    ]);
    await this.#lock?.then((release) => release()).catch(() => {});
    this.#state = 'stopped';
    report.end();
    const failure = this.#startFailure;
    if (failure === undefined || failure.isAwaited) this.#closed.resolve(outcome);
    else {
      // The frames of an error of this package are of no use, because its hint has what to do.
      const error = MoleculeError.isInstance(failure.error) ? failure.error.toJSON() : failure.error;
      logger.error({ error }, 'The agent could not start.');
      report.emit('start-failed', failure.error);
      this.#closed.promise.catch(() => {});
      this.#closed.reject(failure.error);
    }
    if (failure === undefined) report.emit('stopped', outcome);
  }
}

checkCallsOf<AgentRuntime>(AgentRuntime.prototype, { start: [0, { wait: true, signal: true }] });

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
): RemoteAgent {
  return new AgentRuntime(options);
}
