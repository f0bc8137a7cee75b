import { isJsonObject, type JsonObject, type JsonValue } from './open-json.ts';

/**
 * One place of a body where text may be: lists of parts, or one text. The order of places is the order in
 * which a reader looks; a place is used when it has text.
 */
export interface TextPlace {
  readonly lists: JsonValue[][];
  /** A text that is the value of a key; `owner` is null when the whole body is the text. */
  readonly text?: { readonly owner: JsonObject | null; readonly key: string; readonly value: string };
  /** Text of a peer that is no answer, such as the history: wrapped, but never read as the answer. */
  readonly onlyMapped?: boolean;
}

/** The places of a message somebody sent (wire contract 3.21). */
export function requestPlaces(body: JsonValue | undefined): TextPlace[] {
  if (typeof body === 'string') return [wholeBody(body)];
  const top = asObject(body);
  const params = asObject(top.params);
  return [
    ...messagePlaces(params, 'message'),
    ...partsPlaces(params),
    ...partsPlaces(top),
    ...messagePlaces(top, 'message'),
    ...textPlaces(top, 'message'),
    ...textPlaces(params, 'message'),
    ...textPlaces(top, 'task'),
    ...textPlaces(top, 'summary'),
    ...textPlaces(params, 'text'),
    ...textPlaces(top, 'text'),
  ];
}

/** The places of what an agent answered (wire contract 3.21; tasks and stream events of A2A). */
export function answerPlaces(body: JsonValue | undefined): TextPlace[] {
  if (typeof body === 'string') return [wholeBody(body)];
  const top = asObject(body);
  const result = asObject(top.result);
  const task = asObject(result.task);
  return [
    ...textPlaces(top, 'result'),
    ...partsPlaces(result),
    ...messagePlaces(result, 'message'),
    ...artifactPlaces(result),
    ...messagePlaces(result, 'artifact'),
    ...messagePlaces(asObject(result.status), 'message'),
    ...artifactPlaces(task),
    ...messagePlaces(asObject(task.status), 'message'),
    ...textPlaces(result, 'text'),
    ...textPlaces(result, 'message'),
    ...textPlaces(top, 'text'),
    ...partsPlaces(top),
    ...messagePlaces(top, 'message'),
    ...artifactPlaces(top),
    ...messagePlaces(asObject(top.status), 'message'),
    ...textPlaces(top, 'message'),
    ...historyPlaces(result),
    ...historyPlaces(task),
    ...historyPlaces(top),
  ];
}

function wholeBody(value: string): TextPlace {
  return { lists: [], text: { owner: null, key: '', value } };
}

function textPlaces(owner: JsonObject, key: string): TextPlace[] {
  const value = owner[key];
  return typeof value === 'string' ? [{ lists: [], text: { owner, key, value } }] : [];
}

function partsPlaces(owner: JsonObject): TextPlace[] {
  const parts = owner.parts;
  return Array.isArray(parts) ? [{ lists: [parts] }] : [];
}

function messagePlaces(owner: JsonObject, key: string): TextPlace[] {
  const parts = asObject(owner[key]).parts;
  return Array.isArray(parts) ? [{ lists: [parts] }] : [];
}

function artifactPlaces(owner: JsonObject): TextPlace[] {
  const lists = partLists(owner.artifacts);
  return lists.length > 0 ? [{ lists }] : [];
}

function historyPlaces(owner: JsonObject): TextPlace[] {
  const lists = partLists(owner.history);
  return lists.length > 0 ? [{ lists, onlyMapped: true }] : [];
}

function partLists(holders: JsonValue | undefined): JsonValue[][] {
  if (!Array.isArray(holders)) return [];
  return holders.map((holder) => asObject(holder).parts).filter((parts) => Array.isArray(parts));
}

function asObject(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}
