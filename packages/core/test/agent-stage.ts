import type { AgentCard, Capability, DeliveryMode, InboundMessage, Jwks } from '@molecule-ai/protocol';
import type { AgentEventName } from '../src/agent/agent-events.ts';
import type { RemoteAgentOptions } from '../src/agent/agent-options.ts';
import type { RemoteAgent } from '../src/agent/remote-agent.ts';
import { createRemoteAgent } from '../src/agent/remote-agent.ts';
import type { CancellationPage } from '../src/client/cancellation.ts';
import {
  CLIENT_PORT,
  type ClientPort,
  type ProbeResult,
  type ProgressReceipt,
} from '../src/client/client-port.ts';
import type { HeartbeatMetrics, HeartbeatReport } from '../src/client/heartbeat.ts';
import type {
  Acknowledgement,
  AcknowledgeOptions,
  FetchInboundOptions,
  InboundPage,
  MessageOutcome,
  ReadInboundOptions,
} from '../src/client/inbound-page.ts';
import type { PeerClient } from '../src/client/peer-client.ts';
import type { QuestionsToAsk } from '../src/client/questions.ts';
import type { RegisterOptions, Registration } from '../src/client/registration.ts';
import type { ReplyContent, ReplyOptions, ReplyReceipt } from '../src/client/reply.ts';
import { MemoryInboundStore } from '../src/inbound/inbound-store.ts';
import { recordingLogger } from '../src/testing/recording-logger.ts';
import type { RunningAgentOptions } from '../src/transport/platform-request.ts';
import { PEER, SELF } from './agent-ids.ts';
import { ManualClock } from './manual-clock.ts';
import { PresenceDouble, unreachable } from './presence-double.ts';

const EVENTS: readonly AgentEventName[] = [
  'start-failed',
  'message',
  'delivered',
  'reply-sent',
  'retry',
  'dead-letter',
  'failed',
  'expired',
  'cancelled',
  'answer-unhandled',
  'stuck',
  'delivery-changed',
  'paused',
  'resumed',
  'removed',
  'revoked',
  'superseded',
  'degraded',
  'recovered',
  'cursor-lost',
  'stopped',
];

/** A message of a peer, in its own conversation. */
export function messageOf(id: string): InboundMessage {
  return {
    id,
    activityId: id,
    messageId: `message-${id}`,
    contextId: `context-${id}`,
    conversationId: '',
    data: undefined,
    answers: [],
    inReplyTo: '',
    method: 'message/send',
    params: {},
    parts: [],
    metadata: {},
    source: 'peer_agent',
    sourceId: PEER,
    peerId: PEER,
    role: 'user',
    expectsAnswer: true,
    text: `text of ${id}`,
    peerName: '',
    peerRole: '',
    agentCardUrl: '',
    receivedAt: '2026-01-01T00:00:00Z',
    seq: null,
    raw: {},
  };
}

