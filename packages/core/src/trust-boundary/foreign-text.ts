import { findLookAlikes } from '@molecule-ai/protocol';
import { fencePeerText, hasFenceTag, isFence } from './fence.ts';

/** The tags of a fence. */
const TAGS = /<peer-text-[0-9a-f]{32} origin="([0-9a-f-]{36}|unknown)">\n|\n<\/peer-text-[0-9a-f]{32}>/g;

export interface FenceForeignTextOptions {
  /**
   * Whether fences with any origin stay: for texts that an application composes, for instance with `reply.forModel()`. A text of somebody else
   * could name an origin that it does not have. @default false, fences without an origin
   */
  readonly anyOrigin?: boolean | undefined;
}

/**
 * Fences a text of unknown origin, such as the result of another tool, if it contains a boundary marker or a tag of a fence, or what
 * resembles one. A text without them is returned unchanged, and so are exact fences in it without an origin. The same text gives the same bytes
 * each time, also when it is given the result of itself. Do not give it outcomes of tools of this package: their origins are known.
 */
export function fenceForeignText(text: string, { anyOrigin = false }: FenceForeignTextOptions = {}): string {
  if (!isMarked(text)) return text;
  let result = '';
  let from = 0;
  const takeUntil = (end: number): void => {
    const piece = text.slice(from, end);
    result += isMarked(piece) ? fencePeerText(piece, { origin: 'unknown' }) : piece;
  };
  let opening: number | undefined;
  // A fence has no tag between its own two, so each character is read a few times.
  for (const { 0: tag, 1: origin, index } of text.matchAll(TAGS)) {
    if (origin !== undefined) {
      opening = anyOrigin || origin === 'unknown' ? index : undefined;
      continue;
    }
    const end = index + tag.length;
    const fence = opening === undefined ? '' : text.slice(opening, end);
    if (opening !== undefined && isFence(fence)) {
      takeUntil(opening);
      result += fence;
      from = end;
    }
    opening = undefined;
  }
  takeUntil(text.length);
  return result;
}

function isMarked(text: string): boolean {
  return hasFenceTag(text) || findLookAlikes(text).length > 0;
}

/** How deep a value is read, and what the model is given for the rest. */
const MAX_DEPTH = 100;
const LEFT_OUT = 'This part of the result is too deep and was left out.';

type Change = (text: string) => string;

/**
 * Changes each text in a value, keys included: documents and search results have their texts deep inside. The same value where none changes.
 * What is deeper than 100 levels, or contains itself, is replaced by a sentence that says so.
 */
export function mapTexts<Value>(value: Value, change: Change): Value {
  return mapped(value, change, new Map(), 0) as Value;
}

function mapped(value: unknown, change: Change, seen: Map<object, unknown>, depth: number): unknown {
  if (typeof value === 'string') return change(value);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof URL)
    return value;
  if (seen.has(value)) return seen.get(value);
  if (depth >= MAX_DEPTH) return LEFT_OUT;
  seen.set(value, LEFT_OUT);
  const inner = (each: unknown): unknown => mapped(each, change, seen, depth + 1);
  const result = Array.isArray(value) ? mappedItems(value, inner) : mappedFields(value, change, inner);
  seen.set(value, result);
  return result;
}

function mappedItems(value: readonly unknown[], inner: (each: unknown) => unknown): readonly unknown[] {
  const items = value.map(inner);
  return items.every((item, place) => Object.is(item, value[place])) ? value : items;
}

function mappedFields(value: object, change: Change, inner: (each: unknown) => unknown): object {
  const entries = Object.entries(value);
  const changed = entries.map(([key, each]) => [change(key), inner(each)] as const);
  const isSame = changed.every(
    ([key, each], place) => key === entries[place]?.[0] && Object.is(each, entries[place]?.[1]),
  );
  return isSame ? value : Object.fromEntries(changed);
}
