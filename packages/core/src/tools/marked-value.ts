import { fenceMarkedText } from './marked-text.ts';

/** How deep a value is read, and what the model is given for the rest. */
const MAX_DEPTH = 100;
const LEFT_OUT = 'This part of the result is too deep and was left out.';

type FenceText = (text: string) => string;

/**
 * `fenceMarkedText` for each text in a value, keys included: documents and search results have their texts deep inside. The same value where
 * none is marked. What is deeper than 100 levels, or contains itself, is replaced by a sentence that says so.
 * @param fence what is done with each text
 */
export function fenceMarkedValue<Value>(value: Value, fence: FenceText = fenceMarkedText): Value {
  return fenced(value, fence, new Map(), 0) as Value;
}

function fenced(value: unknown, fence: FenceText, seen: Map<object, unknown>, depth: number): unknown {
  if (typeof value === 'string') return fence(value);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof URL)
    return value;
  if (seen.has(value)) return seen.get(value);
  if (depth >= MAX_DEPTH) return LEFT_OUT;
  seen.set(value, LEFT_OUT);
  const inner = (each: unknown): unknown => fenced(each, fence, seen, depth + 1);
  const result = Array.isArray(value) ? fencedItems(value, inner) : fencedFields(value, fence, inner);
  seen.set(value, result);
  return result;
}

function fencedItems(value: readonly unknown[], inner: (each: unknown) => unknown): readonly unknown[] {
  const items = value.map(inner);
  return items.every((item, place) => Object.is(item, value[place])) ? value : items;
}

function fencedFields(value: object, fence: FenceText, inner: (each: unknown) => unknown): object {
  const entries = Object.entries(value);
  const fencedEntries = entries.map(([key, each]) => [fence(key), inner(each)] as const);
  const isSame = fencedEntries.every(
    ([key, each], place) => key === entries[place]?.[0] && Object.is(each, entries[place]?.[1]),
  );
  return isSame ? value : Object.fromEntries(fencedEntries);
}
