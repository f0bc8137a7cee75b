import {
  type AgentCard,
  type Capability,
  type InboundMessage,
  type JsonObject,
  routes,
} from '@molecule-ai/protocol';
import { type PeerInfo, readPeerInfo } from '../peers/peer-info.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { type ActivityFilters, type ActivityPage, ListActivityShape } from '../platform-api/activity.ts';
import {
  type GetWorkspaceOptions,
  GetWorkspaceShape,
  getWorkspace,
  getWorkspaceState,
  type WorkspaceInfo,
  type WorkspaceStateReport,
} from '../platform-api/workspaces.ts';
import type { RemoteAgentClientOptions } from '../settings/client-settings.ts';
import { type ArgumentSchemas, checkArguments, optionsSchema } from '../settings/options.ts';
import type { ReceivedData, SkillSchema } from '../skills/skill.ts';
import { withSkills } from '../skills/skill-card.ts';
import { type CallOptions, CallShape } from '../transport/platform-request.ts';
import { type ClientContext, createClientContext } from './client-context.ts';
import {
  type HistoryOptions,
  type HistoryPage,
  HistoryShape,
  readConversationHistory,
} from './conversation-history.ts';
import {
  type HeartbeatMetrics,
  HeartbeatMetricsShape,
  type HeartbeatReport,
  Heartbeats,
} from './heartbeat.ts';
import {
  type Acknowledgement,
  type AcknowledgeOptions,
  AcknowledgeShape,
  acknowledge,
  type FetchInboundOptions,
  FetchInboundShape,
  type InboundPage,
  readInboundPage,
} from './inbound-page.ts';
import {
  type ListMessagesOptions,
  ListMessagesShape,
  listSentMessages,
  type SentMessagePage,
  type WaitForAnswerOptions,
  WaitForAnswerShape,
} from './message-state.ts';
import { type CallPeerOptions, CallPeerShape, type MessageContent, type SkillRequest } from './peer-calls.ts';
import type { PeerStream } from './peer-stream.ts';
import {
  type RegisterOptions,
  RegisterShape,
  type Registration,
  registerAgent,
  withStreaming,
} from './registration.ts';
import {
  type NotifyOptions,
  type NotifyReceipt,
  NotifyShape,
  notifyUser,
  type ReplyContent,
  type ReplyOptions,
  type ReplyReceipt,
  ReplyShape,
  type ReplyTarget,
  replyTo,
} from './reply.ts';
import { SentMessages } from './sent-messages.ts';
import {
  LIST_TOKENS,
  type ListTokensOptions,
  rotateToken,
  TokenCalls,
  type TokenInfo,
  type TokenRotation,
} from './tokens.ts';

/**
 * The methods of an agent's client, with the Python SDK's names in camelCase. Code that is given a client, such as an adapter,
 * names this type: a client of the ES module and one of the CommonJS build both have it.
 *
 * Every method takes `{ signal }` and rejects with the signal's reason when it aborts. All other errors are
 * `MoleculeError`s: `ApiError` for a response outside 2xx, `ConnectionError`, `TimeoutError`. Requests that are safe to
 * repeat are retried after 429, 502, 503, 504 and connection errors. The token is sent to the platform's origin only.
 */
export interface PeerClient {
  /** Lower case. */
  readonly workspaceId: string;

  /** Without trailing slash. */
  readonly platformUrl: string;

  /** The agent's card, as it was given or last updated. */
  readonly agentCard: AgentCard;

  /** What the platform offers, as its latest response named it; empty before the first one, and for older platforms. */
  readonly capabilities: ReadonlySet<Capability>;

  /**
   * Registers the agent, and stores the token if the platform issues one. Safe to repeat.
   * @throws ApiError `unauthorized` when the token is not accepted; the stored token is kept.
   */
  register(options?: RegisterOptions): Promise<Registration>;

  /** Reads the state of the workspace. A 404 without an error code comes from a gateway: it is an error, not a deletion. */
  pollState(options?: CallOptions): Promise<WorkspaceStateReport>;

  /**
   * Reports that the agent is alive, and its metrics; omitted ones keep their previous value.
   * @throws WorkspaceRemovedError when the workspace was removed.
   */
  heartbeat(metrics?: HeartbeatMetrics, options?: CallOptions): Promise<HeartbeatReport>;

  /** Replaces the whole agent card. */
  updateCard(card: AgentCard, options?: CallOptions): Promise<void>;

