import { type Attachment, isJsonObject, type JsonObject, NotifyRequest } from '@molecule-ai/protocol';
import { ApiError } from '../http/api-error.ts';
import { parseBody } from '../http/parse.ts';

/** Reads the body of a notify, with the texts of wire contract 3.24 for what is missing. */
export function parseNotify(body: unknown): NotifyRequest {
  const given = isJsonObject(body) ? body : {};
  const { message, attachments } = given;
  if (typeof message !== 'string' || message.trim() === '') throw wrong('message', 'message is required');
  if (attachments !== undefined && attachments !== null) {
    if (!Array.isArray(attachments)) throw wrong('attachments', 'attachments must be a list');
    attachments.forEach((attachment, index) => {
      const { uri, name } = isJsonObject(attachment) ? attachment : {};
      if (typeof uri === 'string' && uri !== '' && typeof name === 'string' && name !== '') return;
      throw wrong(`attachments.${index}`, `attachment[${index}]: uri and name are required`);
    });
  }
  return parseBody(NotifyRequest, body);
}

/** What an agent said, as its activity row keeps it: the text and its files. */
export function notifyBody(message: string, attachments: readonly Attachment[]): JsonObject {
  const parts = fileParts(attachments);
  return { result: message, ...(parts.length === 0 ? {} : { parts }) };
}

/** Attachments as message parts. */
export function fileParts(attachments: readonly Attachment[]): JsonObject[] {
  return attachments.map((attachment) => ({
    kind: 'file',
    type: 'file',
    file: withoutUndefined(attachment),
  }));
}

function withoutUndefined({ uri, name, mimeType, size }: Attachment): JsonObject {
  return {
    uri,
    name,
    ...(mimeType === undefined ? {} : { mimeType }),
    ...(size === undefined ? {} : { size }),
  };
}

function wrong(field: string, message: string): ApiError {
  return new ApiError(400, 'invalid_request', message, { extras: { field } });
}
