import {
  isA2a1,
  isJsonObject,
  type JsonObject,
  type MessageView,
  viewMessage,
  withoutPlatformWords,
  withoutPlatformWordsIn,
} from '@molecule-ai/protocol';
import { wrapAnswerMessage } from '../../activity/activity-row.rules.ts';
import type { WorkspaceRow } from '../../database/schema.ts';
import type { MessageRow } from '../message.store.ts';
import { storedHeaders } from '../passed-headers.rules.ts';

/** The content of a push, as read in the transaction that stored the message. */
export interface PushContent {
  /** Undefined for people and operators. */
  readonly caller: WorkspaceRow | undefined;
  readonly target: WorkspaceRow;
  readonly view: MessageView;
}

/** A message without what is in it. */
export type PushedMessage = Pick<
  MessageRow,
  'id' | 'message_id' | 'conversation_id' | 'source_id' | 'target_id' | 'passed_headers'
>;

/** The request of a stored message. */
export function viewOf({ id, request_body: body }: MessageRow): MessageView {
  const request: unknown = body === null ? null : JSON.parse(body);
  if (!isJsonObject(request)) throw new Error(`The request of message ${id} is missing.`);
  return viewMessage(request);
}

/** Whether a message is to be pushed as one whose answer comes as a stream: its sender reads one, and its agent says that it streams. */
export function asksForStream(
  { method }: Pick<MessageRow, 'method'>,
  { agent_card: card }: WorkspaceRow,
): boolean {
  if (method !== 'message/stream' || card === null) return false;
  const parsed: unknown = JSON.parse(card);
  const capabilities = isJsonObject(parsed) ? parsed.capabilities : undefined;
  return isJsonObject(capabilities) && capabilities.streaming === true;
}

/** Whether the message is one of A2A 1.0, which is passed on without fields that 1.0 does not have. */
export function isOfA2a1(message: MessageRow): boolean {
  return isA2a1Call(viewOf(message).envelope, message);
}

function isA2a1Call({ method }: JsonObject, message: Pick<MessageRow, 'passed_headers'>): boolean {
  return isA2a1(typeof method === 'string' ? method : '', storedHeaders(message)['a2a-version']);
}

/**
 * The body and headers of one push: the stored request, and its sender in `params.metadata` and headers. The platform
 * replaces what a sender wrote under these names. An answer of a peer is wrapped, as on the feed. The headers of the
 * sender's request that are passed on come from the row, so that they survive a restart. With `agentTaskId` the message
 * names that task.
 */
export function buildPush(
  message: PushedMessage,
  {
    caller,
    view,
    publicUrl,
    wrapAnswers,
    agentTaskId,
    isStreamed,
  }: Omit<PushContent, 'target'> & {
    readonly publicUrl: string;
    readonly wrapAnswers: boolean;
    readonly agentTaskId: string | undefined;
    /** Whether the agent is asked for a stream. */
    readonly isStreamed: boolean;
  },
): { readonly body: string; readonly headers: Record<string, string> } {
  const isPeerAnswer = view.inReplyTo !== '' && caller !== undefined;
  const isKept = isA2a1Call(view.envelope, message);
  const request = isPeerAnswer ? wrapAnswerMessage(view, wrapAnswers, !isKept) : view.envelope;
  const shown = isKept ? request : withoutPlatformWordsIn(request, 'origin');
  const given = isJsonObject(shown.params) ? waitingParams(shown.params) : {};
  const params: JsonObject =
    agentTaskId !== undefined && isJsonObject(given.message)
      ? { ...given, message: { ...given.message, taskId: agentTaskId } }
      : given;
  const kind = caller === undefined ? 'canvas_user' : 'peer_agent';
  const metadata: JsonObject = {
    ...(isJsonObject(params.metadata) ? withoutPlatformWords(params.metadata, 'origin') : {}),
    source: kind,
    source_id: caller?.id ?? '',
    peer_id: caller?.id ?? '',
    peer_name: caller?.name ?? '',
    peer_role: caller?.role ?? '',
    agent_card_url: caller === undefined ? '' : `${publicUrl}/registry/discover/${caller.id}`,
    activity_id: message.id,
    message_id: message.message_id,
    ...(message.conversation_id === null ? {} : { conversation_id: message.conversation_id }),
  };
  return {
    body: JSON.stringify({ ...shown, ...methodOf(shown, isStreamed), params: { ...params, metadata } }),
    headers: {
      ...storedHeaders(message),
      'content-type': 'application/json',
      accept: isStreamed ? 'text/event-stream, application/json' : 'application/json',
      'x-caller-kind': kind,
      ...(caller === undefined ? {} : { 'x-workspace-id': caller.id }),
    },
  };
}

/** Of a message that asks for a stream: the method that asks for none, unless the agent is asked for one. */
function methodOf({ method }: JsonObject, isStreamed: boolean): JsonObject {
  if (isStreamed) return {};
  if (method === 'message/stream') return { method: 'message/send' };
  return method === 'SendStreamingMessage' ? { method: 'SendMessage' } : {};
}

/**
 * The params of a message without the wish of its sender not to wait. The platform waits for the end of the task: the task
 * that an agent returns at once says nothing of its result, and no later one follows.
 */
function waitingParams(params: JsonObject): JsonObject {
  const { configuration } = params;
  if (!isJsonObject(configuration)) return params;
  const { blocking, returnImmediately, ...others } = configuration;
  return {
    ...params,
    configuration: {
      ...others,
      ...(blocking === undefined || blocking === false ? {} : { blocking }),
      ...(returnImmediately === undefined || returnImmediately === true ? {} : { returnImmediately }),
    },
  };
}
