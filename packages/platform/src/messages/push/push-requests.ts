import { randomUUID } from 'node:crypto';
import {
  isA2a1,
  isJsonObject,
  type JsonObject,
  type MessageView,
  STATE_CALL_METHOD,
  viewMessage,
  withoutPlatformWords,
  withoutPlatformWordsIn,
} from '@molecule-ai/protocol';
import { wrapAnswerMessage } from '../../activity/activity-row.ts';
import type { PlatformContext } from '../../context.ts';
import type { MessageRow, WorkspaceRow } from '../../database/schema.ts';
import type { PeerToken, PeerTokensService } from '../../peer-tokens/peer-tokens.service.ts';
import { canPush } from '../delivery.rules.ts';
import type { MessageStore } from '../message.store.ts';
import { type PassedHeaders, storedHeaders } from '../request.ts';
import type { PushRequest } from './agent-endpoint.ts';

/** The content of a push, as read in the transaction that stored the message. */
export interface PushContent {
  /** Undefined for people and operators. */
  readonly caller: WorkspaceRow | undefined;
  readonly target: WorkspaceRow;
  readonly view: MessageView;
}

export interface PushRequestsOptions extends Pick<PlatformContext, 'address' | 'settings' | 'workspaces'> {
  readonly store: MessageStore;
  readonly peerTokens: Pick<PeerTokensService, 'forPush'>;
}

/** Makes the requests that are posted to agents: of messages, of their cancellations, and of a new status. */
export class PushRequests {
  readonly #options: PushRequestsOptions;

  constructor(options: PushRequestsOptions) {
    this.#options = options;
  }

  /** What is pushed of a message; undefined when its target can no longer be pushed to. */
  async read(message: MessageRow, view = viewOf(message)): Promise<PushContent | undefined> {
    const { workspaces } = this.#options;
    const target = await workspaces.find(message.target_id);
    if (target === undefined || !canPush(target)) return undefined;
    const { source_id: callerId } = message;
    return { target, view, caller: callerId === null ? undefined : await workspaces.find(callerId) };
  }