  /** @throws WorkspaceRemovedError unless `includeRemoved`. */
  getWorkspace(options?: GetWorkspaceOptions): Promise<WorkspaceInfo>;

  /** One page of the workspace's activity, sent and received; `conversationId` selects one conversation. */
  listActivity(filters?: ActivityFilters & CallOptions): Promise<ActivityPage>;

  /**
   * What was said in one conversation with this agent, `message.conversationId`, oldest first: the messages to it and its answers, as
   * the platform stores them; `context.history` in a handler. Not among it are direct messages, and messages that this agent sent. A
   * platform without the filter `conversation_id` is searched in its latest `limit` rows only. See docs/contract/feed.md#history-of-a-conversation.
   * @throws MoleculeError `invalid_argument`; ApiError with `cursor_not_found` when the feed does not have the row `before`.
   */
  conversationHistory(conversationId: string, options?: HistoryOptions): Promise<HistoryPage>;

  /**
   * Reads messages to this agent, oldest first. Their content is untrusted.
   * @throws CursorLostError when the platform no longer knows `sinceId`.
   */
  fetchInbound(options?: FetchInboundOptions): Promise<readonly InboundMessage[]>;

  /** Like {@link fetchInbound}, with the data needed to move a cursor. */
  fetchInboundPage(options?: FetchInboundOptions): Promise<InboundPage>;

  /**
   * Reports that every message up to this row is finished, and how the handling of single messages ended. A platform
   * without the capability `outcomes` ignores the outcomes.
   * @param upTo the id or `seq` of the row; `null` to report outcomes only
   */
  acknowledge(upTo: string | number | null, options?: AcknowledgeOptions): Promise<Acknowledgement>;

  /**
   * Answers a message, whether from a user on the canvas or from a peer. Repeating the call sends one answer only. In a
   * handler `signal` is the handler's unless given.
   * @throws MoleculeError `invalid_argument`, before any request, for blank text or an unknown sender.
   */
  reply(message: ReplyTarget, answer: string | ReplyContent, options?: ReplyOptions): Promise<ReplyReceipt>;

  /** Shows a text to the user on the canvas. In a handler `signal` is the handler's unless given. */
  notify(text: string, options?: NotifyOptions): Promise<NotifyReceipt>;

  /** The workspaces this agent may communicate with: siblings, children, parent. Their URLs are cached. */
  getPeers(options?: CallOptions): Promise<PeerInfo[]>;

  /**
   * Returns the http or https URL of a peer, cached for `peerCacheTtlMs`; `null` when the peer polls or is unknown.
   * @throws AccessDeniedError when the hierarchy does not allow it.
   */
  discoverPeer(peerId: string, options?: CallOptions): Promise<string | null>;

  /** Removes a peer's URL and its token from the cache, so that the next call asks the platform. */
  invalidatePeerUrl(peerId: string): void;

  /** Calls a peer again whose change was refused (`onPeerChange: 'block'`). Returns whether there was such a change. */
  acceptPeerChange(peerId: string): Promise<boolean>;

  /**
   * Asks a skill: the data is checked before it is sent, and `data` of the reply is as the skill returns it. An answer that does not fit is a reply with the status
   * `failed` and the code `agent_answer_invalid`. The peer fails what does not fit its own definition as `invalid_data`, and a skill that it does not have as `unknown_skill`.
   * @throws MoleculeError `invalid_argument` for data that does not fit.
   */
  callPeer<Input extends SkillSchema | undefined, Output extends SkillSchema | undefined>(
    peerId: string,
    request: SkillRequest<Input, Output>,
    options?: CallPeerOptions,
  ): Promise<PeerReply<ReceivedData<Output>>>;

  /**
   * Sends a message to a peer and waits for the answer: to the peer's own server where the platform gives its URL and a token,
   * else, or if that fails, through the platform (`via`). When there is no answer in time, or the peer is offline or paused, the status is
   * `queued`, which is not an error; {@link waitForAnswer} then returns the answer. An abort also cancels the message, in the background; a timeout
   * cancels nothing. In a handler the call names the message that is handled, and ends with its signal and at its deadline.
   * @throws AccessDeniedError when the hierarchy does not allow it; TimeoutError, ConnectionError.
   */
  callPeer(peerId: string, content: string | MessageContent, options?: CallPeerOptions): Promise<PeerReply>;

