import type { InboundMessage } from '@molecule-ai/protocol';
import type { HistoryOptions, HistoryPage } from '../client/conversation-history.ts';
import type { PeerClient } from '../client/peer-client.ts';
import { ApiError } from '../errors/api-error.ts';
import { ConfigurationError, MoleculeError } from '../errors/molecule-error.ts';
import { NO_ANSWER_HANDLER } from '../inbound/attempt.ts';
import type { HandlerAnswer } from '../inbound/handler.ts';
import { Inbound } from '../inbound/inbound.ts';
import { listDeadLetters } from '../inbound/inbound-store.ts';
import type { DeadLetter } from '../inbound/ledger-lines.ts';
import type { InboundPort } from '../inbound-http/inbound-agent.ts';
import { childLogger, type Logger } from '../logging/logger.ts';
import { HeartbeatLoop } from '../presence/heartbeat-loop.ts';
import {
  type LoopOutcome,
  ONBOARD_AGAIN,
  type PresenceChange,
  type PresenceState,
} from '../presence/presence-machine.ts';
import { registerWithRetry } from '../presence/registration-retry.ts';
import { threadOpener } from '../presence/run-heartbeat-loop.ts';
import {
  abortSignal,
  argumentProblem,
  checkArguments,
  flag,
  given,
  type OptionsOf,
  optionsSchema,
} from '../settings/options.ts';
import { lockWorkspace } from '../storage/file-lock.ts';
import { systemClock, type Timer } from '../time/clock.ts';
import { linkAbort, orAborted } from '../time/linked-abort.ts';
import type { AgentEventName, AgentListener } from './agent-events.ts';
import { AgentInbound } from './agent-inbound.ts';
import {
  type RemoteAgentOptions,
  type RemoteAgentSettings,
  resolveRemoteAgentOptions,
} from './agent-options.ts';
import { AgentReport } from './agent-report.ts';
import { AgentRequests, isRateLimited } from './agent-requests.ts';
import type { AnswerHandler, HandlerContext } from './handlers.ts';
import type { AgentHealth, AgentState } from './health.ts';
import { answerIn, type InboundAnswer } from './inbound-answer.ts';
import { AgentWatch } from './watch.ts';

/** After so long, an agent that nobody has started is warned about. */
const REMINDER_MS = 60_000;
const FAKED = {
  hint: 'Fake only Date, such as vi.useFakeTimers({ toFake: ["Date"] }), or pass the clock of createTestPlatform(): heartbeats and time limits do not run.',
};

/** What an agent registers by its delivery; `undefined` for what its client says. */
const MODES = { auto: undefined, own: undefined, 'long-poll': 'poll', poll: 'poll', push: 'push' } as const;

export class AgentStartShape {
  /**
   * `false`: `start()` resolves at once, and the agent registers in the background. `health()` and the events `started`
   * and `degraded` report how far it is. An error that ends the start is logged and emitted as `start-failed`, and
   * `closed` rejects with it. @default true
   */
  wait = flag(undefined);
  /** Aborts the start, which then rejects with the signal's reason; with `wait: false` the agent ends as `stopped`. */
  signal = abortSignal();
}

export interface AgentStartOptions extends OptionsOf<AgentStartShape> {}

export class AgentStopShape {
  /** How long to wait for running handlers, in milliseconds. @default the agent's `stopTimeoutMs` */
  timeoutMs = given<number>();
}

export interface AgentStopOptions extends OptionsOf<AgentStopShape> {}

const STOP = { 0: optionsSchema(new AgentStopShape()) };

/**
 * A running agent: registers, sends heartbeats and receives messages, until it is stopped, its workspace is removed, its
 * token is revoked, another running agent takes over, or it is paused with `onPause: 'stop'`. Heartbeats never wait for message handling.
 */
export interface RemoteAgent extends Pick<AgentRuntime, keyof AgentRuntime> {}

/** Runs the parts of an agent: presence and inbound messages. */
export class AgentRuntime {
  readonly #settings: RemoteAgentSettings;
  readonly #logger: Logger;
  readonly #report: AgentReport;
  readonly #requests: AgentRequests;
  readonly #presence: HeartbeatLoop;
  readonly #inbound: Inbound;
  readonly #port: AgentInbound;
  readonly #watch: AgentWatch;
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
  readonly #reminder: Timer;
  #hasOpened = false;
  #hasLoaded = false;

