import {
  type InboundMessage,
  type JsonValue,
  type MessageState,
  type ParseRowOptions,
  parseActivityFeed,
  routes,
} from '@molecule-ai/protocol';
import { ApiError, CursorLostError } from '../errors/api-error.ts';
import { ConnectionError, TimeoutError } from '../errors/connection-error.ts';
import { type PeerReply, readMessageRecord, readReply, readReplyMessage } from '../peers/peer-reply.ts';
import type { PlatformApi } from '../platform-api/platform-api.ts';
import { given, type OptionsOf } from '../settings/options.ts';
import { type CallOptions, CallShape, type RequestLane } from '../transport/platform-request.ts';

export const DEFAULT_ANSWER_TIMEOUT_MS = 300_000;
const MAX_WAIT_SECONDS = 60;
const PAUSE_MS = 1_000;
const FEED_PAUSE_MS = 5_000;
const PAGE_LIMIT = 100;
/** Without it the platform repeats the text of an answer in `result.text`, for readers that know nothing else. */
export const WITHOUT_JOINED_TEXT = { prefer: 'molecule-compact' };

const STATES = {
  word: 'message-status',
  problem: 'The platform has no route for the state of a message.',
  hint: 'onAnswer of the agent gets the answer.',
} as const;
const LISTS = {
  word: 'message-status',
  problem: 'The platform does not list the messages that a workspace sent.',
  hint: 'Keep the message ids and ask for each with getMessage().',
} as const;

export class WaitForAnswerShape extends CallShape {
  /** Total time limit, in milliseconds; 0 sends one request. @default 300_000 */
  timeoutMs = given<number>();
  /**
   * The workspace that was asked, for a platform that does not keep the state of messages: there only its answer counts.
   * @default the one that this client sent the message; if another process did, any: `PeerReply.peerId` names it
   */
  peerId = given<string>();
}

export interface WaitForAnswerOptions extends OptionsOf<WaitForAnswerShape> {}

/**
 * Reads the state of a sent message; the platform may hold the request for `waitSeconds`.
 * @throws MoleculeError `not_supported` for a platform without the state of messages.
 */
export async function readMessageState(
  api: PlatformApi,
  callerId: string,
  messageId: string,
  { waitSeconds = 0, ...options }: CallOptions & { waitSeconds?: number; lane?: RequestLane },
): Promise<PeerReply> {
  return await api.whereOffered(STATES, async () => {
    const params = { id: callerId, messageId };
    const query = { wait: waitSeconds > 0 ? waitSeconds : undefined };
    const input = { params, query, headers: WITHOUT_JOINED_TEXT, relaysPeerText: true, ...options };
    const record = await api.call(routes.getMessage, input).catch((error: unknown) => {
      throw isTooLarge(error) ? keptAnswer(error, answerKeyOf(api, callerId, messageId)) : error;
    });
    return readMessageRecord(record, { isWrapped: !api.isOperator });
  });
}

/**
 * Reads the state of a message until it is answered, failed, or the timeout has passed; then the status is still
 * `queued`. The platform holds each request for up to 60 s; if it does not, the next request follows after a second.
 * @throws MoleculeError `not_supported` for a platform without the state of messages.
 */
export async function waitForAnswer(
  api: PlatformApi,
  callerId: string,
  messageId: string,
  { signal, timeoutMs = DEFAULT_ANSWER_TIMEOUT_MS }: WaitForAnswerOptions,
): Promise<PeerReply> {
  const { clock } = api.settings;
  const endsAt = clock.monotonic() + timeoutMs;
  for (;;) {
    const sentAt = clock.monotonic();
    const remainingSeconds = Math.floor((endsAt - sentAt) / 1_000);
    const waitSeconds = Math.max(0, Math.min(MAX_WAIT_SECONDS, remainingSeconds));
    const reply = await readMessageState(api, callerId, messageId, { signal, waitSeconds });
    const now = clock.monotonic();
    if (reply.status !== 'queued' || now >= endsAt) return reply;
    const pauseMs = Math.min(endsAt - now, Math.max(0, PAUSE_MS - (now - sentAt)));
    if (pauseMs > 0) await clock.sleep(pauseMs, { signal });
  }
}

interface Waiting extends CallOptions {
  /** Only the answer of this workspace counts; where it is not known, the first of any. */
  readonly peerId: string | undefined;
  /** On the monotonic clock. */
  readonly endsAt: number;
}

/**
 * Waits for the answer to a message as a row of the workspace's own feed: one of the newest 100, or a later one. After
 * `endsAt` the status is `queued`. Messages that end without an answer are not seen.
 */
export async function waitForAnswerOnFeed(
  api: PlatformApi,
  workspaceId: string,
  messageId: string,
  { signal, endsAt, peerId: asked }: Waiting,
): Promise<PeerReply> {
  const { clock } = api.settings;
  let cursor: string | undefined;
  for (;;) {
    const feed = await readOwnFeed(api, workspaceId, { sinceId: cursor, signal });
    const row = feed.deliverable.find((message) => isAnswer(message, messageId, asked));
    if (row !== undefined) {
      const { peerId, contextId } = row;
      return readReplyMessage(row, { messageId, peerId, contextId });
    }
    const hasMore = cursor !== undefined && feed.rows.length >= PAGE_LIMIT;
    cursor = feed.lastRowId ?? cursor;
    const now = clock.monotonic();
    if (now >= endsAt)
      return readReply({ queued: true }, { peerId: asked ?? '', messageId, isWrapped: true });
    if (!hasMore) await clock.sleep(Math.min(FEED_PAUSE_MS, endsAt - now), { signal });
  }
}

