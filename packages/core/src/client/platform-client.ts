import {
  type AgentCard,
  buildSendMessage,
  type Capability,
  type DeliveryMode,
  type InboundMessage,
  type JsonObject,
  type Jwks,
  routes,
} from '@molecule-ai/protocol';
import { withTraceHeaders } from '@molecule-ai/telemetry';
import { ApiError } from '../errors/api-error.ts';
import type { HeartbeatThread, HeartbeatThreadOptions } from '../heartbeat-worker/heartbeat-thread.ts';
import type { Logger } from '../logging/logger.ts';
import type { PeerChange } from '../peers/peer-identities.ts';
import { type PeerInfo, readPeerInfo } from '../peers/peer-info.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import type { ActivityFilters, ActivityPage } from '../platform-api/activity.ts';
import { deriveMessageId } from '../platform-api/idempotency-key.ts';
import {
  type GetWorkspaceOptions,
  getWorkspace,
  getWorkspaceState,
  type WorkspaceInfo,
  type WorkspaceStateReport,
} from '../platform-api/workspaces.ts';
import { checkArgumentNames, checkCallsOf, knownOptions } from '../settings/known-options.ts';
import type { Clock } from '../time/clock.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import { type CancellationPage, type FetchCancellationsOptions, readCancellations } from './cancellation.ts';
import { type ClientContext, createClientContext, type RemoteAgentClientOptions } from './client-context.ts';
import { type HistoryOptions, type HistoryPage, readConversationHistory } from './conversation-history.ts';
import {
  type HeartbeatMetrics,
  type HeartbeatOptions,
  type HeartbeatReport,
  Heartbeats,
  openHeartbeatThread,
} from './heartbeat.ts';
import {
  type Acknowledgement,
  type AcknowledgeOptions,
  acknowledge,
  type FetchInboundOptions,
  type InboundPage,
  type ReadInboundOptions,
  readInboundPage,
} from './inbound-page.ts';
import {
  CALL,
  GET_WORKSPACE,
  LIST_ACTIVITY,
  LIST_TOKENS,
  OF_READ,
  SEND_MESSAGE,
  WAIT_FOR_ANSWER,
} from './known-options.ts';
import {
  type ListMessagesOptions,
  listSentMessages,
  type SentMessagePage,
  type WaitForAnswerOptions,
} from './message-state.ts';
import type { CallPeerOptions, StreamPeerOptions } from './peer-calls.ts';
import type { PeerStream } from './peer-stream.ts';
import { type AskedQuestion, QUESTIONS, type QuestionsToAsk, toQuestion } from './questions.ts';
import { type RegisterOptions, type Registration, registerAgent, withStreaming } from './registration.ts';
import {
  type NotifyOptions,
  type NotifyReceipt,
  notifyUser,
  type ReplyContent,
  type ReplyOptions,
  type ReplyReceipt,
  type ReplyTarget,
  replyTo,
} from './reply.ts';
import { SentMessages } from './sent-messages.ts';
import {
  type ListTokensOptions,
  rotateToken,
  TokenCalls,
  type TokenInfo,
  type TokenRotation,
} from './tokens.ts';

const METRICS = knownOptions<HeartbeatMetrics>({
  currentTask: true,
  activeTasks: true,
  errorRate: true,
  sampleError: true,
  uptimeSeconds: true,
  monthlySpendCents: true,
  runtimeState: true,
  runtimeMetadata: true,
  eventLoopLagMs: true,
});

/** Whether the platform reaches an agent; `reason` is a word of docs/contract/presence.md#probe, `null` when it does. */
export interface ProbeResult {
  readonly isReachable: boolean;
  readonly reason: string | null;
  /** Of the response of what the platform reached; `null` when there was none. */
  readonly status?: number | null | undefined;
}

/** A handler that is far ahead waits for a report. */
const PROGRESS_MS = 10_000;

