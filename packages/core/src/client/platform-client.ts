import { type AgentCard, type InboundMessage, type Jwks, routes } from '@molecule-ai/protocol';
import type { PeerInfo } from '../peers/peer-info.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { type ActivityFilters, type ActivityPage, readActivityPage } from '../platform-api/activity.ts';
import { call } from '../platform-api/call.ts';
import { deriveMessageId } from '../platform-api/idempotency-key.ts';
import {
  type GetWorkspaceOptions,
  getWorkspace,
  getWorkspaceState,
  type WorkspaceInfo,
  type WorkspaceStateReport,
} from '../platform-api/workspaces.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import {
  type CancellationPage,
  cancelMessage,
  type FetchCancellationsOptions,
  readCancellations,
} from './cancellation.ts';
import { type ClientContext, createClientContext, type RemoteAgentClientOptions } from './client-context.ts';
import { ClientIdentity } from './client-identity.ts';
import { type HeartbeatMetrics, type HeartbeatReport, Heartbeats } from './heartbeat.ts';
import {
  type Acknowledgement,
  type AcknowledgeOptions,
  acknowledge,
  type FetchInboundOptions,
  type InboundPage,
  type ReadInboundOptions,
  readInboundPage,
} from './inbound-page.ts';
import { goodbye, type InstanceOptions } from './instance.ts';
import { readMessageState, type WaitForAnswerOptions } from './message-state.ts';
import type { CallPeerOptions } from './peer-calls.ts';
import { listPeers } from './peer-list.ts';
import { type AskedQuestion, askQuestions, type QuestionsToAsk } from './questions.ts';
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
import { sendAsWorkspace, waitAsWorkspace } from './send-as-workspace.ts';
import { type ListMessagesOptions, listSentMessages, type SentMessagePage } from './sent-messages.ts';
import type { ListTokensOptions, TokenInfo, TokenRotation } from './tokens.ts';
import { listTokens, rotateToken } from './tokens.ts';

/**
 * One method per endpoint, with the Python SDK's names in camelCase. Applications use `RemoteAgentClient`, which adds the
 * heartbeat and agent loops.
 *
 * Every method takes `{ signal }` and rejects with the signal's reason when it aborts. All other errors are
 * `MoleculeError`s: `ApiError` for a response outside 2xx, `ConnectionError`, `TimeoutError`. Requests that are safe to
 * repeat are retried after 429, 502, 503, 504 and connection errors. The token is sent to the platform's origin only.
 */
export class PlatformClient extends ClientIdentity {
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
  heartbeat(metrics: HeartbeatMetrics = {}, options: InstanceOptions = {}): Promise<HeartbeatReport> {
    return this.#heartbeats.send(metrics, options);
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

  /** The workspaces this agent may communicate with: siblings, children, parent. Their URLs are cached. */
  getPeers(options: CallOptions = {}): Promise<PeerInfo[]> {
    return listPeers(this.#context, options);
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
    this.#context.peers.forget(peerId);
  }

  /**
   * Sends a message to a peer and waits for the answer: to the peer's own server where the platform gives its URL and a token,
   * else, or if that fails, through the platform (`via`). For a peer that polls, is offline or paused the status is `queued`, which
   * is not an error; {@link waitForAnswer} then returns the answer. An abort also cancels the message, in the background; a timeout
   * cancels nothing. In a handler the call names the message that is handled, and ends with its signal and at its deadline.
   * @throws AccessDeniedError when the hierarchy does not allow it; TimeoutError, ConnectionError.
   */
  callPeer(peerId: string, text: string, options: CallPeerOptions = {}): Promise<PeerReply> {
    return sendAsWorkspace(this.#context, peerId, text, options);
  }

  /**
   * Sends a message to a peer and resolves when the platform has stored it. The status is `queued`, or another one if the
   * message, as a repeat, has ended before. The answer arrives as a message with `inReplyTo`, or by {@link waitForAnswer}.
   * @throws AccessDeniedError when the hierarchy does not allow it; TimeoutError, ConnectionError.
   */
  sendToPeer(peerId: string, text: string, options: CallPeerOptions = {}): Promise<PeerReply> {
    return sendAsWorkspace(this.#context, peerId, text, { ...options, holdSeconds: 0 });
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
    const message = { workspaceId: this.workspaceId, messageId, isWrapped: true };
    return cancelMessage(this.#context.transport, message, options);
  }

  /**
   * Stores, once, the questions that the handling of a direct message raised; a handler returns its questions instead.
   * @throws AccessDeniedError, ApiError `conflict` when the message has ended, MoleculeError `not_supported`.
   */
  askQuestions(asked: QuestionsToAsk, options: CallOptions = {}): Promise<AskedQuestion[]> {
    return askQuestions(this.#context.transport, this.workspaceId, asked, options);
  }

  /** The state of a message that was sent, and its answer when there is one; does not wait. */
  getMessage(messageId: string, { signal }: CallOptions = {}): Promise<PeerReply> {
    const read = { signal, isWrapped: true };
    return readMessageState(this.#context.transport, this.workspaceId, messageId, read);
  }

  /**
   * Lists the messages that this workspace sent, the latest change first: after a restart, `{ state: 'ended', since }`
   * are the ends that were missed.
   * @throws MoleculeError `not_supported` for a platform without such a list.
   */
  listMessages(options: ListMessagesOptions = {}): Promise<SentMessagePage> {
    return listSentMessages(this.#context.transport, this.workspaceId, options);
  }

  /** One page of the workspace's activity, sent and received; `conversationId` selects one conversation. */
  listActivity(filters: ActivityFilters & CallOptions = {}): Promise<ActivityPage> {
    return readActivityPage(this.#context.transport, this.workspaceId, filters);
  }

  /**
   * Waits until an earlier message ends, or its agent asks something; after the timeout the status is still `queued`.
   * An abort ends the wait only. On a platform without the state of messages it waits for the answer on the
   * feed, where other ends are not seen.
   */
  waitForAnswer(messageId: string, options: WaitForAnswerOptions = {}): Promise<PeerReply> {
    return waitAsWorkspace(this.#context, messageId, options);
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
    return readCancellations(this.#context.transport, this.workspaceId, options);
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

  /** Closes all connections, after up to a second for aborted calls; pending calls reject with `client_closed`. Idempotent. */
  close(): Promise<void> {
    return this.#context.abandoned.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
