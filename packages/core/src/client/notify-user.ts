import { randomUUID } from 'node:crypto';
import type { Attachment, NotifyRequest } from '@molecule-ai/protocol';
import { MoleculeError } from '../errors/molecule-error.ts';
import { postNotify } from '../platform-api/notify.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';

/** Options of a message to the user. */
export interface NotifyOptions extends CallOptions {
  /** Files that were uploaded before. */
  attachments?: readonly Attachment[] | undefined;
  /** The same key makes the same message, however often it is sent. @default a new one per call */
  idempotencyKey?: string | undefined;
  /** The message it answers: its message id or activity id. */
  inReplyTo?: string | undefined;
}

/** What became of a message to the user. */
export interface NotifyReceipt {
  /** The row in the activity feed; `''` from an older platform. */
  readonly activityId: string;
  /** Whether the key was used before, so that nothing new was shown. */
  readonly isDuplicate: boolean;
}

/** Shows a text to the user on the canvas (wire contract 3.24). */
export async function notifyUser(
  { transport, settings }: ClientContext,
  text: string,
  options: NotifyOptions,
): Promise<NotifyReceipt> {
  if (typeof text !== 'string' || text.trim() === '') {
    throw new MoleculeError('The text for the user must not be blank.', { code: 'invalid_argument' });
  }
  const body: NotifyRequest = {
    message: text,
    idempotency_key: options.idempotencyKey ?? randomUUID(),
    ...(options.attachments === undefined ? {} : { attachments: [...options.attachments] }),
    ...(options.inReplyTo ? { in_reply_to: options.inReplyTo } : {}),
  };
  const answer = await postNotify(transport, settings.workspaceId, body, { signal: options.signal });
  return { activityId: answer.activity_id ?? '', isDuplicate: answer.duplicate === true };
}