/** Whoever learns a message id can write that it answers it. */
export function isAnswer(message: InboundMessage, messageId: string, asked: string | undefined): boolean {
  if (message.inReplyTo !== messageId) return false;
  return asked === undefined || message.peerId.toLowerCase() === asked.toLowerCase();
}

/** The rows after `sinceId`; without it, or where the platform no longer has that row, the newest. */
export async function readOwnFeed(
  api: PlatformApi,
  workspaceId: string,
  {
    sinceId,
    signal,
    hasSent,
  }: CallOptions & Pick<ParseRowOptions, 'hasSent'> & { sinceId?: string | undefined },
): Promise<ReturnType<typeof parseActivityFeed>> {
  const page = { type: 'a2a_receive', limit: PAGE_LIMIT, signal };
  const { body } = await api.getActivity(workspaceId, { ...page, sinceId }).catch((error: unknown) => {
    if (!CursorLostError.isInstance(error)) throw error;
    return api.getActivity(workspaceId, page);
  });
  return parseActivityFeed(body as JsonValue | undefined, { self: workspaceId, hasSent });
}

/** The arguments of `waitForAnswer` and `getMessage` for a message, as code: an operator names the workspace too. */
export function answerKeyOf({ isOperator }: PlatformApi, workspaceId: string, messageId: string): string {
  return isOperator ? `'${workspaceId}', '${messageId}'` : `'${messageId}'`;
}

/** Says where the answer is that this call could not return. Other errors stay as they are. */
export function withWayToAnswer(
  { capabilities }: PlatformApi,
  error: unknown,
  { messageId, answerKey }: { readonly messageId: string; readonly answerKey: string },
): unknown {
  const wait = `The peer may still answer: waitForAnswer(${answerKey})${afterTimeout(capabilities)}`;
  if (ConnectionError.isInstance(error) && error.delivered === 'unknown') {
    const hint = error.hint === undefined ? wait : `${error.hint} ${wait}`;
    return new ConnectionError(error.message, { ...error, messageId, hint, cause: error });
  }
  if (TimeoutError.isInstance(error)) {
    return new TimeoutError(error.message, { ...error, messageId, hint: wait, cause: error });
  }
  return isTooLarge(error) ? keptAnswer(error, answerKey) : error;
}

function keptAnswer(error: ApiError, answerKey: string): ApiError {
  const hint = `The platform keeps the answer: read it with getMessage(${answerKey}) and a larger maxResponseBytes.`;
  return new ApiError(error.message, { ...error, hint, cause: error });
}

export function isTooLarge(error: unknown): error is ApiError {
  return ApiError.isInstance(error) && error.code === 'response_too_large';
}

function afterTimeout(capabilities: PlatformApi['capabilities']): string {
  if (capabilities.words.has('message-dedupe')) return ', or call again with this messageId.';
  if (!capabilities.lacks('message-dedupe')) return '.';
  return '. The platform does not recognise repeats: a second call may run the peer again.';
}

export class ListMessagesShape extends CallShape {
  /** One state or several; `open` or `ended` for all of that kind. @default every state */
  state = given<MessageState | readonly MessageState[] | 'open' | 'ended'>();
  /** Only messages that changed at or after this RFC 3339 time. */
  since = given<string>();
  /** At most this many, 1–200. @default 50 */
  limit = given<number>();
}

export interface ListMessagesOptions extends OptionsOf<ListMessagesShape> {}

/** One message that the workspace sent, without its texts. Times are RFC 3339. */
export interface SentMessage {
  readonly messageId: string;
  readonly activityId: string;
  readonly targetId: string;
  readonly contextId: string;
  /** Treat unknown words as open. */
  readonly state: string;
  /** Whether it waits because the target is paused. */
  readonly isHeld: boolean;
  /** How often delivery was attempted. */
  readonly attempts: number;
  /** Why it failed. */
  readonly code: string | null;
  readonly createdAt: string;
  readonly answeredAt: string | null;
  /** `null` while it is open. */
  readonly endedAt: string | null;
}

export interface SentMessagePage {
  /** The latest change first. */
  readonly messages: readonly SentMessage[];
  readonly hasMore: boolean;
}

/** Lists what the workspace sent. */
export async function listSentMessages(
  api: PlatformApi,
  workspaceId: string,
  { state, since, limit, signal }: ListMessagesOptions,
): Promise<SentMessagePage> {
  const query = {
    state: Array.isArray(state) ? state.join(',') : (state as string | undefined),
    since,
    limit,
  };
  return await api.whereOffered(LISTS, async () => {
    const input = { params: { id: workspaceId }, query, signal };
    const { messages, has_more } = await api.call(routes.listMessages, input);
    return {
      hasMore: has_more,
      messages: messages.map((message) => ({
        messageId: message.message_id,
        activityId: message.activity_id,
        targetId: message.target_id,
        contextId: message.context_id,
        state: message.state,
        isHeld: message.held,
        attempts: message.attempts,
        code: message.code,
        createdAt: message.created_at,
        answeredAt: message.answered_at,
        endedAt: message.ended_at,
      })),
    };
  });
}
