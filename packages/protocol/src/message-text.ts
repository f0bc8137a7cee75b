import { textPart } from './message.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './open-json.ts';

/** A place of a body where text may be: a key of the object that `path` leads to. */
export interface TextPlace {
  readonly path: readonly string[];
  readonly key: string;
  /** A string, a list of parts, or a list of objects that have parts each (artifacts, the history). */
  readonly holds: 'text' | 'parts' | 'holders';
}

export const textPlace = (...keys: [...string[], string]): TextPlace => ({ ...split(keys), holds: 'text' });
const parts = (...path: string[]): TextPlace => ({ path, key: 'parts', holds: 'parts' });
export const holdersPlace = (...keys: [...string[], string]): TextPlace => ({
  ...split(keys),
  holds: 'holders',
});

function split(keys: readonly string[]): { path: readonly string[]; key: string } {
  return { path: keys.slice(0, -1), key: keys.at(-1) ?? '' };
}

/** Where the text of a request may be; the first place that has text is used. */
const REQUEST_PLACES: readonly TextPlace[] = [
  parts('params', 'message'),
  parts('params'),
  parts(),
  parts('message'),
  textPlace('message'),
  textPlace('params', 'message'),
  textPlace('task'),
  textPlace('summary'),
  textPlace('params', 'text'),
  textPlace('text'),
];

/** Where the text of an answer may be; tasks and stream events of A2A included. */
export const ANSWER_PLACES: readonly TextPlace[] = [
  textPlace('result'),
  parts('result'),
  parts('result', 'message'),
  holdersPlace('result', 'artifacts'),
  parts('result', 'artifact'),
  parts('result', 'status', 'message'),
  holdersPlace('result', 'task', 'artifacts'),
  parts('result', 'task', 'status', 'message'),
  textPlace('result', 'text'),
  textPlace('result', 'message'),
  textPlace('text'),
  parts(),
  parts('message'),
  holdersPlace('artifacts'),
  parts('status', 'message'),
  textPlace('message'),
];

const ALL_PLACES = [...REQUEST_PLACES, ...ANSWER_PLACES];

/**
 * The text of a request, in any supported shape: `params.message.parts`, `params.parts`,
 * `parts`, `message.parts`, a text in `message`, `task`, `summary`. Several text parts are joined by a newline.
 * `''` when there is none. Never throws.
 */
export function extractMessageText(body: JsonValue | undefined): string {
  return firstText(body, REQUEST_PLACES);
}

/**
 * The text of an answer: a text `result`, `result.parts`, `result.message.parts`, artifacts, the
 * status message, `result.text`, `text`, a bare message, and last `error.message`. `''` when there is none.
 * Never throws. The text is a peer's and untrusted; markers are still in it.
 *
 * @param change Changes each text before they are joined, for example `stripA2aBoundary`.
 */
export function extractAnswerText(body: JsonValue | undefined, change: ChangeText = unchanged): string {
  const found = firstText(body, ANSWER_PLACES, change);
  if (found !== '' || !isJsonObject(body)) return found;
  const error = body.error;
  if (typeof error === 'string') return change(error);
  const message = isJsonObject(error) ? error.message : undefined;
  return typeof message === 'string' ? change(message) : '';
}

type ChangeText = (text: string) => string;
const unchanged: ChangeText = (text) => text;

/**
 * The parts of a message or an answer: the first list of parts that is not empty, in the order of the two
 * functions above; `{root: part}` is unwrapped and a bare text becomes a part. Never throws.
 */
export function extractParts(body: JsonValue | undefined): JsonObject[] {
  if (!isJsonObject(body)) return [];
  for (const place of ALL_PLACES) {
    if (place.holds === 'text') continue;
    const found: JsonObject[] = [];
    for (const part of partsAt(body, place)) {
      if (typeof part === 'string') found.push(textPart(part));
      else if (isJsonObject(part)) found.push(isJsonObject(part.root) ? part.root : part);
    }
    if (found.length > 0) return found;
  }
  return [];
}

function firstText(
  body: JsonValue | undefined,
  places: readonly TextPlace[],
  change: ChangeText = unchanged,
): string {
  if (typeof body === 'string') return change(body);
  if (!isJsonObject(body)) return '';
  for (const place of places) {
    const found =
      place.holds === 'text' ? change(textAt(body, place)) : joinTexts(partsAt(body, place), change);
    if (found !== '') return found;
  }
  return '';
}

function textAt(body: JsonObject, { path, key }: TextPlace): string {
  const value = objectAt(body, path)?.[key];
  return typeof value === 'string' ? value : '';
}

const NO_PARTS: readonly JsonValue[] = [];

function partsAt(body: JsonObject, { path, key, holds }: TextPlace): readonly JsonValue[] {
  const list = objectAt(body, path)?.[key];
  if (!Array.isArray(list)) return NO_PARTS;
  if (holds === 'parts') return list;
  return list.flatMap((holder) => (isJsonObject(holder) && Array.isArray(holder.parts) ? holder.parts : []));
}

export function objectAt(body: JsonObject, path: readonly string[]): JsonObject | undefined {
  let object = body;
  for (const key of path) {
    const child = object[key];
    if (!isJsonObject(child)) return undefined;
    object = child;
  }
  return object;
}

function joinTexts(list: readonly JsonValue[], change: ChangeText): string {
  const texts: string[] = [];
  for (const part of list) {
    if (typeof part === 'string') {
      texts.push(change(part));
    } else if (isJsonObject(part)) {
      const own = textOfPart(part) ?? (isJsonObject(part.root) ? textOfPart(part.root) : undefined);
      if (own !== undefined) texts.push(change(own));
    }
  }
  return texts.join('\n');
}

/** The text of a part whose kind is text or missing. */
function textOfPart({ kind, type, text }: JsonObject): string | undefined {
  if (typeof text !== 'string') return undefined;
  const isText = kind === 'text' || type === 'text' || (kind === undefined && type === undefined);
  return isText ? text : undefined;
}

/** The structured data of a message or an answer: that of its only data part; `undefined` for none or several. */
export function dataOfParts(parts: readonly JsonObject[]): JsonValue | undefined {
  const [first, ...others] = parts.filter(
    ({ kind, type, data }) => data !== undefined && (kind ?? type ?? 'data') === 'data',
  );
  return others.length === 0 ? first?.data : undefined;
}
