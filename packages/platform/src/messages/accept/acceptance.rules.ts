import { randomUUID } from 'node:crypto';
import type { MessageView, ReplyAccepted, ReplyIgnored } from '@molecule-ai/protocol';
import type { WorkspaceRow } from '../../database/schema.ts';
import { HttpError } from '../../http/http-error.ts';
import { inContext } from '../conversation.rules.ts';
import type { DeliveryPlan } from '../delivery.rules.ts';
import type { InboxRefusal } from '../inbox-room.ts';
import type { MessageRow } from '../message.store.ts';
import { messageStateOf } from '../outcome/outcome.rules.ts';
import type { OutcomeDestination } from '../outcome/outcome-hooks.ts';
import type { NormalMessage } from './request-message.rules.ts';

/** A received message. */
export interface IncomingMessage {
  /** The calling workspace; null for people and operators. */
  readonly callerId: string | null;
  readonly targetId: string;
  readonly message: NormalMessage;
  /** Whether the caller says itself how long it waits. */
  readonly namesHold: boolean;
}

/** A message whose caller may write to its target, with both rows as read in its transaction. */
export interface AdmittedMessage {
  readonly callerId: string | null;
  /** Undefined for people and operators. */
  readonly caller: WorkspaceRow | undefined;
  readonly target: WorkspaceRow;
  readonly message: NormalMessage;
  readonly bodyHash: string;
  /** The message whose questions it answers. */
  readonly continues?: MessageRow;
}

/** The result of accepting a message. */
export type Acceptance =
  /** It answered another message. */
  | { readonly kind: 'reply'; readonly body: ReplyAccepted | ReplyIgnored }
  | {
      readonly kind: 'message';
      /** Without the answer, which is long, when it is a repeat. */
      readonly row: MessageRow;
      /** The target as it was when the message was stored. */
      readonly target: WorkspaceRow;
      readonly plan: DeliveryPlan;
    };

/**
 * The message with a context: its own, that of the question it replies to, the workspace's own for people, else a new
 * one.
 */
export function withContext(
  { callerId, target, message: { view } }: AdmittedMessage,
  questionContext: string | undefined,
): MessageView {
  if (questionContext !== undefined) return inContext(view, questionContext);
  if (view.contextId !== '') return view;
  return inContext(view, callerId === null ? target.id : randomUUID());
}

/** Whether the sender of a stored message wanted an answer to it. */
export function needsAnswer({ source_id: sourceId, caller_receipt: receipt }: MessageRow): boolean {
  return sourceId === null || receipt !== 'none';
}

export function acceptedReply(
  messageId: string,
  inReplyTo: string,
  destination: OutcomeDestination,
  isRepeat: boolean,
): Acceptance {
  const body: ReplyAccepted = {
    status: 'answered',
    message_id: messageId,
    in_reply_to: inReplyTo,
    delivered_to: destination,
    ...(isRepeat ? { duplicate: true as const } : {}),
  };
  return { kind: 'reply', body };
}

/** A reply to a message that was answered or acknowledged before. */
export function unusedReply(
  messageId: string,
  question: Pick<MessageRow, 'message_id' | 'delivery_state'>,
): Acceptance {
  const state = messageStateOf(question);
  const hint =
    state === 'answered'
      ? 'The message had been answered before.'
      : 'The message ended when it was acknowledged. Answer first, or report the outcome accepted before the acknowledgement.';
  const unused = { delivered_to: 'nobody', duplicate: true, state, hint } as const;
  const body = {
    status: 'answered',
    message_id: messageId,
    in_reply_to: question.message_id,
    ...unused,
  } as const;
  return { kind: 'reply', body };
}

export function accessDenied(extras: { readonly field?: string } = {}): HttpError {
  const text = 'access denied: workspaces cannot communicate per hierarchy rules';
  return new HttpError(403, 'access_denied', text, { extras });
}

export function questionClosed(): HttpError {
  return new HttpError(409, 'question_closed', 'the question is no longer open');
}

export function inboxFull(full: InboxRefusal): HttpError {
  const [text, hint] = INBOX_FULL[full];
  return new HttpError(429, 'inbox_full', text, {
    extras: { retry_after: 30, scope: full, hint },
    headers: { 'retry-after': '30' },
  });
}

const INBOX_FULL: Readonly<Record<InboxRefusal, readonly [string, string]>> = {
  inbox: [
    'the target has too many unacknowledged messages',
    'Its agent must acknowledge what it has finished. Try again later.',
  ],
  sender: [
    'the target has too many unacknowledged messages of yours',
    'One sender may use a quarter of what may wait. Send again when the target has finished some.',
  ],
};

/** Called after the commit of a new message. */
export type OnStored = (row: MessageRow, plan: DeliveryPlan) => void;
