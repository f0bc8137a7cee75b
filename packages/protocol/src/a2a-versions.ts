import { textPart } from './message.ts';
import { isJsonObject, type JsonObject, type JsonValue, textOf } from './open-json.ts';

const NAMES_OF_1_0: Readonly<Record<string, string>> = {
  SendMessage: 'message/send',
  SendStreamingMessage: 'message/stream',
  GetTask: 'tasks/get',
  CancelTask: 'tasks/cancel',
  SubscribeToTask: 'tasks/resubscribe',
};

/** The A2A 0.3 name of a JSON-RPC method; any other name unchanged. */
export function a2aMethod(name: string): string {
  return Object.hasOwn(NAMES_OF_1_0, name) ? (NAMES_OF_1_0[name] ?? name) : name;
}

/** Whether a request is one of A2A 1.0: by the name of its method, or by `version`, the value of `A2A-Version`. */
export function isA2a1(method: string, version?: string): boolean {
  return Object.hasOwn(NAMES_OF_1_0, method) || Number.parseFloat(version ?? '') >= 1;
}

/**
 * An A2A 0.3 message with what senders leave out: the role `user`, `parts` from `content`, and `kind` and `type` of each
 * part. The same object when nothing is missing.
 */
export function repairMessage(message: JsonObject): JsonObject {
  const given = textOf(message.role) === '' ? { ...message, role: 'user' } : message;
  const { content, ...rest } = given;
  if (!Array.isArray(given.parts)) {
    if (typeof content === 'string') return { ...rest, parts: [textPart(content)] };
    return Array.isArray(content) ? { ...rest, parts: repairParts(content) } : given;
  }
  const parts = repairParts(given.parts);
  return parts === given.parts ? given : { ...given, parts };
}

/** A request of A2A 1.0 in the form of 0.3, for readers that know only that. The same object when it has that form. */
export function toA2a03Request(envelope: JsonObject): JsonObject {
  const { params } = envelope;
  const message = isJsonObject(params) ? params.message : undefined;
  const method = a2aMethod(textOf(envelope.method));
  const shown = isJsonObject(message) ? toA2a03Message(message) : message;
  if (shown === message && method === textOf(envelope.method)) return envelope;
  const changed =
    isJsonObject(params) && shown !== undefined ? { params: { ...params, message: shown } } : {};
  return { ...envelope, method, ...changed };
}

function toA2a03Message(message: JsonObject): JsonObject {
  const role = textOf(message.role);
  const named = /^role_(user|agent)$/i.exec(role)?.[1]?.toLowerCase();
  const renamed = named === undefined ? message : { ...message, kind: 'message', role: named };
  return repairMessage(
    Array.isArray(renamed.parts) ? withParts(renamed, toA2a03Parts(renamed.parts)) : renamed,
  );
}

/** Parts of any version of A2A in the form of 0.3. The same list when they have it. */
export function toA2a03Parts<Part extends JsonValue>(parts: Part[]): Part[] {
  return repairParts(mapChanged(parts, fileOf1_0)) as Part[];
}

function withParts(message: JsonObject, parts: JsonValue[]): JsonObject {
  return parts === message.parts ? message : { ...message, parts };
}

/** A file as 1.0 writes it, without a `file` around it. */
function fileOf1_0(part: JsonValue): JsonValue {
  if (!isJsonObject(part) || nameOf(part) !== '') return part;
  const { url, raw, filename, mediaType, ...rest } = part;
  if (typeof url !== 'string' && typeof raw !== 'string') return part;
  const file = {
    ...(typeof filename === 'string' ? { name: filename } : {}),
    ...(typeof mediaType === 'string' ? { mimeType: mediaType } : {}),
    ...(typeof url === 'string' ? { uri: url } : { bytes: raw as string }),
  };
  return { ...rest, file };
}

function repairParts(parts: JsonValue[]): JsonValue[] {
  return mapChanged(parts, (part) => {
    if (!isJsonObject(part)) return part;
    const name = nameOf(part);
    const isComplete = name === '' || (textOf(part.kind) !== '' && textOf(part.type) !== '');
    return isComplete ? part : { ...part, kind: name, type: name };
  });
}

/** What a part is: by its discriminator, else by what it has. */
function nameOf({ kind, type, text, file, data }: JsonObject): string {
  const named = textOf(kind) || textOf(type);
  if (named !== '') return named;
  if (typeof text === 'string') return 'text';
  if (isJsonObject(file)) return 'file';
  return data === undefined ? '' : 'data';
}

/** The same list when no item changes. */
function mapChanged(items: JsonValue[], change: (item: JsonValue) => JsonValue): JsonValue[] {
  const changed = items.map(change);
  return changed.some((item, index) => item !== items[index]) ? changed : items;
}
