import { findLookAlikes, refencePeerText } from '@molecule-ai/protocol';
import { fenceRepeatably } from '../peers/text-for-model.ts';

/** What shows as nothing, and what separates. */
const HIDDEN = String.raw`\p{Cc}\p{Cs}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\u{FFF9}-\u{FFFB}`;
/** Whatever a model could read as a tag of a fence. No match begins within another, so a search reads each character a constant number of times. */
const TAG = new RegExp(`<[\\s\\\\/\\uFFFD${HIDDEN}]*${[...'peer-text'].join(`[${HIDDEN}]*`)}`, 'giu');
const OPENING = /<peer-text-([0-9a-f]{32}) origin="([0-9a-f-]{36}|unknown)">\n/y;

/** Whether a fence with this origin stays. */
type IsAllowed = (origin: string) => boolean;

export interface FenceMarkedTextOptions {
  /** The workspace that the text is of. @default 'unknown' */
  readonly origin?: string | undefined;
  /**
   * Whether fences with any origin stay: for texts that an application composes, for instance with `reply.forModel()`. A text of somebody else
   * could name an origin that it does not have. @default false, fences with `origin` or without one
   */
  readonly anyOrigin?: boolean | undefined;
}

/**
 * Fences a text of unknown origin, such as the result of another tool, if it contains a boundary marker or a tag of a fence, or what
 * resembles one. A text without them is returned unchanged, and so is a fence in it with this origin, or none, that is exactly as this
 * function makes it. The same text gives the same bytes each time, also when it is given the result of itself. Do not give it outcomes of tools of this package:
 * their origins are known.
 */
export function fenceMarkedText(text: string, options: FenceMarkedTextOptions = {}): string {
  if (!isMarked(text)) return text;
  const { origin = 'unknown', anyOrigin = false } = options;
  return splitFences(text, anyOrigin ? () => true : isOneOf('unknown', origin.toLowerCase()))
    .map(({ isFenced, piece }) => (isFenced || !isMarked(piece) ? piece : fenceRepeatably(piece, { origin })))
    .join('');
}

/**
 * Fences a text of a peer as a whole, marked or not, with a nonce that is derived from it. A text that is already one exact fence with this
 * origin is returned unchanged.
 */
export function fenceOnce(text: string, { origin }: { readonly origin: string }): string {
  const fence = fenceRepeatably(text, { origin });
  // As it is shown: what is not the id of a workspace is of unknown origin.
  OPENING.lastIndex = 0;
  const [, , shown = ''] = OPENING.exec(fence) ?? [];
  const [first, ...others] = splitFences(text, isOneOf(shown));
  return first?.isFenced === true && others.length === 0 ? text : fence;
}

function isOneOf(...origins: readonly string[]): IsAllowed {
  return (origin) => origins.includes(origin);
}

function isMarked(text: string): boolean {
  return text.search(TAG) !== -1 || findLookAlikes(text).length > 0;
}

interface Piece {
  readonly piece: string;
  readonly isFenced: boolean;
}

/** The text in pieces, those that are a whole fence and those between. A fence has no tag between its own two, so each character is read once. */
function splitFences(text: string, isAllowed: IsAllowed): Piece[] {
  const tags = [...text.matchAll(TAG)].map(({ index }) => index);
  const pieces: Piece[] = [];
  let from = 0;
  for (const [place, start] of tags.entries()) {
    const end = endOfFence(text, start, tags[place + 1], isAllowed);
    if (end === undefined) continue;
    pieces.push({ piece: text.slice(from, start), isFenced: false });
    pieces.push({ piece: text.slice(start, end), isFenced: true });
    from = end;
  }
  pieces.push({ piece: text.slice(from), isFenced: false });
  return pieces.filter(({ piece }) => piece !== '');
}

/** Where the fence ends whose tags these two are; `undefined` for tags that fencing what is between them does not make. */
function endOfFence(
  text: string,
  start: number,
  nextTag: number | undefined,
  isAllowed: IsAllowed,
): number | undefined {
  OPENING.lastIndex = start;
  const [opening, nonce = '', origin = ''] = OPENING.exec(text) ?? [];
  if (opening === undefined || nextTag === undefined || !isAllowed(origin)) return undefined;
  const closing = `\n</peer-text-${nonce}>`;
  const end = nextTag - 1 + closing.length;
  const whole = text.slice(start, end);
  const body = whole.slice(opening.length, -closing.length);
  return refencePeerText(body, { origin, nonce }) === whole ? end : undefined;
}

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
