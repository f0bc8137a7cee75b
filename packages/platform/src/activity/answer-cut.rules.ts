import { isJsonObject, type JsonObject, type JsonValue } from '@molecule-ai/protocol';

/** What an answer may take in a row of a page, in bytes of JSON. */
export const MAX_ANSWER_IN_ROW = 256 * 1024;

/** Strings up to this length count as fields, such as ids and roles, and are kept before longer ones. */
const FIELD_LENGTH = 300;

/**
 * Shortens JSON to about `limit` bytes: texts are cut at whole characters, and what comes after the limit is left out.
 * Short fields of an object are kept before its texts, lists and objects. The value is not changed.
 */
export function cutJson(value: JsonObject, limit: number): JsonObject {
  const budget = { left: limit };
  return (cut(value, budget) as JsonObject | undefined) ?? {};
}

function cut(value: JsonValue, budget: { left: number }): JsonValue | undefined {
  if (typeof value === 'string') return cutString(value, budget);
  if (Array.isArray(value)) {
    budget.left -= 2;
    const items: JsonValue[] = [];
    for (const item of value) {
      const kept = budget.left > 0 ? cut(item, budget) : undefined;
      if (kept === undefined) break;
      items.push(kept);
    }
    return items;
  }
  if (!isJsonObject(value)) {
    budget.left -= 8;
    return budget.left >= 0 ? value : undefined;
  }
  budget.left -= 2;
  const keys = Object.keys(value);
  const kept = new Map<string, JsonValue>();
  for (const isField of [true, false]) {
    for (const key of keys) {
      const child = value[key];
      if (child === undefined || isShort(child) !== isField) continue;
      budget.left -= jsonBytes(key) + 2;
      const shown = budget.left > 0 ? cut(child, budget) : undefined;
      if (shown !== undefined) kept.set(key, shown);
    }
  }
  return Object.fromEntries(keys.flatMap((key) => (kept.has(key) ? [[key, kept.get(key) ?? null]] : [])));
}

function isShort(value: JsonValue): boolean {
  return typeof value === 'string'
    ? value.length <= FIELD_LENGTH
    : typeof value !== 'object' || value === null;
}

function cutString(text: string, budget: { left: number }): string | undefined {
  let kept = text.slice(0, Math.max(0, budget.left));
  let bytes = jsonBytes(kept);
  while (bytes > budget.left && kept !== '') {
    kept = kept.slice(0, Math.floor((kept.length * budget.left) / bytes));
    bytes = jsonBytes(kept);
  }
  if (kept.length < text.length && /[\ud800-\udbff]$/.test(kept)) kept = kept.slice(0, -1);
  budget.left = kept.length < text.length ? 0 : budget.left - bytes;
  return kept === '' && text !== '' ? undefined : kept;
}

function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}