/** The port of a client without a network: the presence double and a feed in memory that holds requests. */
export class AgentClientDouble extends PresenceDouble implements ClientPort {
  readonly [CLIENT_PORT] = this;
  readonly workspaceId = SELF;
  readonly platformUrl = 'http://platform.test';
  capabilities: ReadonlySet<Capability> = new Set(['acknowledge', 'instances']);
  readonly stateDirectory: string;
  isDisabled = false;
  readonly logger = recordingLogger();
  /** Abort it to close the client. */
  readonly closing = new AbortController();
  readonly closeSignal: AbortSignal = this.closing.signal;
  reportedUrl: string | null = null;
  agentCard: AgentCard = { name: 'double' };
  offerSkills(): void {}
  /** The public keys of the platform. */
  keys: Jwks = { keys: [] };
  declare readonly clock: ManualClock;
  random = (): number => 1;
  readonly acknowledged: string[] = [];
  readonly outcomes: MessageOutcome[] = [];
  readonly replies: string[] = [];
  /** Why a reply with this text fails, if it does. */
  replyFailure: (text: string) => Error | null = () => null;
  /** Message ids of replies that calls have returned. */
  readonly returned = new Set<string>();
  /** Questions about direct messages. */
  readonly asked: QuestionsToAsk[] = [];
  issuer: string | null = null;
  /** Instances that sent a register or a heartbeat. */
  readonly instances: (string | undefined)[] = [];
  /** Instances that reported that they stop. */
  readonly goodbyes: string[] = [];
  /** Of the reads, in order. */
  readonly reads: ReadInboundOptions[] = [];
  /** Throws to refuse a read. */
  onRead: (query: ReadInboundOptions) => void = () => {};
  isFeedDown = false;
  readonly #rows: InboundMessage[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(stateDirectory = '/nowhere') {
    super(new ManualClock());
    this.stateDirectory = stateDirectory;
  }

  /** Adds messages and runs all pending promises. */
  async deliver(...ids: string[]): Promise<void> {
    this.#rows.push(...ids.map(messageOf));
    for (const wake of [...this.#waiting]) wake();
    await this.flushPromises();
  }

  /** Like {@link deliver}, with all messages in one conversation. */
  async deliverAs(contextId: string, ...ids: string[]): Promise<void> {
    this.#rows.push(...ids.map((id) => ({ ...messageOf(id), contextId })));
    for (const wake of [...this.#waiting]) wake();
    await this.flushPromises();
  }

  /** Runs everything that needs no time. */
  async flushPromises(): Promise<void> {
    for (let round = 0; round < 5; round += 1) await this.clock.advance(0);
  }

  async fetchInboundPage(query: ReadInboundOptions): Promise<InboundPage> {
    this.reads.push(query);
    if (this.isFeedDown) throw unreachable();
    this.onRead(query);
    if (this.#after(query).length === 0 && query.waitSecs !== undefined) await this.#hold(query);
    const messages = this.#after(query).slice(0, query.limit);
    return {
      messages,
      rows: messages.length,
      skipped: 0,
      lastRowId: messages.at(-1)?.id ?? null,
      oldestRow: messages[0] === undefined ? null : { id: messages[0].id, at: messages[0].receivedAt },
      hasMore: false,
      waitApplied: query.waitSecs !== undefined,
    };
  }

  async fetchSigningKeys(): Promise<Jwks> {
    this.calls.push('keys');
    return this.keys;
  }

  /** Of the next probes, the last one repeats. */
  probes: ProbeResult[] = [{ isReachable: true, reason: null }];

  async probe(): Promise<ProbeResult> {
    this.calls.push('probe');
    const [result = { isReachable: false, reason: null }] = this.probes;
    if (this.probes.length > 1) this.probes.shift();
    return result;
  }

  /** The secret that a platform without tokens sent. */
  inboundSecret: string | undefined;

  async currentInboundSecret(): Promise<string | undefined> {
    return this.inboundSecret;
  }

  async askQuestions(asked: QuestionsToAsk): Promise<[]> {
    this.asked.push(asked);
    return [];
  }

  async fetchCancellations(): Promise<CancellationPage> {
    return { canceled: [], lastSeq: 0 };
  }

  /** The modes that were registered, in order. */
  readonly modes: (DeliveryMode | undefined)[] = [];

  /** The cards that were registered, in order. */
  readonly cards: (AgentCard | undefined)[] = [];

  override async register(options: RegisterOptions & RunningAgentOptions): Promise<Registration> {
    this.cards.push(options.agentCard);
    this.instances.push(options.instanceId);
    this.modes.push(options.deliveryMode);
    return { ...(await super.register(options)), issuer: this.issuer };
  }

  override heartbeat(metrics: HeartbeatMetrics, options: RunningAgentOptions): Promise<HeartbeatReport> {
    this.instances.push(options.instanceId);
    return super.heartbeat(metrics, options);
  }

  /** Where an agent takes a client. */
  get asClient(): PeerClient {
    return this as unknown as PeerClient;
  }

  async currentToken(): Promise<undefined> {
    return undefined;
  }

  openHeartbeatThread(): null {
    return null;
  }

  onPeerChanged(): () => void {
    return () => {};
  }

  async reportProgress(): Promise<ProgressReceipt> {
    return { isTaken: false, nextOffset: null };
  }

  async sendInboundProbe(messageId: string): Promise<void> {
    this.#rows.push({ ...messageOf(messageId), messageId, peerId: SELF, sourceId: SELF });
    for (const wake of [...this.#waiting]) wake();
  }

  async goodbye(instanceId: string): Promise<void> {
    this.goodbyes.push(instanceId);
  }

  async acknowledge(
    upToActivityId: string | null,
    { outcomes = [] }: AcknowledgeOptions = {},
  ): Promise<Acknowledgement> {
    if (this.isFeedDown) throw unreachable();
    if (upToActivityId !== null) this.acknowledged.push(upToActivityId);
    this.outcomes.push(...outcomes);
    return { isSupported: true, acknowledged: 1, outcomes: [] };
  }

  observeReply({ messageId }: InboundMessage): boolean {
    return this.returned.has(messageId);
  }

  async sentMessages() {
    return () => false;
  }

  async reply(
    message: InboundMessage,
    answer: string | ReplyContent,
    _options: ReplyOptions,
  ): Promise<ReplyReceipt> {
    if (this.isFeedDown) throw unreachable();
    const text = typeof answer === 'string' ? answer : answer.text;
    const failure = this.replyFailure(text);
    if (failure !== null) throw failure;
    this.replies.push(`${message.id}: ${text}`);
    return { status: 'sent', via: 'a2a', messageId: `reply-to-${message.id}` };
  }

  #after({ sinceId }: FetchInboundOptions): InboundMessage[] {
    const position = sinceId ?? this.acknowledged.at(-1);
    return this.#rows.slice(this.#rows.findIndex((row) => row.id === position) + 1);
  }

  async #hold({ waitSecs = 0, signal }: FetchInboundOptions): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = this.clock.setTimer(waitSecs * 1_000, resolve);
      const wake = (): void => {
        timer.cancel();
        resolve();
      };
      this.#waiting.add(wake);
      signal?.addEventListener('abort', () => {
        timer.cancel();
        reject(signal.reason);
      });
    });
    this.#waiting.clear();
  }
}

/** An agent with a client double, and its events. */
export interface AgentStage {
  readonly client: AgentClientDouble;
  readonly agent: RemoteAgent;
  /** Names of the events, in order; `degraded` and `recovered` with their reason, `stopped` with its outcome. */
  readonly events: string[];
}

/** Options of an agent whose client is a double. */
export type StageOptions = Partial<Omit<RemoteAgentOptions, 'client'>> & {
  readonly client?: AgentClientDouble | undefined;
};

/** Creates an agent that stores nothing on disk, unless `store` is `undefined`. */
export function agentStage(
  { client: given, ...options }: StageOptions = {},
  client: AgentClientDouble = given ?? new AgentClientDouble(),
): AgentStage {
  const agent = createRemoteAgent({
    onMessage: (message) => `echo ${message.id}`,
    store: new MemoryInboundStore(),
    concurrency: 1,
    ...options,
    client: client.asClient,
  });
  const events: string[] = [];
  for (const name of EVENTS)
    agent.on(name, (...values: readonly unknown[]) => events.push(nameOf(name, values[0])));
  return { client, agent, events };
}

/** Creates and starts an agent. */
export async function runningAgent(options: StageOptions = {}): Promise<AgentStage> {
  const stage = agentStage(options);
  await stage.agent.start();
  await stage.client.flushPromises();
  return stage;
}

function nameOf(name: AgentEventName, first: unknown): string {
  if (typeof first === 'string') return `${name} ${first}`;
  return typeof first === 'object' && first !== null && 'id' in first ? `${name} ${first.id}` : name;
}

/** A handler that waits for `open()`, or throws when its signal aborts. */
export class Gate {
  readonly signals: AbortSignal[] = [];
  #open: () => void = () => {};

  readonly handler = (_message: InboundMessage, { signal }: { signal: AbortSignal }): Promise<string> => {
    this.signals.push(signal);
    return new Promise((resolve, reject) => {
      this.#open = () => resolve('done');
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  };

  open(): void {
    this.#open();
  }
}
