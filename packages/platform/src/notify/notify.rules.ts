import {
  type Attachment,
  isJsonObject,
  type JsonObject,
  MessagePart,
  NotifyRequest,
} from '@molecule-ai/protocol';
import { HttpError } from '../http/http-error.ts';
import { parseBody } from '../http/mount.ts';

/** Parses the body of a notify; the error texts for missing fields are part of the contract. */
export function parseNotify(body: unknown): NotifyRequest {
  const given = isJsonObject(body) ? body : {};
  const { message, attachments } = given;
  if (typeof message !== 'string' || message.trim() === '') throw wrong('message', 'message is required');
  if (attachments !== undefined && attachments !== null) {
    if (!Array.isArray(attachments)) throw wrong('attachments', 'attachments must be a list');
    attachments.forEach((attachment, index) => {
      const { uri, name } = isJsonObject(attachment) ? attachment : {};
      if (typeof uri === 'string' && uri !== '' && typeof name === 'string' && name !== '') return;
      throw wrong(`attachments[${index}]`, `attachment[${index}]: uri and name are required`);
    });
  }
  return parseBody(NotifyRequest, body);
}

/** The message of an agent in the form of its activity row: the text and its files. */
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

/** What the answer to a message of a person has besides text and files: other parts, which the metadata names, and open data. */
export function restOfAnswer(given: NotifyRequest['metadata']): {
  readonly parts: readonly JsonObject[];
  readonly metadata?: JsonObject;
} {
  const { parts: others = [], ...open } = given ?? {};
  const isNamed =
    Array.isArray(others) && others.every((part) => MessagePart.tolerant.safeParse(part).success);
  const metadata = isNamed ? open : (given ?? {});
  const rest = Object.keys(metadata).length === 0 ? {} : { metadata };
  return { parts: isNamed ? (others as JsonObject[]) : [], ...rest };
}

function withoutUndefined({ uri, name, mimeType, size }: Attachment): JsonObject {
  return {
    uri,
    name,
    ...(mimeType === undefined ? {} : { mimeType }),
    ...(size === undefined ? {} : { size }),
  };
}

function wrong(field: string, message: string): HttpError {
  return new HttpError(400, 'invalid_request', message, { field });
}
