import { isJsonObject, type JsonObject, type MessageView, withoutPlatformWords } from '@molecule-ai/protocol';

/** A request as it is stored. */
export interface StoredRequest {
  /** `JSON.stringify` of the request. */
  readonly request_body: string;
  /**
   * Where the parts and the metadata are in the text: `start,end,start,end` in UTF-16 units, `0,0` for no metadata.
   * Null for a request that has more than a compact row shows, or shows it in another form.
   */
  readonly layout: string | null;
}

/** The parts and the metadata of a request as JSON texts. */
export interface StoredTexts {
  readonly parts: string;
  readonly metadata: string;
}

const NO_METADATA = '{}';
const PLAIN_PARAMS = new Set(['message', 'metadata']);
const PLAIN_MESSAGE = new Set(['kind', 'role', 'messageId', 'contextId', 'parts', 'metadata']);

/** Writes a request as JSON text, and remembers where a compact row finds its parts and its metadata. */
export function storeRequest(view: MessageView): StoredRequest {
  const spans = new Map<string, readonly [number, number]>();
  let text = '';
  const write = (object: JsonObject, path: string): void => {
    let separator = '{';
    for (const key of Object.keys(object)) {
      const value = object[key];
      if (value === undefined) continue;
      const place = `${path}/${key}`;
      text += `${separator}${JSON.stringify(key)}:`;
      separator = ',';
      const start = text.length;
      if (isJsonObject(value) && (place === '/params' || place === '/params/message')) write(value, place);
      else text += JSON.stringify(value);
      spans.set(place, [start, text.length]);
    }
    text += separator === '{' ? '{}' : '}';
  };
  write(view.envelope, '');
  const parts = spans.get('/params/message/parts');
  const metadata = spans.get('/params/message/metadata') ?? spans.get('/params/metadata') ?? [0, 0];
  const isPlain = parts !== undefined && hasOnlyPlainKeys(view);
  return { request_body: text, layout: isPlain ? [...parts, ...metadata].join() : null };
}

/** The parts and the metadata of a request, as the layout names them. */
export function textsAt(body: string, layout: string): StoredTexts {
  const [partsStart, partsEnd, start, end] = layout.split(',').map(Number);
  const metadata = end === 0 ? NO_METADATA : body.slice(start, end);
  return { parts: body.slice(partsStart, partsEnd), metadata };
}

/** What a call has besides the message's parts, metadata, ids and the role `user`; undefined when there is nothing. */
export function restOfCall({ params, role }: MessageView): JsonObject | undefined {
  const { message, metadata: _shown, ...rest } = params;
  const more: JsonObject = {};
  if (isJsonObject(message)) {
    for (const key of Object.keys(message)) if (!PLAIN_MESSAGE.has(key)) more[key] = message[key] ?? null;
  } else if (message !== undefined) {
    rest.message = message;
  }
  if (role === 'agent') more.role = 'agent';
  if (Object.keys(more).length > 0) rest.message = more;
  return Object.keys(rest).length === 0 ? undefined : rest;
}

function hasOnlyPlainKeys(view: MessageView): boolean {
  const { params, message } = view;
  if (view.role === 'agent' || !Array.isArray(message.parts) || message.parts.length === 0) return false;
  const isOneMetadata = !(isJsonObject(params.metadata) && isJsonObject(message.metadata));
  return (
    Object.keys(params).every((key) => PLAIN_PARAMS.has(key)) &&
    Object.keys(message).every((key) => PLAIN_MESSAGE.has(key)) &&
    message.parts.every(
      (part) => isJsonObject(part) && typeof part.kind === 'string' && !isJsonObject(part.root),
    ) &&
    isOneMetadata &&
    withoutPlatformWords(view.metadata, 'origin') === view.metadata &&
    [params.metadata ?? {}, message.metadata ?? {}].every(isJsonObject)
  );
}
