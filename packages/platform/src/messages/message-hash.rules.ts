import { createHash } from 'node:crypto';
import { isJsonObject, type JsonObject, type JsonValue, toA2a03Request } from '@molecule-ai/protocol';

/** Metadata that says where and when a message was sent, and not what it is. */
const CIRCUMSTANCES: ReadonlySet<string> = new Set([
  'parent_message_id',
  'parent_activity_id',
  'trace_id',
  'hops',
  'path',
  'deadline',
]);

/**
 * Hex SHA-256 of target, method and params, independent of the order of keys and of the version of A2A; identifies a repeat. The JSON-RPC id is
 * not included, because a repeated call may have a new one, nor what a repeat from somewhere else says of its sending.
 */
export function hashMessage(targetId: string, envelope: JsonObject): string {
  const { method, params } = toA2a03Request(envelope);
  const content = isJsonObject(params) ? withoutCircumstances(params) : (params ?? null);
  // A message is the same whether its sender reads a stream of the answer or not.
  const name = method === 'message/stream' ? 'message/send' : (method ?? null);
  const same = canonical({ target: targetId, method: name, params: content });
  return createHash('sha256').update(JSON.stringify(same)).digest('hex');
}

function withoutCircumstances(params: JsonObject): JsonObject {
  const { message } = params;
  const reduced = isJsonObject(message) ? { ...params, message: withContentOnly(message) } : params;
  return withContentOnly(reduced);
}

/** Metadata with nothing else in it counts as none. */
function withContentOnly({ metadata, ...rest }: JsonObject): JsonObject {
  if (!isJsonObject(metadata)) return metadata === undefined ? rest : { ...rest, metadata };
  const kept = Object.entries(metadata).filter(([key]) => !CIRCUMSTANCES.has(key));
  return kept.length === 0 ? rest : { ...rest, metadata: Object.fromEntries(kept) };
}

/** The same JSON with sorted keys. The depth was limited when the body was validated. */
function canonical(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return ['list', ...value.map(canonical)];
  if (!isJsonObject(value)) return value;
  // Pairs, so that a key such as `__proto__` or `1` keeps its place.
  const pairs = Object.keys(value)
    .sort()
    .map((key) => [key, canonical(value[key] ?? null)]);
  return ['object', ...pairs];
}
