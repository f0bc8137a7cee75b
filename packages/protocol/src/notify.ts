import * as z from 'zod';
import { columnText } from './field-limits.ts';
import { Count, IdempotencyKey } from './ids.ts';
import { JsonObject } from './open-json.ts';
import { type WireType, wire } from './wire.ts';

/** A file named in a message to the user; `size` in bytes. */
export const Attachment = wire('Attachment', (w) =>
  w.object({
    uri: z.string().min(1),
    name: z.string().min(1),
    mimeType: w.maybe(z.string()),
    size: w.maybe(Count),
  }),
);
export type Attachment = WireType<typeof Attachment>;

/**
 * Body of `POST /workspaces/:id/notify`: the agent writes to the user. `in_reply_to` is the message id or
 * activity id that it answers. Errors: 400 `message is required`, `attachment[0]: uri and name are required`.
 */
export const NotifyRequest = wire('NotifyRequest', (w) =>
  w.object({
    message: z.string().min(1),
    attachments: w.maybe(z.array(w.use(Attachment))),
    idempotency_key: w.maybe(IdempotencyKey),
    in_reply_to: w.maybe(columnText()),
    metadata: w.maybe(JsonObject),
    type: w.maybe(columnText()),
  }),
);
export type NotifyRequest = WireType<typeof NotifyRequest>;

/**
 * Response of notify; `duplicate` when the idempotency key was seen before, `ignored` when the message that it answers
 * was canceled: then nothing is shown, and `activity_id` is the row of that message.
 */
export const NotifyResponse = wire('NotifyResponse', (w) =>
  w.object({
    status: w.oneOf(['sent']),
    activity_id: w.promised(w.id()),
    duplicate: w.maybe(z.literal(true)),
    ignored: w.maybe(z.literal(true)),
  }),
);
export type NotifyResponse = WireType<typeof NotifyResponse>;

/** Response of `POST /workspaces/:id/chat/uploads` (multipart, field `files`). */
export const UploadResponse = wire('UploadResponse', (w) => w.object({ files: z.array(w.use(Attachment)) }));
export type UploadResponse = WireType<typeof UploadResponse>;

/** Query of `GET /workspaces/:id/chat/download`: the path of an uploaded file. */
export const DownloadQuery = wire('DownloadQuery', (w) => w.object({ path: z.string().min(1) }));
export type DownloadQuery = WireType<typeof DownloadQuery>;
