import { type AgentCard, type InboundMessage, type Jwks, routes } from '@molecule-ai/protocol';
import type { HeartbeatThread, HeartbeatThreadOptions } from '../heartbeat-worker/heartbeat-thread.ts';
import { type ActivityFilters, type ActivityPage, readActivityPage } from '../platform-api/activity.ts';
import { call } from '../platform-api/call.ts';
import {
  type GetWorkspaceOptions,
  getWorkspace,
  getWorkspaceState,
  type WorkspaceInfo,
  type WorkspaceStateReport,
} from '../platform-api/workspaces.ts';
import { checkArgumentNames, checkCallsOf } from '../settings/known-options.ts';
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
import { sendInboundProbe } from './inbound-probe-message.ts';
import { goodbye } from './instance.ts';
import {
  ACKNOWLEDGE,
  CALL,
  FETCH_CANCELLATIONS,
  FETCH_INBOUND,
  GET_WORKSPACE,
  HEARTBEAT,
  HEARTBEAT_METRICS,
  HISTORY,
  LIST_ACTIVITY,
  NOTIFY,
  POLL_STATE,
  READ_INBOUND,
  REGISTER,
  REPLY,
} from './known-options.ts';
import { PeerMessaging } from './peer-messaging.ts';
import { type ProgressReceipt, type ProgressReport, reportProgress } from './progress.ts';
import { type RegisterOptions, type Registration, registerAgent, updateCard } from './registration.ts';
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
import type { ListTokensOptions, TokenInfo, TokenRotation } from './tokens.ts';
import { LIST_TOKENS, listTokens, rotateToken } from './tokens.ts';

/** Whether the platform reaches an agent; `reason` is a word of docs/contract/presence.md#probe, `null` when it does. */
export interface ProbeResult {
  readonly isReachable: boolean;
  readonly reason: string | null;
  /** Of the response of what the platform reached; `null` when there was none. */
  readonly status?: number | null | undefined;
}

/**
 * One method per endpoint, with the Python SDK's names in camelCase. Applications use `RemoteAgentClient`, which adds the
 * heartbeat and agent loops.
 *
 * Every method takes `{ signal }` and rejects with the signal's reason when it aborts. All other errors are
 * `MoleculeError`s: `ApiError` for a response outside 2xx, `ConnectionError`, `TimeoutError`. Requests that are safe to
 * repeat are retried after 429, 502, 503, 504 and connection errors. The token is sent to the platform's origin only.
 */
export class PlatformClient extends PeerMessaging {
  static {
    checkCallsOf<Omit<PlatformClient, keyof PeerMessaging>>(PlatformClient.prototype, {
      register: [0, REGISTER],
      probe: [1, CALL],
      fetchSigningKeys: [0, CALL],
      pollState: [0, POLL_STATE],
      heartbeat: [1, HEARTBEAT],
      goodbye: [1, CALL],
      updateCard: [1, CALL],
      getWorkspace: [0, GET_WORKSPACE],
      listActivity: [0, LIST_ACTIVITY],
      conversationHistory: [1, HISTORY],
      fetchInbound: [0, FETCH_INBOUND],
      fetchInboundPage: [0, READ_INBOUND],
      fetchCancellations: [0, FETCH_CANCELLATIONS],
      acknowledge: [1, ACKNOWLEDGE],
      reportProgress: [1, CALL],
      reply: [2, REPLY],
      sendInboundProbe: [1, CALL],
      notify: [1, NOTIFY],
      listTokens: [0, LIST_TOKENS],
      rotateToken: [0, CALL],
    });
  }

  readonly #context: ClientContext;
  readonly #heartbeats: Heartbeats;

  /** @throws ConfigurationError naming the option and its environment variable. */
  constructor(options: RemoteAgentClientOptions = {}) {
    const context = createClientContext(options);
    super(context);
    this.#context = context;
    this.#heartbeats = new Heartbeats(context);
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
    const { reachable, reason, status } = await call(this.#context.transport, routes.probe, input);
    return { isReachable: reachable, reason, status };
  }

  /** The public keys with which the platform signs the tokens of requests to this agent. */
  fetchSigningKeys({ signal }: CallOptions = {}): Promise<Jwks> {
    return call(this.#context.transport, routes.jwks, { signal });
  }

  /** Reads the state of the workspace. A 404 without an error code comes from a gateway: it is an error, not a deletion. */
  pollState(options: Pick<RegisterOptions, 'signal' | 'isRetried'> = {}): Promise<WorkspaceStateReport> {
    return getWorkspaceState(this.#context.transport, this.workspaceId, options);
  }

  /**
   * Reports that the agent is alive, and its metrics; omitted ones keep their previous value.
   * @throws WorkspaceRemovedError when the workspace was removed.
   */
  async heartbeat(metrics: HeartbeatMetrics = {}, options: HeartbeatOptions = {}): Promise<HeartbeatReport> {
    checkArgumentNames('heartbeat', metrics, HEARTBEAT_METRICS);
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
  goodbye(instanceId: string, options: CallOptions = {}): Promise<void> {
    return goodbye(this.#context, instanceId, options);
  }

  /** Replaces the whole agent card. */
  updateCard(card: AgentCard, options: CallOptions = {}): Promise<void> {
    return updateCard(this.#context, card, options);
  }

  /** @throws WorkspaceRemovedError unless `includeRemoved`. */
  getWorkspace(options: GetWorkspaceOptions = {}): Promise<WorkspaceInfo> {
    return getWorkspace(this.#context.transport, this.workspaceId, options);
  }

  /** One page of the workspace's activity, sent and received; `conversationId` selects one conversation. */
  listActivity(filters: ActivityFilters & CallOptions = {}): Promise<ActivityPage> {
    return readActivityPage(this.#context.transport, this.workspaceId, filters);
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
    return (await readInboundPage(this.#context, options)).messages;
  }

  /** Like {@link fetchInbound}, with the data needed to move a cursor. */
  fetchInboundPage(options: ReadInboundOptions = {}): Promise<InboundPage> {
    return readInboundPage(this.#context, options);
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
  reportProgress(report: ProgressReport, options: CallOptions = {}): Promise<ProgressReceipt> {
    return reportProgress(this.#context, report, options);
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
  sendInboundProbe(messageId: string, options: CallOptions = {}): Promise<void> {
    return sendInboundProbe(this.#context, messageId, options);
  }

  /** Shows a text to the user on the canvas. In a handler `signal` is the handler's unless given. */
  notify(text: string, options: NotifyOptions = {}): Promise<NotifyReceipt> {
    return notifyUser(this.#context, text, options);
  }

  /** The valid tokens of the workspace, newest first, without their values. */
  listTokens(options: ListTokensOptions = {}): Promise<TokenInfo[]> {
    return listTokens(this.#context.transport, this.workspaceId, options);
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
    return this.#context.abandoned.closed;
  }

  /** Closes all connections, after up to a second for aborted calls; pending calls reject with `client_closed`. Idempotent. */
  close(): Promise<void> {
    return this.#context.abandoned.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
