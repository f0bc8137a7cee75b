import { type AgentCard, type DeliveryMode, type InboundMessage, routes } from '@molecule-ai/protocol';
import type { Logger } from '../logging/logger.ts';
import { type PeerInfo, readPeerInfo } from '../peers/peer-info.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { call, send } from '../platform-api/call.ts';
import {
  type GetWorkspaceOptions,
  getWorkspace,
  getWorkspaceState,
  type WorkspaceInfo,
  type WorkspaceStateReport,
} from '../platform-api/workspaces.ts';
import type { Clock } from '../time/clock.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import { type ClientContext, createClientContext, type RemoteAgentClientOptions } from './client-context.ts';
import {
  type HeartbeatMetrics,
  type HeartbeatReport,
  heartbeatBody,
  mergeMetrics,
  readHeartbeatReport,
} from './heartbeat.ts';
import {
  type Acknowledgement,
  acknowledge,
  type FetchInboundOptions,
  type InboundPage,
  readInboundPage,
} from './inbound-page.ts';
import {
  type CallPeerOptions,
  discoverPeerUrl,
  sendThroughProxy,
  type WaitForAnswerOptions,
  waitForAnswer,
} from './peer-calls.ts';
import { type Registration, registerAgent } from './registration.ts';
import {
  type NotifyOptions,
  type NotifyReceipt,
  notifyUser,
  type ReplyOptions,
  type ReplyReceipt,
  type ReplyTarget,
  replyTo,
} from './reply.ts';
import {
  type ListTokensOptions,
  listTokens,
  rotateToken,
  type TokenInfo,
  type TokenRotation,
} from './tokens.ts';

/**
 * The client without loops: one method per endpoint, under the Python SDK's names in camelCase. Applications use
 * `RemoteAgentClient`, which adds the loops.
 *
 * Every method takes `{ signal }` and rejects with the signal's reason when it aborts; otherwise with a
 * `MoleculeError`: `ApiError` for a response that is no success, `ConnectionError`, `TimeoutError`. Requests that are
 * safe to repeat are retried after 429, 502, 503, 504 and connection errors. The token is sent to the platform's
 * origin only.
 */
export class PlatformClient {
  readonly #context: ClientContext;
  readonly #startedAt: number;
  #metrics: HeartbeatMetrics = {};

  /** @throws ConfigurationError naming the option and its environment variable. */
  constructor(options: RemoteAgentClientOptions = {}) {
    this.#context = createClientContext(options);
    this.#startedAt = this.clock.monotonic();
  }

  /** In lower case. */
  get workspaceId(): string {
    return this.#context.settings.workspaceId;
  }

  /** Without trailing slash. */
  get platformUrl(): string {
    return this.#context.settings.platformUrl;
  }

  /** How messages arrive. */
  get deliveryMode(): DeliveryMode {
    return this.#context.settings.deliveryMode;
  }

  /** Where the platform reaches this agent; `null` when it polls. */
  get reportedUrl(): string | null {
    return this.#context.settings.reportedUrl;
  }

  /** The folder of the agent's private files. */
  get stateDirectory(): string {
    return this.#context.settings.stateDirectory;
  }

  /** Removes credentials from everything that is written to it. */
  get logger(): Logger {
    return this.#context.logger;
  }

  get clock(): Clock {
    return this.#context.settings.clock;
  }

  /** The token in use, for a worker of the same agent; `undefined` before there is one. Never log it. */
  async currentToken(): Promise<string | undefined> {
    await this.#context.tokens.load();
    return this.#context.tokens.current();
  }

