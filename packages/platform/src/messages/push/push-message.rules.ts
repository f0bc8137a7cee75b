import { isJsonObject, type JsonObject } from '@molecule-ai/protocol';
import { wrapAnswerMessage } from '../../activity/answer-message.rules.ts';
import type { MessageRecord, WorkspaceRow } from '../../database/schema.ts';

/** What the platform tells an agent about the sender of a pushed message. */
export interface PushContext {
  readonly caller: Pick<WorkspaceRow, 'id' | 'name' | 'role'> | undefined;
  readonly publicUrl: string;
  readonly wrapAnswers: boolean;
}

/**
 * The body and headers of one push: the stored request, and in `params.metadata` and headers who sent it. These
 * keys are the platform's: what a sender wrote under the same names is replaced (wire contract 9, ✗14). An answer
 * brought to its caller is wrapped, as it would be on the feed.
 */
export function buildPush(
  envelope: JsonObject,
  message: Pick<MessageRecord, 'activity_id' | 'message_id'>,
  { caller, publicUrl, wrapAnswers }: PushContext,
): { readonly body: string; readonly headers: Record<string, string> } {
  const shown =
    bringsPeerAnswer(envelope) && caller !== undefined ? wrapAnswerMessage(envelope, wrapAnswers) : envelope;
  const params = isJsonObject(shown.params) ? shown.params : {};
  const kind = caller === undefined ? 'canvas_user' : 'peer_agent';
  const sender: JsonObject = {
    source: kind,
    source_id: caller?.id ?? '',
    peer_id: caller?.id ?? '',
    peer_name: caller?.name ?? '',
    peer_role: caller?.role ?? '',
    agent_card_url: caller === undefined ? '' : `${publicUrl}/registry/discover/${caller.id}`,
    activity_id: message.activity_id,
    message_id: message.message_id,
  };
  const metadata = { ...(isJsonObject(params.metadata) ? params.metadata : {}), ...sender };
  return {
    body: JSON.stringify({ ...shown, params: { ...params, metadata } }),
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      'x-caller-kind': kind,
      ...(caller === undefined ? {} : { 'x-workspace-id': caller.id }),
    },
  };
}

/** Whether the sender of this request wants an answer; see `expectsAnswer` of the normalised message. */
export function wantsAnswer(envelope: JsonObject): boolean {
  const message = messageOf(envelope);
  return !bringsPeerAnswer(envelope) && !/^(role_)?agent$/i.test(String(message.role ?? ''));
}

function bringsPeerAnswer(envelope: JsonObject): boolean {
  const params = envelope.params;
  const outer = isJsonObject(params) && isJsonObject(params.metadata) ? params.metadata : {};
  const inner = messageOf(envelope).metadata;
  const names = [isJsonObject(inner) ? inner.in_reply_to : undefined, outer.in_reply_to];
  return names.some((name) => typeof name === 'string' && name !== '');
}

function messageOf(envelope: JsonObject): JsonObject {
  const params = envelope.params;
  const message = isJsonObject(params) ? params.message : undefined;
  return isJsonObject(message) ? message : {};
}