  /**
   * The request of one push: the stored request, and its sender in `params.metadata` and headers. The platform
   * replaces what a sender wrote under these names. An answer of a peer is wrapped, as on the feed. `passedOn` are the
   * headers of the sender's request that are passed on. Undefined as for `read`.
   */
  async ofMessage(
    message: MessageRow,
    { caller, target, view }: PushContent,
    passedOn: PassedHeaders,
    isStreamed: boolean,
  ): Promise<PushRequest | undefined> {
    if (!canPush(target)) return undefined;
    const { address, settings } = this.#options;
    const isKept = isOfA2a1(view, passedOn);
    const isPeerAnswer = view.inReplyTo !== '' && caller !== undefined;
    const request = isPeerAnswer
      ? wrapAnswerMessage(view, settings.security.wrapPeerResults, !isKept)
      : view.envelope;
    const shown = isKept ? request : withoutPlatformWordsIn(request, 'origin');
    const params = await this.#paramsOf(message, shown);
    const kind = caller === undefined ? 'canvas_user' : 'peer_agent';
    const metadata: JsonObject = {
      ...(isJsonObject(params.metadata) ? withoutPlatformWords(params.metadata, 'origin') : {}),
      source: kind,
      source_id: caller?.id ?? '',
      peer_id: caller?.id ?? '',
      peer_name: caller?.name ?? '',
      peer_role: caller?.role ?? '',
      agent_card_url: caller === undefined ? '' : `${address.url}/registry/discover/${caller.id}`,
      activity_id: message.id,
      message_id: message.message_id,
      ...(message.conversation_id === null ? {} : { conversation_id: message.conversation_id }),
    };
    const body: JsonObject = { ...shown, params: { ...params, metadata } };
    const method = isStreamed ? undefined : PLAIN_METHODS.get(body.method);
    if (method !== undefined) body.method = method;
    const headers = {
      ...passedOn,
      ...headersOf(await this.#options.peerTokens.forPush(message.source_id, target.id), kind),
      ...(isStreamed ? { accept: 'text/event-stream, application/json' } : {}),
      ...(caller === undefined ? {} : { 'x-workspace-id': caller.id }),
    };
    return { targetId: target.id, url: target.url, headers, body: JSON.stringify(body) };
  }

  /** The request that tells an agent its new status. */
  async ofStatus({ id, url }: { id: string; url: string }, status: string): Promise<PushRequest> {
    const body = { jsonrpc: '2.0', id: randomUUID(), method: STATE_CALL_METHOD, params: { status } };
    const headers = headersOf(await this.#options.peerTokens.forPush(null, id), 'canvas_user');
    return { targetId: id, url, headers, body: JSON.stringify(body) };
  }

  /**
   * The params of a request under the agent's own id of the task that it continues, and without the wish of its sender not
   * to wait. The platform waits for the end of the task: the task that an agent returns at once says nothing of its result,
   * and no later one follows.
   */
  async #paramsOf(
    { source_id: sourceId, target_id: targetId }: MessageRow,
    { params: given }: JsonObject,
  ): Promise<JsonObject> {
    const params = isJsonObject(given) ? { ...given } : {};
    const { configuration, message } = params;
    if (isJsonObject(configuration)) {
      const { blocking, returnImmediately, ...waiting } = configuration;
      if (blocking !== undefined && blocking !== false) waiting.blocking = blocking;
      if (returnImmediately !== undefined && returnImmediately !== true) {
        waiting.returnImmediately = returnImmediately;
      }
      params.configuration = waiting;
    }
    if (isJsonObject(message) && typeof message.taskId === 'string' && message.taskId !== '') {
      const task = await this.#options.store.find({ id: message.taskId.toLowerCase() });
      const isOfBoth = task?.source_id === sourceId && task.target_id === targetId;
      const taskId = isOfBoth ? task.agent_task_id : null;
      if (taskId !== null) params.message = { ...message, taskId };
    }
    return params;
  }
}

function headersOf({ token }: PeerToken, kind: string): Record<string, string> {
  return {
    'content-type': 'application/json',
    accept: 'application/json',
    'x-caller-kind': kind,
    authorization: `Bearer ${token}`,
  };
}

/** Of a method that asks for a stream: the one that asks for none. */
const PLAIN_METHODS: ReadonlyMap<unknown, string> = new Map([
  ['message/stream', 'message/send'],
  ['SendStreamingMessage', 'SendMessage'],
]);

/** The request of a stored message. */
export function viewOf({ id, request_body: body }: MessageRow): MessageView {
  const request: unknown = body === null ? null : JSON.parse(body);
  if (!isJsonObject(request)) throw new Error(`The request of message ${id} is missing.`);
  return viewMessage(request);
}

/** Whether a message is pushed as one whose answer comes as a stream: its sender reads one, and its agent says that it streams. */
export function asksForStream(
  { method }: Pick<MessageRow, 'method'>,
  { agent_card: card }: WorkspaceRow,
): boolean {
  if (method !== 'message/stream' || card === null) return false;
  const parsed: unknown = JSON.parse(card);
  const capabilities = isJsonObject(parsed) ? parsed.capabilities : undefined;
  return isJsonObject(capabilities) && capabilities.streaming === true;
}

/** The request that cancels a message, in the version of that. */
export function cancellationOf(message: MessageRow): MessageView {
  const method = isOfA2a1(viewOf(message), storedHeaders(message)) ? 'CancelTask' : 'tasks/cancel';
  return viewMessage({ jsonrpc: '2.0', id: `cancel-${message.id}`, method, params: { id: message.id } });
}

/** Whether a message is one of A2A 1.0, which is passed on without fields that 1.0 does not have. */
function isOfA2a1({ envelope: { method } }: MessageView, headers: PassedHeaders): boolean {
  return isA2a1(typeof method === 'string' ? method : '', headers['a2a-version']);
}
