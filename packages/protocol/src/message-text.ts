import { copyJson } from './json-copy.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './open-json.ts';
import { answerPlaces, requestPlaces, type TextPlace } from './text-places.ts';

/**
 * The text of a message somebody sent, in any shape of the family: `params.message.parts`, `params.parts`,
 * `parts`, `message.parts`, a text in `message`, `task`, `summary`. Several text parts are joined by a newline.
 * Gives `''` when there is none. Never throws. Source: wire contract 3.21.
 */
export function extractMessageText(body: JsonValue | undefined): string {
  return firstText(requestPlaces(body));
}

/**
 * The text of what an agent answered: a text `result`, `result.parts`, `result.message.parts`, artifacts, the
 * status message, `result.text`, `text`, a bare message, at last `error.message`. Gives `''` when there is none.
 * Never throws. The text is a peer's and untrusted; markers are still in it. Source: wire contract 3.21.
 */
export function extractAnswerText(body: JsonValue | undefined): string {
  const text = firstText(answerPlaces(body).filter((place) => !place.onlyMapped));
  if (text !== '' || !isJsonObject(body)) return text;
  const error = body.error;
  if (typeof error === 'string') return error;
  const message = isJsonObject(error) ? error.message : undefined;
  return typeof message === 'string' ? message : '';
}

/**
 * The parts of a message or an answer: the first list of parts that is not empty, in the order of the two
 * functions above; `{root: part}` is unwrapped and a bare text becomes a part. Never throws.
 */
export function extractParts(body: JsonValue | undefined): JsonObject[] {
  for (const place of [...requestPlaces(body), ...answerPlaces(body)]) {
    if (place.onlyMapped) continue;
    const parts = place.lists.flatMap((list) => list.flatMap(partOf));
    if (parts.length > 0) return parts;
  }
  return [];
}

/**
 * A deep copy of an answer in which every text of a peer went through `change`: each text part of every result
 * shape, history included, a text `result`, `result.text` and `text`. Error messages stay as they are. Any
 * depth of nesting is fine. The platform wraps with it, the client strips with it (decision 19).
 */
export function mapAnswerText<T extends JsonValue>(body: T, change: (text: string) => string): T {
  const holder: { body: JsonValue } = { body: copyJson(body) };
  for (const place of answerPlaces(holder.body)) {
    for (const list of place.lists) {
      list.forEach((part, index) => {
        if (typeof part === 'string') list[index] = change(part);
        else if (isJsonObject(part)) changePart(part, change);
      });
    }
    if (place.text !== undefined) {
      const { owner, key } = place.text;
      const text = owner === null ? holder.body : owner[key];
      if (typeof text !== 'string') continue;
      if (owner === null) holder.body = change(text);
      else owner[key] = change(text);
    }
  }
  return holder.body as T;
}

function firstText(places: TextPlace[]): string {
  for (const place of places) {
    const texts = place.lists.flatMap((list) => list.flatMap(textOf));
    if (place.text !== undefined) texts.push(place.text.value);
    const joined = texts.join('\n');
    if (joined !== '') return joined;
  }
  return '';
}

/** The object that carries the text of a part: the part itself or its `root`; null when it is no text part. */
function textOwner(part: JsonObject): JsonObject | null {
  const root = part.root;
  for (const owner of isJsonObject(root) ? [part, root] : [part]) {
    if (typeof owner.text !== 'string') continue;
    const { kind, type } = owner;
    if (kind === 'text' || type === 'text' || (kind === undefined && type === undefined)) return owner;
  }
  return null;
}

function textOf(part: JsonValue): string[] {
  if (typeof part === 'string') return [part];
  const owner = isJsonObject(part) ? textOwner(part) : null;
  const text = owner?.text;
  return typeof text === 'string' ? [text] : [];
}

function changePart(part: JsonObject, change: (text: string) => string): void {
  const root = part.root;
  for (const owner of isJsonObject(root) ? [part, root] : [part]) {
    // A text beside another kind is changed too: what a reader might show must not stay unwrapped.
    if (typeof owner.text === 'string') owner.text = change(owner.text);
  }
}

function partOf(part: JsonValue): JsonObject[] {
  if (typeof part === 'string') return [{ kind: 'text', type: 'text', text: part }];
  if (!isJsonObject(part)) return [];
  const root = part.root;
  return [isJsonObject(root) ? root : part];
}
