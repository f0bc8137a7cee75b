import { type InboundMessage, type JsonValue, parseActivityRow, routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { PageTooLargeError, type UnreadRow } from '../errors/page-too-large-error.ts';
import { send } from '../platform-api/call.ts';
import { headerOf } from '../transport/response-body.ts';
import type { ClientContext } from './client-context.ts';

/** Of the rows that are fetched whole for one page, in bytes; the page ends when they are more. */
const MAX_WHOLE_BYTES = 16 * 1024 * 1024;
/** Longer texts are not ids. */
const MAX_FIELD_BYTES = 2_000;

/** The messages of a page, each whole. */
export interface WholeMessages {
  readonly messages: readonly InboundMessage[];
  /** The first message that the page has no room for; `undefined` when it has all. */
  readonly endsBefore: InboundMessage | undefined;
}

/**
 * Fetches the rows that the platform cut. The page ends before the first message for which there is no room.
 * @throws PageTooLargeError when the first message of the page is itself larger than a response may be.
 */
export async function fetchWholeMessages(
  context: ClientContext,
  messages: readonly InboundMessage[],
  signal: AbortSignal | undefined,
): Promise<WholeMessages> {
  const whole: InboundMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    if (message.raw.truncated !== true) {
      whole.push(message);
      continue;
    }
    if (bytes > MAX_WHOLE_BYTES) return { messages: whole, endsBefore: message };
    try {
      const fetched = await fetchWhole(context, message, signal);
      whole.push(fetched.message);
      bytes += fetched.bytes;
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      if (message !== messages[0]) return { messages: whole, endsBefore: message };
      const { id, messageId, sourceId, seq } = message;
      throw pageTooLarge(error, 1, { id, messageId, sourceId, seq });
    }
  }
  return { messages: whole, endsBefore: undefined };
}

/** The row that a response begins with, although the rest of it is missing; `null` when it does not name one. */
export function firstRowOf(received: Buffer): UnreadRow | null {
  const fields = fieldsOfFirstRow(received);
  const text = (name: string): string => String(fields.get(name) ?? '');
  const seq = fields.get('seq');
  if (text('id') === '') return null;
  return {
    id: text('id'),
    messageId: text('message_id'),
    sourceId: text('source_id'),
    seq: typeof seq === 'number' && Number.isSafeInteger(seq) ? seq : null,
  };
}

export function pageTooLarge(cause: ApiError, limit: number, firstRow: UnreadRow | null): PageTooLargeError {
  const { status, method, path } = cause;
  const hint = 'Read with a smaller limit, or raise maxResponseBytes.';
  return new PageTooLargeError(cause.message, { status, method, path, limit, firstRow, hint, cause });
}

export function isTooLarge(error: unknown): error is ApiError {
  return ApiError.isInstance(error) && error.code === 'response_too_large';
}

async function fetchWhole(
  { transport, settings }: ClientContext,
  message: InboundMessage,
  signal: AbortSignal | undefined,
): Promise<{ readonly message: InboundMessage; readonly bytes: number }> {
  try {
    const response = await send(transport, routes.getActivityRow, {
      params: { id: settings.workspaceId, activityId: message.id },
      query: { view: 'compact' },
      signal,
    });
    const whole = parseActivityRow(response.body as JsonValue, {
      self: settings.workspaceId,
      hasCheckedAnswers: transport.capabilities.words.has('questions'),
    });
    const bytes = Number(headerOf(response, 'content-length') ?? 0);
    return { message: whole ?? message, bytes };
  } catch (error) {
    // Pruned since the page was read, or a platform without this route: what there is of it is handled.
    if (ApiError.isInstance(error) && error.status === 404) return { message, bytes: 0 };
    throw error;
  }
}

const TOKEN = /[{}[\]:,]|-?\d[\d.eE+-]*/y;
const SPACE = /(?:\s|true|false|null)*/y;

/** The texts and numbers of the first object inside a list, as far as they were received. */
function fieldsOfFirstRow(received: Buffer): Map<string, string | number> {
  const fields = new Map<string, string | number>();
  const text = received.toString('latin1');
  let path = '';
  /** Inside a row: of a bare list, or of the list `items` of an object. */
  let rowPath = '[{';
  let key: string | undefined;
  let isValue = false;
  for (let at = 0; at < text.length; ) {
    SPACE.lastIndex = at;
    SPACE.exec(text);
    const start = SPACE.lastIndex;
    const end = text[start] === '"' ? endOfString(text, start) : endOfToken(text, start);
    if (end <= start) break;
    const first = text[start] ?? '';
    at = end;
    if (first === '{' || first === '[') {
      path += first;
      if (path === '{[{') rowPath = path;
    } else if (first === '}' || first === ']') {
      if (path === rowPath) break;
      path = path.slice(0, -1);
    } else if (path === rowPath) {
      if (first === ':') isValue = true;
      else if (first === ',') isValue = false;
      else if (end - start <= MAX_FIELD_BYTES) {
        const value = JSON.parse(Buffer.from(text.slice(start, end), 'latin1').toString('utf8'));
        if (isValue && key !== undefined) fields.set(key, value);
        else key = String(value);
      }
    }
  }
  return fields;
}

function endOfToken(text: string, start: number): number {
  TOKEN.lastIndex = start;
  return TOKEN.test(text) ? TOKEN.lastIndex : -1;
}

/** The place after the quote that ends the string at `start`; -1 when the text ends before. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text[end - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return end + 1;
  }
  return -1;
}