  /** Connects the parts, without any I/O. */
  constructor(options: RemoteAgentOptions) {
    const settings = resolveRemoteAgentOptions(options);
    const { client, port, random, heartbeatIntervalMs: intervalMs, deliveryChoice } = settings;
    const { clock, closeSignal } = port;
    const logger = childLogger(port.logger, { workspaceId: port.workspaceId });
    const report = new AgentReport({
      clock,
      logger,
      onMetricsChanged: () => this.#presence.metricsChanged(),
    });
    this.#settings = settings;
    this.#logger = logger;
    this.#report = report;
    this.#reminder = clock.setTimer(REMINDER_MS, () => {
      logger.warn(
        { hint: 'Call agent.start().' },
        'The agent was created a minute ago, and nobody has started it.',
      );
    });
    const onClosed = (): void => this.#clientClosed(closeSignal.reason);
    closeSignal.addEventListener('abort', onClosed, { once: true });
    report.onEnd(() => closeSignal.removeEventListener('abort', onClosed));
    const stopObserving = port.onPeerChanged((change) => report.emit('peer-changed', change));
    report.onEnd(stopObserving);
    const requests = new AgentRequests({
      ...settings,
      report,
      logger,
      registration: () => ({
        deliveryMode: this.#watch.deliveryMode ?? MODES[deliveryChoice],
        agentCard: this.#port.registeredCard,
      }),
      onRegistered: ({ issuer }) => this.#port.registered(issuer),
      onLost: () => {
        report.emit('superseded');
        void this.#finish('superseded', 0);
      },
      onRemoved: () => this.#presence.stateChanged('removed'),
    });
    this.#requests = requests;
    const watch = new AgentWatch({
      settings,
      logger,
      report,
      register: (signal) => requests.register({ signal }),
      onPushed: () => {
        requests.granted();
        this.#inbound.positionReleased();
      },
      mayRead: () => this.#inbound.mayRead,
      lastHeartbeat: () => this.#presence.lastSuccess?.monotonicMs,
      isEnding: () => this.#isEnding,
      stop: (limits) => this.stop(limits),
    });
    this.#watch = watch;
    this.#presence = new HeartbeatLoop({
      client: requests,
      clock,
      logger,
      random,
      intervalMs,
      openThread: threadOpener(port, settings),
      metrics: () => report.metrics(),
      onChange: (change, error) => this.#onPresence(change, error),
    });
    this.#inbound = new Inbound({
      ...settings,
      delivery: watch.delivery,
      watch,
      client: requests,
      clock,
      logger,
      handler: (message, attempt) =>
        this.#handle(
          message,
          Object.assign(attempt, {
            client,
            history: (history?: HistoryOptions) =>
              historyBefore(client, message, { ...history, signal: history?.signal ?? attempt.signal }),
            logger: childLogger(logger, { activityId: message.id }),
          }),
        ),
      mayAsk: () => this.#answerHandler('question') !== undefined,
      observer: report,
    });
    this.#port = new AgentInbound({
      settings,
      inbound: this.#inbound,
      logger,
      report,
      presence: this.#presence,
      watch,
    });
  }

  /** The receiving side, for `createInboundHandler` and `A2AServer`. */
  get inbound(): InboundPort {
    return this.#port;
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
    return this.#report.on(event, listener);
  }

  off<Name extends AgentEventName>(event: Name, listener: AgentListener<Name>): void {
    this.#report.off(event, listener);
  }

  /** Returns a snapshot without any request. */
  health(): AgentHealth {
    const { degradedReasons, lastFailure } = this.#report;
    const state = this.#state;
    const presence = this.#presence;
    const { lastGivenUp, ...received } = this.#inbound.health();
    return {
      state,
      presence: presence.state,
      ok: degradedReasons.length === 0 && (state === 'running' || state === 'paused'),
      degradedReasons,
      lastHeartbeatAt: presence.lastSuccess ? new Date(presence.lastSuccess.at).toISOString() : null,
      consecutiveHeartbeatFailures: presence.consecutiveFailures,
      heartbeats: presence.place,
      eventLoopLagMs: presence.eventLoopLagMs,
      ...received,
      deliveryReason: this.#watch.deliveryReason ?? null,
      lastFailure: lastFailure ?? lastGivenUp,
      endReason: state === 'stopped' ? this.#endReason : null,
    };
  }

  /**
   * Registers, then starts heartbeats and receiving. Resolves after the first heartbeat. While the platform is
   * unreachable it keeps retrying and emits `degraded`. While another running agent of the workspace receives its messages, it waits too, unless `presence.onConflict` says
   * otherwise. Further calls return the same promise. With `MOLECULE_DISABLED=1` in the environment it ends the agent as `stopped`, without a request, unless the
   * client has the dispatcher of a test platform.
   * @throws MoleculeError `workspace_in_use`, `unauthorized`, `agent_stopped`, `workspace_removed`.
   */
  start(options: AgentStartOptions = {}): Promise<void> {
    this.#reminder.cancel();
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
    const unknown = argumentProblem('stop', STOP, [options]);
    // To stop never fails.
    if (unknown !== null) this.#logger.warn({ hint: unknown.hint }, unknown.problem);
    return this.#finish('stopped', options.timeoutMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** The messages that were given up, oldest first; their content is untrusted. Before `start()` from the store. */
  async listDeadLetters(): Promise<readonly DeadLetter[]> {
    return this.#hasLoaded ? this.#inbound.deadLetters.list() : listDeadLetters(this.#settings.store);
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

  get #openDeadLetters(): Inbound['deadLetters'] {
    if (!this.#hasLoaded || this.#finishing !== undefined) throw agentStopped();
    return this.#inbound.deadLetters;
  }

  async #start(options: AgentStartOptions): Promise<void> {
    if (this.#finishing !== undefined) throw agentStopped();
    this.#state = 'starting';
    const { port, random, usesFolder } = this.#settings;
    const { clock } = port;
    const logger = this.#logger;
    if (port.isDisabled) {
      logger.info({}, 'MOLECULE_DISABLED is set: the agent joins no workspace, and ends.');
      return this.#finish('stopped', 0);
    }
    if (clock === systemClock && Object.hasOwn(setTimeout, 'clock'))
      logger.warn(FAKED, 'The timers of this process are faked.');
    const report = this.#report;
    const requests = this.#requests;
    const presence = this.#presence;
    using limit = linkAbort(options.signal, port.closeSignal, this.#life.signal);
    try {
      this.#port.checkServed();
      if (usesFolder) {
        this.#lock = lockWorkspace(port.stateDirectory, clock, logger);
        await this.#lock;
        await requests.load();
      }
      await this.#inbound.load();
      this.#hasLoaded = true;
      await registerWithRetry({
        client: requests,
        platformUrl: port.platformUrl,
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
    // An agent that is pushed to does not read, and one of the application may read elsewhere.
    if (['push', 'own'].includes(this.#settings.deliveryChoice)) return;
    try {
      await orAborted(requests.firstRead.promise, limit.signal);
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
    if (change === 'degraded') this.#report.degraded('platform-unreachable', error);
    if (change === 'started' || change === 'recovered') this.#report.recovered('platform-unreachable');
    if (change === 'paused') this.#pause();
    if (change === 'resumed') this.#resume();
    if (change === 'removed' || change === 'revoked') {
      this.#report.emit(change);
      void this.#finish(change, 0);
    }
  }

  #answerHandler(kind: InboundAnswer['kind']): AnswerHandler | undefined {
    const { onMessage, onAnswer = onMessage.onAnswer } = this.#settings;
    return onAnswer?.kinds?.includes(kind) === false ? undefined : onAnswer;
  }

  #handle(message: InboundMessage, context: HandlerContext): HandlerAnswer | Promise<HandlerAnswer> {
    const answer = answerIn(message);
    if (answer === null) return this.#settings.onMessage(message, context);
    const onAnswer = this.#answerHandler(answer.kind);
    if (onAnswer !== undefined) return onAnswer(answer, context);
    if (answer.kind === 'question') throw new ConfigurationError(...NO_ANSWER_HANDLER);
    const { messageId } = answer.original;
    const hint = `client.waitForAnswer('${messageId}') returns it, and onAnswer of the agent gets the next one.`;
    context.logger.info({ hint }, 'A message ended that no call waits for, and nothing handles that.');
    this.#report.emit('answer-unhandled', answer);
    return null;
  }

  #pause(): void {
    if (this.#finishing !== undefined) return;
    this.#report.recovered('platform-unreachable');
    this.#state = 'paused';
    this.#report.emit('paused');
    if (this.#settings.onPause === 'stop') {
      void this.#finish('paused', 0);
      return;
    }
    this.#transition = this.#transition.then(() => {
      const suspended = this.#inbound.suspend();
      this.#inbound.abortHandlers(workspacePaused());
      return suspended;
    });
  }

  #resume(): void {
    if (this.#finishing !== undefined) return;
    this.#state = 'running';
    this.#report.emit('resumed');
    this.#transition = this.#transition.then(() => {
      if (this.#state === 'running') this.#open();
    });
  }

  get #isEnding(): boolean {
    return this.#finishing !== undefined || this.#starting === undefined;
  }

  /** Why it has ended; `null` for an agent that has not. */
  get #endReason(): string | null {
    if (this.#startFailure === undefined) return this.#outcome ?? null;
    const { error } = this.#startFailure;
    return MoleculeError.isInstance(error) ? error.code : 'start_failed';
  }

  /** Nothing can be sent any more, and what is not finished stays stored for the next agent. */
  #clientClosed(reason: unknown): void {
    this.#reminder.cancel();
    if (this.#isEnding) return;
    const text =
      'The client was closed while its agent was running, which ends: stop an agent before its client.';
    this.#logger.error({ error: reason }, text);
    void this.#finish('stopped', 0);
    this.#inbound.abortHandlers(reason);
  }

  #open(): void {
    this.#inbound.open();
    if (this.#hasOpened) return;
    this.#hasOpened = true;
    this.#report.emit('started');
  }

  #finish(outcome: LoopOutcome, timeoutMs = this.#settings.stopTimeoutMs): Promise<void> {
    this.#outcome ??= outcome;
    this.#finishing ??= this.#shutDown(outcome, timeoutMs);
    return this.#finishing;
  }

  /** Stops receiving, waits for handlers, acknowledges, and says goodbye to the platform. Never rejects. */
  async #shutDown(outcome: LoopOutcome, timeoutMs: number): Promise<void> {
    const { port } = this.#settings;
    const logger = this.#logger;
    const report = this.#report;
    const inbound = this.#inbound;
    const requests = this.#requests;
    this.#reminder.cancel();
    this.#state = 'stopping';
    const isRefused = outcome === 'removed' || outcome === 'revoked';
    const isRegistered = this.#heartbeats !== undefined && !isRefused && port.closeSignal.aborted !== true;
    const isReached = this.#presence.lastSuccess !== undefined && !report.isDegraded('platform-unreachable');
    const steps = [
      () => Promise.all([inbound.suspend(), this.#transition]),
      () => inbound.drain(timeoutMs, outcome === 'paused' ? workspacePaused() : agentStopped()),
      () => isRegistered && inbound.flush(),
      () => {
        this.#life.abort(agentStopped());
        return this.#heartbeats;
      },
      // After the loop has ended: a later heartbeat would report the tasks again.
      () => isRegistered && isReached && outcome === 'stopped' && requests.lastHeartbeat(),
      () => isRegistered && isReached && outcome !== 'superseded' && requests.goodbye(),
      () => inbound.close(agentStopped()),
      () => this.#lock?.then((release) => release()).catch(() => {}),
    ];
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        logger.error({ error }, 'A step of the shutdown failed; continuing with the next.');
      }
    }
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

/** The history without the message. A direct message has no row in the feed: what is there came before it. */
async function historyBefore(
  client: PeerClient,
  message: InboundMessage,
  options: HistoryOptions,
): Promise<HistoryPage> {
  const { conversationId, id } = message;
  try {
    return await client.conversationHistory(conversationId, { ...options, before: options.before ?? id });
  } catch (error) {
    const isUnknownRow = ApiError.isInstance(error) && error.platformCode === 'cursor_not_found';
    if (!isUnknownRow || options.before !== undefined) throw error;
    return await client.conversationHistory(conversationId, options);
  }
}

/** The abort reason when the agent is stopped. */
function agentStopped(): MoleculeError {
  return new MoleculeError('The agent was stopped.', { code: 'agent_stopped' });
}

/** The abort reason when the workspace is paused. */
function workspacePaused(): MoleculeError {
  return new MoleculeError('The workspace was paused.', { code: 'workspace_paused' });
}

checkArguments(AgentRuntime.prototype, { start: { 0: optionsSchema(new AgentStartShape()) } });

/**
 * Start here: creates an agent from a client and a handler; `start()` registers it, keeps it online and receives its messages. What the handler
 * returns is the answer. Code outside of handlers uses the client: `callPeer`, `streamPeer`, `notify`.
 * @throws ConfigurationError naming the option.
 *
 * @example
 * const client = new RemoteAgentClient(); // MOLECULE_PLATFORM_URL, MOLECULE_WORKSPACE_ID and MOLECULE_WORKSPACE_TOKEN, or options
 * const agent = createRemoteAgent({ client, onMessage: (message) => `echo: ${message.text}` });
 * await agent.start();
 * process.once('SIGTERM', () => agent.stop());
 * await agent.closed;
 */
export function createRemoteAgent(options: RemoteAgentOptions): RemoteAgent {
  return new AgentRuntime(options);
}
