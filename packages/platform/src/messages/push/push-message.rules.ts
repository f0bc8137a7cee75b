import { isJsonObject, type JsonObject, type MessageView } from '@molecule-ai/protocol';
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
  view: MessageView,
  message: Pick<MessageRecord, 'activity_id' | 'message_id'>,
  { caller, publicUrl, wrapAnswers }: PushContext,
): { readonly body: string; readonly headers: Record<string, string> } {
  const isPeerAnswer = view.inReplyTo !== '' && caller !== undefined;
  const shown = isPeerAnswer ? wrapAnswerMessage(view, wrapAnswers) : view.envelope;
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