  /**
   * Sends a message to a peer as {@link callPeer} does, at once, and returns its answer as it is made: iterate the stream for the
   * pieces of the text, which are as untrusted as the whole. A connection that breaks is opened again, and the stream continues
   * where it was. Where nobody streams, the whole answer is one piece. Leaving the loop cancels nothing; an abort of `signal` cancels
   * the message. Errors of the call come with the iteration.
   * @throws MoleculeError `invalid_argument` for a blank text.
   */
  streamPeer<Input, Output>(
    peerId: string,
    content: string | MessageContent | SkillRequest<Input, Output>,
    options?: CallPeerOptions,
  ): PeerStream;

  /**
   * Sends a message to a peer and resolves when the platform has stored it. The status is `queued`, or another one if the
   * message, as a repeat, has ended before. The answer goes to `onAnswer` of the agent, or is read by {@link waitForAnswer}.
   * @throws AccessDeniedError when the hierarchy does not allow it; TimeoutError, ConnectionError.
   */
  sendToPeer<Input, Output>(
    peerId: string,
    content: string | MessageContent | SkillRequest<Input, Output>,
    options?: CallPeerOptions,
  ): Promise<PeerReply>;

  /**
   * Cancels a message that this workspace sent, and returns its state: `canceled`, or how it had ended before. The
   * `signal` of its handler aborts.
   * @throws ApiError `not_found`; MoleculeError `not_supported` for a platform that does not cancel.
   */
  cancelTask(messageId: string, options?: CallOptions): Promise<PeerReply>;

  /** The state of a message that was sent, and its answer when there is one; does not wait. */
  getMessage(messageId: string, options?: CallOptions): Promise<PeerReply>;

  /**
   * Lists the messages that this workspace sent through the platform, the latest change first: after a restart,
   * `{ state: 'ended', since }` are the ends that were missed. Messages that went directly are not among them.
   * @throws MoleculeError `not_supported` for a platform without such a list.
   */
  listMessages(options?: ListMessagesOptions): Promise<SentMessagePage>;

  /**
   * Waits until an earlier message ends, or its agent asks something; after the timeout the status is still `queued`. A message that
   * went directly is known to the client that sent it only.
   * An abort ends the wait only. On a platform without the state of messages it waits for the answer on the
   * feed, where other ends are not seen.
   */
  waitForAnswer(messageId: string, options?: WaitForAnswerOptions): Promise<PeerReply>;

  /** The valid tokens of the workspace, newest first, without their values. */
  listTokens(options?: ListTokensOptions): Promise<TokenInfo[]>;

  /**
   * Creates a new token, stores and verifies it, and only then revokes the old one and checks that it is refused.
   * @throws MoleculeError `rotation_incomplete` when the new token is in use, but the old one may still be accepted.
   */
  rotateToken(options?: CallOptions): Promise<TokenRotation>;
}

/** What the functions of a client share. */
export interface ClientParts extends ClientContext {
  readonly heartbeats: Heartbeats;
  readonly sent: SentMessages;
}

/** Validates the options and creates the parts of a client, without any I/O. @throws ConfigurationError */
export function createClientParts(options: RemoteAgentClientOptions): ClientParts {
  const context = createClientContext(options);
  return { ...context, heartbeats: new Heartbeats(context), sent: new SentMessages(context) };
}

/** A method: what it does with the parts of the client and its arguments, and the schemas of those that are objects. */
type ClientCall<Method> = Method extends (...args: infer Args) => infer Result
  ? readonly [run: (parts: ClientParts, ...args: Required<Args>) => Result, schemas?: ArgumentSchemas]
  : never;

type AnyCall = readonly [run: (parts: ClientParts, ...args: unknown[]) => unknown, schemas?: ArgumentSchemas];

type Methods<Type> = {
  [Name in keyof Type]: Type[Name] extends (...args: never[]) => unknown ? Name : never;
}[keyof Type];

const CALL = optionsSchema(new CallShape());
const CALL_PEER = optionsSchema(new CallPeerShape());
const FETCH_INBOUND = optionsSchema(new FetchInboundShape());

