import { createHash } from 'node:crypto';
import { isJsonObject, type JsonObject, type JsonValue } from '@molecule-ai/protocol';

/**
 * Hex SHA-256 of what makes a message the same message: its target, method and params, in any order of keys.
 * The JSON-RPC id is left out, because a repeated call may carry a new one.
 */
export function hashMessage(targetId: string, envelope: JsonObject): string {
  const { method, params } = envelope;
  const same = canonical({ target: targetId, method: method ?? null, params: params ?? null });
  return createHash('sha256').update(JSON.stringify(same)).digest('hex');
}

/** The same JSON with the keys of each object in one order; depth is bounded by whoever read the body. */
function canonical(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return ['list', ...value.map(canonical)];
  if (!isJsonObject(value)) return value;
  // Pairs, so that a key such as `__proto__` or `1` keeps its place.
  const pairs = Object.keys(value)
    .sort()
    .map((key) => [key, canonical(value[key] ?? null)]);
  return ['object', ...pairs];
}