/** More of the answer that a handler is making. */
export interface ProgressReport {
  /** The row of the message. */
  readonly activityId: string;
  /** Names the run of the handler. */
  readonly runId: string;
  /** How much of the text was reported before, in UTF-16 units. */
  readonly offset: number;
  /** At most 256 Ki UTF-16 units. */
  readonly text: string;
  /** Whether the run reports nothing more. */
  readonly isFinal: boolean;
}

export interface ProgressReceipt {
  /** Whether the report was taken. */
  readonly isTaken: boolean;
  /** Where the next report begins, in UTF-16 units; `null` when this run must not report any more. */
  readonly nextOffset: number | null;
}

/**
 * One method per endpoint, with the Python SDK's names in camelCase. Applications use `RemoteAgentClient`, which adds the
 * heartbeat and agent loops.
 *
 * Every method takes `{ signal }` and rejects with the signal's reason when it aborts. All other errors are
 * `MoleculeError`s: `ApiError` for a response outside 2xx, `ConnectionError`, `TimeoutError`. Requests that are safe to
 * repeat are retried after 429, 502, 503, 504 and connection errors. The token is sent to the platform's origin only.
 */
export class PlatformClient {
  static {
    const ofInstance = { signal: true, instanceId: true, isRetried: true } as const;
    const callPeer = { ...SEND_MESSAGE, via: true } as const;
    checkCallsOf<PlatformClient>(PlatformClient.prototype, {
      register: [0, { ...ofInstance, deliveryMode: true, agentCard: true }],
      probe: [1, CALL],
      fetchSigningKeys: [0, CALL],
      pollState: [0, { signal: true, isRetried: true }],
      heartbeat: [1, { ...ofInstance, thread: true }],
      goodbye: [1, CALL],
      updateCard: [1, CALL],
      getWorkspace: [0, GET_WORKSPACE],
      listActivity: [0, LIST_ACTIVITY],
      conversationHistory: [1, { signal: true, limit: true, before: true }],
      fetchInbound: [0, OF_READ],
      fetchInboundPage: [0, { ...OF_READ, ...ofInstance, takeover: true, takesTurns: true }],
      fetchCancellations: [
        0,
        { signal: true, sinceSeq: true, waitSecs: true, takesTurns: true, isRetried: true },
      ],
      acknowledge: [1, { signal: true, outcomes: true }],
      reportProgress: [1, CALL],
      reply: [2, { signal: true, idempotencyKey: true, end: true }],
      sendInboundProbe: [1, CALL],
      notify: [1, { signal: true, attachments: true, idempotencyKey: true, inReplyTo: true, metadata: true }],
      getPeers: [0, CALL],
      discoverPeer: [1, CALL],
      callPeer: [2, callPeer],
      streamPeer: [2, callPeer, 'throws'],
      sendToPeer: [2, callPeer],
      cancelTask: [1, CALL],
      askQuestions: [1, CALL],
      getMessage: [1, CALL],
      listMessages: [0, { signal: true, state: true, since: true, limit: true }],
      waitForAnswer: [1, WAIT_FOR_ANSWER],
      listTokens: [0, LIST_TOKENS],
      rotateToken: [0, CALL],
    });
  }

  readonly #context: ClientContext;
  readonly #heartbeats: Heartbeats;
  readonly #sent: SentMessages;

  /** @throws ConfigurationError naming the option and its environment variable. */
  constructor(options: RemoteAgentClientOptions = {}) {
    this.#context = createClientContext(options);
    this.#heartbeats = new Heartbeats(this.#context);
    this.#sent = new SentMessages(this.#context);
  }

  /** Lower case. */
  get workspaceId(): string {
    return this.#context.settings.workspaceId;
  }

  /** Without trailing slash. */
  get platformUrl(): string {
    return this.#context.settings.platformUrl;
  }

  get deliveryMode(): DeliveryMode {
    return this.#context.settings.deliveryMode;
  }

  /** The URL under which the platform reaches this agent; `null` when it polls. */
  get reportedUrl(): string | null {
    return this.#context.settings.reportedUrl;
  }

  /** The agent's card, as it was given or last updated. */
  get agentCard(): AgentCard {
    return this.#context.profile.card;
  }