  /**
   * Registers the agent, and stores the token when the platform issues one. Harmless to call again.
   * @throws ApiError `unauthorized` when the token is not accepted; it is kept.
   */
  register(options: CallOptions = {}): Promise<Registration> {
    return registerAgent(this.#context, options);
  }

  /** Reads the state of the workspace. A gateway's bare 404 is an error, not a deletion. */
  pollState(options: CallOptions = {}): Promise<WorkspaceStateReport> {
    return getWorkspaceState(this.#context.transport, this.workspaceId, options);
  }

  /**
   * Reports that the agent is alive, and its metrics; those left out keep the value of the call before.
   * @throws WorkspaceRemovedError when the workspace is gone for good.
   */
  async heartbeat(metrics: HeartbeatMetrics = {}, options: CallOptions = {}): Promise<HeartbeatReport> {
    this.#metrics = mergeMetrics(this.#metrics, metrics);
    const body = heartbeatBody(this.workspaceId, this.#metrics, this.clock.monotonic() - this.#startedAt);
    const { signal } = options;
    return readHeartbeatReport(await call(this.#context.transport, routes.heartbeat, { body, signal }));
  }

  /** Replaces the whole agent card. */
  async updateCard(card: AgentCard, { signal }: CallOptions = {}): Promise<void> {
    const body = { workspace_id: this.workspaceId, agent_card: card };
    await call(this.#context.transport, routes.updateCard, { body, signal });
  }

  /** @throws WorkspaceRemovedError unless `includeRemoved`. */
  getWorkspace(options: GetWorkspaceOptions = {}): Promise<WorkspaceInfo> {
    return getWorkspace(this.#context.transport, this.workspaceId, options);
  }

  /** The workspaces this agent may talk to: siblings, children, parent. Their addresses are cached. */
  async getPeers({ signal }: CallOptions = {}): Promise<PeerInfo[]> {
    const params = { id: this.workspaceId };
    const { body } = await send(this.#context.transport, routes.listPeers, { params, signal });
    const rows: unknown[] = Array.isArray(body) ? body : [];
    const peers = rows.map(readPeerInfo).filter((peer) => peer !== undefined);
    for (const { id, url } of peers) this.#context.peers.remember(id, url);
    return peers;
  }

  /**
   * The http or https address of a peer, cached for `peerCacheTtlMs`; `null` when it has none or is unknown.
   * @throws AccessDeniedError when the hierarchy forbids it.
   */
  discoverPeer(peerId: string, options: CallOptions = {}): Promise<string | null> {
    return discoverPeerUrl(this.#context, peerId, options);
  }

  /** Drops the cached address of a peer. */
  invalidatePeerUrl(peerId: string): void {
    this.#context.peers.forget(peerId);
  }

  /**
   * Sends a message to a peer through the platform and waits for the answer. A peer that polls, is offline or paused
   * gives a reply with status `queued`, which is no error: ask later with {@link waitForAnswer}.
   * @throws AccessDeniedError when the hierarchy forbids it; TimeoutError, ConnectionError.
   */
  callPeer(peerId: string, text: string, options: CallPeerOptions = {}): Promise<PeerReply> {
    const { transport, settings } = this.#context;
    const timeoutMs = options.timeoutMs ?? settings.callTimeoutMs;
    return sendThroughProxy(transport, peerId, text, { ...options, timeoutMs, isWrapped: true });
  }

  /** Waits for the answer to a message sent before; when none comes in time, the reply is still `queued`. */
  waitForAnswer(messageId: string, options: WaitForAnswerOptions = {}): Promise<PeerReply> {
    const { transport } = this.#context;
    return waitForAnswer(transport, this.workspaceId, messageId, { ...options, isWrapped: true });
  }

  /**
   * Reads messages to this agent, oldest first. What they carry is untrusted.
   * @throws CursorLostError when the platform no longer knows `sinceId`.
   */
  async fetchInbound(options: FetchInboundOptions = {}): Promise<readonly InboundMessage[]> {
    return (await readInboundPage(this.#context, options)).messages;
  }

  /** The same as {@link fetchInbound}, with what a reader needs to move its cursor. */
  fetchInboundPage(options: FetchInboundOptions = {}): Promise<InboundPage> {
    return readInboundPage(this.#context, options);
  }

  /** Confirms that every message up to this row is finished. */
  acknowledge(upTo: string | number, options: CallOptions = {}): Promise<Acknowledgement> {
    return acknowledge(this.#context, upTo, options);
  }

  /**
   * Answers a message: a person on the canvas, or the peer that wrote. Answering one message twice sends one answer.
   * @throws MoleculeError `invalid_argument`, before any request, for blank text or an unknown sender.
   */
  reply(message: ReplyTarget, text: string, options: ReplyOptions = {}): Promise<ReplyReceipt> {
    return replyTo(this.#context, message, text, options);
  }

  /** Shows a text to the user on the canvas. */
  notify(text: string, options: NotifyOptions = {}): Promise<NotifyReceipt> {
    return notifyUser(this.#context, text, options);
  }

  /** The workspace's live tokens, newest first, without their values. */
  listTokens(options: ListTokensOptions = {}): Promise<TokenInfo[]> {
    return listTokens(this.#context.transport, this.workspaceId, options);
  }

  /** Mints a new token, stores it, tries it, and only then revokes the old one. */
  rotateToken(options: CallOptions = {}): Promise<TokenRotation> {
    return rotateToken(this.#context, options);
  }

  /** Ends all connections; calls under way reject with `client_closed`. Idempotent. */
  close(): Promise<void> {
    return this.#context.transport.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