const CALLS: { readonly [Name in Methods<PeerClient>]: ClientCall<PeerClient[Name]> } = {
  register: [registerAgent, { 0: optionsSchema(new RegisterShape()) }],
  pollState: [
    ({ api, settings }, options) => getWorkspaceState(api, settings.workspaceId, options),
    { 0: CALL },
  ],
  heartbeat: [
    ({ heartbeats }, metrics, options) => heartbeats.send(metrics, options),
    { 0: optionsSchema(new HeartbeatMetricsShape()), 1: CALL },
  ],
  updateCard: [updateCard, { 1: CALL }],
  getWorkspace: [
    ({ api, settings }, options) => getWorkspace(api, settings.workspaceId, options),
    { 0: optionsSchema(new GetWorkspaceShape()) },
  ],
  listActivity: [
    ({ api, settings }, filters) => api.listActivity(settings.workspaceId, filters),
    { 0: optionsSchema(new ListActivityShape()) },
  ],
  conversationHistory: [readConversationHistory, { 1: optionsSchema(new HistoryShape()) }],
  fetchInbound: [
    async (parts, options) => (await fetchInboundPage(parts, options)).messages,
    { 0: FETCH_INBOUND },
  ],
  fetchInboundPage: [fetchInboundPage, { 0: FETCH_INBOUND }],
  acknowledge: [acknowledge, { 1: optionsSchema(new AcknowledgeShape()) }],
  reply: [replyTo, { 2: optionsSchema(new ReplyShape()) }],
  notify: [notifyUser, { 1: optionsSchema(new NotifyShape()) }],
  getPeers: [getPeers, { 0: CALL }],
  discoverPeer: [({ lookup }, peerId, options) => lookup.urlOf(peerId, options), { 1: CALL }],
  invalidatePeerUrl: [({ lookup }, peerId) => lookup.forget(peerId)],
  acceptPeerChange: [
    ({ lookup, identities }, peerId) => {
      lookup.forget(peerId);
      return identities.accept(peerId);
    },
  ],
  callPeer: [({ sent }, peerId, content, options) => sent.send(peerId, content, options), { 2: CALL_PEER }],
  streamPeer: [
    ({ sent }, peerId, content, options) => sent.stream(peerId, content, options),
    { 2: CALL_PEER },
  ],
  sendToPeer: [
    ({ sent }, peerId, content, options) => sent.send(peerId, content, { ...options, holdSeconds: 0 }),
    { 2: CALL_PEER },
  ],
  cancelTask: [({ sent }, messageId, options) => sent.cancel(messageId, options), { 1: CALL }],
  getMessage: [({ sent }, messageId, options) => sent.read(messageId, options), { 1: CALL }],
  listMessages: [
    ({ api, settings }, options) => listSentMessages(api, settings.workspaceId, options),
    { 0: optionsSchema(new ListMessagesShape()) },
  ],
  waitForAnswer: [
    ({ sent }, messageId, options) => sent.wait(messageId, options),
    { 1: optionsSchema(new WaitForAnswerShape()) },
  ],
  listTokens: [
    ({ api, settings }, options) => new TokenCalls(api).list(settings.workspaceId, options),
    { 0: LIST_TOKENS },
  ],
  rotateToken: [rotateToken, { 0: CALL }],
};

/** The methods that return no promise. */
const THROWING = ['streamPeer'];

/** Gives a class the methods of a client. */
export function addClientCalls<Instance extends object>(
  prototype: Instance,
  partsOf: (instance: Instance) => ClientParts,
): void {
  const checked: Record<string, ArgumentSchemas> = {};
  for (const [name, [run, schemas = {}]] of Object.entries<AnyCall>(CALLS as never)) {
    const places = Object.keys(schemas).map(Number);
    const value = function (this: Instance, ...args: unknown[]): unknown {
      for (const place of places) args[place] ??= {};
      return run(partsOf(this), ...args);
    };
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
    checked[name] = schemas;
  }
  checkArguments(prototype, checked, THROWING);
}

async function updateCard(
  { api, profile, settings }: ClientParts,
  card: AgentCard,
  { signal }: CallOptions,
): Promise<void> {
  // An agent that was registered as one that streams remains that, unless the card says otherwise.
  const full = withSkills(card as JsonObject, profile.skills);
  const agentCard = profile.streams ? withStreaming(full) : full;
  const body = { workspace_id: settings.workspaceId, agent_card: agentCard };
  await api.call(routes.updateCard, { body, signal });
  profile.card = card;
}

async function getPeers(
  { api, lookup, settings }: ClientParts,
  { signal }: CallOptions,
): Promise<PeerInfo[]> {
  const { body } = await api.send(routes.listPeers, { params: { id: settings.workspaceId }, signal });
  const rows: unknown[] = Array.isArray(body) ? body : [];
  const listed = rows.map(readPeerInfo).filter((peer) => peer !== undefined);
  for (const { id, url } of listed) lookup.rememberListed(id, url);
  return listed;
}

function fetchInboundPage(parts: ClientParts, options: FetchInboundOptions): Promise<InboundPage> {
  return readInboundPage(parts, parts.sent, options);
}