  /** The folder of the agent's private files; absolute. */
  get stateDirectory(): string {
    return this.#context.settings.stateDirectory;
  }

  /** Redacts credentials. */
  get logger(): Logger {
    return this.#context.logger;
  }

  get clock(): Clock {
    return this.#context.settings.clock;
  }

  /** What the platform offers, as its latest response named it; empty before the first one, and for older platforms. */
  get capabilities(): ReadonlySet<Capability> {
    return this.#context.api.capabilities.words;
  }

  /** The current token, for example for a worker thread; `undefined` if there is none yet. Never log it. */
  async currentToken(): Promise<string | undefined> {
    await this.#context.tokens.load();
    return this.#context.tokens.current();
  }

  /**
   * Registers the agent, and stores the token if the platform issues one. Safe to repeat.
   * @throws ApiError `unauthorized` when the token is not accepted; the stored token is kept.
   */
  register(options: RegisterOptions = {}): Promise<Registration> {
    return registerAgent(this.#context, options);
  }

  /**
   * The secret that the platform sends as bearer with each push, on platforms that sign no tokens; `undefined` if there is
   * none. Never log it.
   */
  currentInboundSecret(): Promise<string | undefined> {
    return this.#context.inboundSecret.current();
  }

  /** Whether the platform reaches this URL, and an agent of this workspace responds there. Nothing is stored. */
  async probe(url: string, { signal }: CallOptions = {}): Promise<ProbeResult> {
    const input = { params: { id: this.workspaceId }, body: { url }, signal };
    const { reachable, reason, status } = await this.#context.api.call(routes.probe, input);
    return { isReachable: reachable, reason, status };
  }

  /** The public keys with which the platform signs the tokens of requests to this agent. */
  fetchSigningKeys({ signal }: CallOptions = {}): Promise<Jwks> {
    return this.#context.api.call(routes.jwks, { signal });
  }

  /** Reads the state of the workspace. A 404 without an error code comes from a gateway: it is an error, not a deletion. */
  pollState(options: Pick<RegisterOptions, 'signal' | 'isRetried'> = {}): Promise<WorkspaceStateReport> {
    return getWorkspaceState(this.#context.api, this.workspaceId, options);
  }

  /**
   * Reports that the agent is alive, and its metrics; omitted ones keep their previous value.
   * @throws WorkspaceRemovedError when the workspace was removed.
   */
  async heartbeat(metrics: HeartbeatMetrics = {}, options: HeartbeatOptions = {}): Promise<HeartbeatReport> {
    checkArgumentNames('heartbeat', metrics, METRICS);
    return await this.#heartbeats.send(metrics, options);
  }

  /**
   * For heartbeats from the worker thread of this process, which repeats the last one while the event loop is blocked. Close it.
   * The loops do this unless `isolateHeartbeat` is false. `null` with an own `dispatcher` or `clock`.
   */
  openHeartbeatThread(options: HeartbeatThreadOptions): HeartbeatThread | null {
    return openHeartbeatThread(this.#context, options);
  }

  /**
   * Reports that a running agent stops: another one may read at once, and the workspace is offline unless another one
   * is active.
   * @throws ApiError `routing_problem` from a platform without this route.
   */
  async goodbye(instanceId: string, { signal }: CallOptions = {}): Promise<void> {
    const body = { workspace_id: this.workspaceId, instance_id: instanceId };
    await this.#context.api.call(routes.goodbye, { body, signal });
  }

  /** Replaces the whole agent card. */
  async updateCard(card: AgentCard, { signal }: CallOptions = {}): Promise<void> {
    const { api, profile } = this.#context;
    // An agent that was registered as one that streams remains that, unless the card says otherwise.
    const agentCard = profile.streams ? withStreaming(card as JsonObject) : card;
    await api.call(routes.updateCard, {
      body: { workspace_id: this.workspaceId, agent_card: agentCard },
      signal,
    });
    profile.card = card;
  }

  /** @throws WorkspaceRemovedError unless `includeRemoved`. */
  getWorkspace(options: GetWorkspaceOptions = {}): Promise<WorkspaceInfo> {
    return getWorkspace(this.#context.api, this.workspaceId, options);
  }

  /** One page of the workspace's activity, sent and received; `conversationId` selects one conversation. */
  listActivity(filters: ActivityFilters & CallOptions = {}): Promise<ActivityPage> {
    return this.#context.api.listActivity(this.workspaceId, filters);
  }

  /**
   * What was said in one conversation with this agent, `message.conversationId`, oldest first: the messages to it and its answers, as
   * the platform stores them; `context.history` in a handler. Not among it are direct messages, and messages that this agent sent. A
   * platform without the filter `conversation_id` is searched in its latest `limit` rows only. See docs/contract/feed.md#history-of-a-conversation.
   * @throws MoleculeError `invalid_argument`; ApiError with `cursor_not_found` when the feed does not have the row `before`.
   */
  conversationHistory(conversationId: string, options: HistoryOptions = {}): Promise<HistoryPage> {
    return readConversationHistory(this.#context, conversationId, options);
  }

  /**
   * Reads messages to this agent, oldest first. Their content is untrusted.
   * @throws CursorLostError when the platform no longer knows `sinceId`.
   */
  async fetchInbound(options: FetchInboundOptions = {}): Promise<readonly InboundMessage[]> {
    return (await this.fetchInboundPage(options)).messages;
  }

  /** Like {@link fetchInbound}, with the data needed to move a cursor. */
  fetchInboundPage(options: ReadInboundOptions = {}): Promise<InboundPage> {
    return readInboundPage(this.#context, (message) => this.#sent.observe(message), options);
  }

  /**
   * Reads which messages to this agent were canceled.
   * @throws MoleculeError `not_supported` for a platform that does not cancel.
   */
  fetchCancellations(options: FetchCancellationsOptions = {}): Promise<CancellationPage> {
    return readCancellations(this.#context, options);
  }

  /**
   * Reports that every message up to this row is finished, and how the handling of single messages ended. A platform
   * without the capability `outcomes` ignores the outcomes.
   * @param upTo the id or `seq` of the row; `null` to report outcomes only
   */
  acknowledge(upTo: string | number | null, options: AcknowledgeOptions = {}): Promise<Acknowledgement> {
    return acknowledge(this.#context, upTo, options);
  }

  /**
   * Adds to the streamed answer of a message of the own feed that was sent with `message/stream`. Not retried: repeat it with more
   * text. The runtime does this for what a handler streams.
   * @throws ApiError `not_found` when the message has ended, or the platform has no streams.
   */
  async reportProgress(report: ProgressReport, { signal }: CallOptions = {}): Promise<ProgressReceipt> {
    const { activityId, runId, offset, text, isFinal } = report;
    const params = { id: this.workspaceId, activityId };
    const body = { run_id: runId, offset, text, final: isFinal || undefined };
    try {
      const input = { params, body, signal, isRepeatable: false, timeoutMs: PROGRESS_MS };
      const response = await this.#context.api.call(routes.reportProgress, input);
      return { isTaken: true, nextOffset: response.offset };
    } catch (error) {
      if (!ApiError.isInstance(error) || error.platformCode !== 'progress_conflict') throw error;
      const expected = error.details?.expected_offset;
      return { isTaken: false, nextOffset: typeof expected === 'number' ? expected : null };
    }
  }

  /**
   * Answers a message, whether from a user on the canvas or from a peer. Repeating the call sends one answer only. In a
   * handler `signal` is the handler's unless given.
   * @throws MoleculeError `invalid_argument`, before any request, for blank text or an unknown sender.
   */
  reply(
    message: ReplyTarget,
    answer: string | ReplyContent,
    options: ReplyOptions = {},
  ): Promise<ReplyReceipt> {
    return replyTo(this.#context, message, answer, options);
  }

  /**
   * Sends a message with this id to the own workspace, and does not wait. The runtime does this after a long silence, to find out
   * whether messages come.
   */
  async sendInboundProbe(messageId: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#context.api.send(routes.sendMessage, {
      params: { id: this.workspaceId },
      body: buildSendMessage({ messageId, contextId: messageId, text: 'Inbound probe' }),
      timeoutMs: this.#context.settings.requestTimeoutMs,
      headers: { 'x-timeout': '0' },
      isRepeatable: true,
      signal,
    });
  }

  /** Shows a text to the user on the canvas. In a handler `signal` is the handler's unless given. */
  notify(text: string, options: NotifyOptions = {}): Promise<NotifyReceipt> {
    return notifyUser(this.#context, text, options);
  }

  /** The workspaces this agent may communicate with: siblings, children, parent. Their URLs are cached. */
  async getPeers({ signal }: CallOptions = {}): Promise<PeerInfo[]> {
    const { api, lookup } = this.#context;
    const { body } = await api.send(routes.listPeers, { params: { id: this.workspaceId }, signal });
    const rows: unknown[] = Array.isArray(body) ? body : [];
    const listed = rows.map(readPeerInfo).filter((peer) => peer !== undefined);
    for (const { id, url } of listed) lookup.rememberListed(id, url);
    return listed;
  }

  /**
   * Returns the http or https URL of a peer, cached for `peerCacheTtlMs`; `null` when the peer polls or is unknown.
   * @throws AccessDeniedError when the hierarchy does not allow it.
   */
  discoverPeer(peerId: string, options: CallOptions = {}): Promise<string | null> {
    return this.#context.lookup.urlOf(peerId, options);
  }

  /** Removes a peer's URL and its token from the cache, so that the next call asks the platform. */
  invalidatePeerUrl(peerId: string): void {
    this.#context.lookup.forget(peerId);
  }

  /** Calls `listener` when a peer is not what it was when it was first used; returns a function that ends that. */
  onPeerChanged(listener: (change: PeerChange) => void): () => void {
    return this.#context.identities.listen(listener);
  }

  /** Calls a peer again whose change was refused (`onPeerChange: 'block'`). Returns whether there was such a change. */
  async acceptPeerChange(peerId: string): Promise<boolean> {
    this.#context.lookup.forget(peerId);
    return await this.#context.identities.accept(peerId);
  }

  /**
   * Sends a message to a peer and waits for the answer: to the peer's own server where the platform gives its URL and a token,
   * else, or if that fails, through the platform (`via`). For a peer that polls, is offline or paused the status is `queued`, which
   * is not an error; {@link waitForAnswer} then returns the answer. An abort also cancels the message, in the background; a timeout
   * cancels nothing. In a handler the call names the message that is handled, and ends with its signal and at its deadline.
   * @throws AccessDeniedError when the hierarchy does not allow it; TimeoutError, ConnectionError.
   */
  callPeer(peerId: string, text: string, options: CallPeerOptions = {}): Promise<PeerReply> {
    return this.#sent.send(peerId, text, options);
  }

  /**
   * Sends a message to a peer as {@link callPeer} does, at once, and returns its answer as it is made: iterate the stream for the
   * pieces of the text, which are as untrusted as the whole. A connection that breaks is opened again, and the stream continues
   * where it was. Where nobody streams, the whole answer is one piece. Leaving the loop cancels nothing; an abort of `signal` cancels
   * the message. Errors of the call come with the iteration.
   * @throws MoleculeError `invalid_argument` for a blank text.
   */
  streamPeer(peerId: string, text: string, options: StreamPeerOptions = {}): PeerStream {
    return this.#sent.stream(peerId, text, options);
  }

  /**
   * Sends a message to a peer and resolves when the platform has stored it. The status is `queued`, or another one if the
   * message, as a repeat, has ended before. The answer arrives as a message with `inReplyTo`, or by {@link waitForAnswer}.
   * @throws AccessDeniedError when the hierarchy does not allow it; TimeoutError, ConnectionError.
   */
  sendToPeer(peerId: string, text: string, options: CallPeerOptions = {}): Promise<PeerReply> {
    return this.#sent.send(peerId, text, { ...options, holdSeconds: 0 });
  }

  /**
   * Returns a message id, a UUID, that depends on this workspace and the key only, in every process. Sending another text
   * or to another peer with the same id is refused.
   * @throws MoleculeError `invalid_argument` for a blank key.
   */
  deriveMessageId(key: string): string {
    return deriveMessageId(this.workspaceId, key);
  }

  /**
   * Cancels a message that this workspace sent, and returns its state: `canceled`, or how it had ended before. The
   * `signal` of its handler aborts.
   * @throws ApiError `not_found`; MoleculeError `not_supported` for a platform that does not cancel.
   */
  cancelTask(messageId: string, options: CallOptions = {}): Promise<PeerReply> {
    return this.#sent.cancel(messageId, options);
  }

  /**
   * Stores, once, the questions that the handling of a direct message raised; a handler returns its questions instead.
   * @throws AccessDeniedError, ApiError `conflict` when the message has ended, MoleculeError `not_supported`.
   */
  askQuestions(asked: QuestionsToAsk, options: CallOptions = {}): Promise<AskedQuestion[]> {
    const { questions, messageId, sourceId, contextId } = asked;
    const message = { message_id: messageId, source_id: sourceId, context_id: contextId };
    const input = {
      params: { id: this.workspaceId },
      body: { questions: [...questions], message },
      headers: withTraceHeaders({}),
      signal: options.signal,
    };
    const { api } = this.#context;
    return api.whereOffered(QUESTIONS, async () =>
      (await api.call(routes.askQuestions, input)).questions.map(toQuestion),
    );
  }

  /** The state of a message that was sent, and its answer when there is one; does not wait. */
  getMessage(messageId: string, options: CallOptions = {}): Promise<PeerReply> {
    return this.#sent.read(messageId, options);
  }

  /**
   * Lists the messages that this workspace sent through the platform, the latest change first: after a restart,
   * `{ state: 'ended', since }` are the ends that were missed. Messages that went directly are not among them.
   * @throws MoleculeError `not_supported` for a platform without such a list.
   */
  listMessages(options: ListMessagesOptions = {}): Promise<SentMessagePage> {
    return listSentMessages(this.#context.api, this.workspaceId, options);
  }

  /**
   * Waits until an earlier message ends, or its agent asks something; after the timeout the status is still `queued`. A message that
   * went directly is known to the client that sent it only.
   * An abort ends the wait only. On a platform without the state of messages it waits for the answer on the
   * feed, where other ends are not seen.
   */
  waitForAnswer(messageId: string, options: WaitForAnswerOptions = {}): Promise<PeerReply> {
    return this.#sent.wait(messageId, options);
  }

  /**
   * Takes a message that came in another way than by `fetchInboundPage`, which does this itself: ends the calls that wait for it.
   * Returns whether a call has returned what it says, now or before; then it is not handled.
   */
  observeReply(message: InboundMessage): boolean {
    return this.#sent.observe(message);
  }

  /** The valid tokens of the workspace, newest first, without their values. */
  listTokens(options: ListTokensOptions = {}): Promise<TokenInfo[]> {
    return new TokenCalls(this.#context.api).list(this.workspaceId, options);
  }

  /**
   * Creates a new token, stores and verifies it, and only then revokes the old one and checks that it is refused.
   * @throws MoleculeError `rotation_incomplete` when the new token is in use, but the old one may still be accepted.
   */
  rotateToken(options: CallOptions = {}): Promise<TokenRotation> {
    return rotateToken(this.#context, options);
  }

  /** Aborts, with `client_closed`, when the client closes. Its agent ends with it. */
  get closeSignal(): AbortSignal {
    return this.#sent.closed;
  }

  /** Closes all connections, after up to a second for aborted calls; pending calls reject with `client_closed`. Idempotent. */
  close(): Promise<void> {
    return this.#sent.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * The methods of an agent's client. Code that is given a client, such as an adapter, names this type: a client of the
 * ES module and one of the CommonJS build both have it.
 */
export interface PeerClient extends Pick<PlatformClient, keyof PlatformClient> {}
