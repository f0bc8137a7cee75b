import { objectAt, type TextPlace, textPlace } from '../message-text.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../open-json.ts';
import { escapeLookAlikes, stripA2aBoundary, unescapeLookAlikes, wrapA2aBoundary } from './boundary.ts';

const questions = (...path: string[]): TextPlace => ({ path, key: 'questions', holds: 'parts' });
/** Texts that are neither a `text` nor in `parts`. */
const OTHER_PLACES: readonly TextPlace[] = [
  textPlace('result'),
  textPlace('result', 'message'),
  textPlace('message'),
  textPlace('error'),
  textPlace('error', 'message'),
  questions('result', 'metadata'),
  questions('result', 'status', 'message', 'metadata'),
  questions('result', 'message', 'metadata'),
  questions('result', 'task', 'status', 'message', 'metadata'),
  questions('message', 'metadata'),
];

/**
 * An answer of a peer in the form for another agent: wherever it is, each `text` and each string in `parts` is wrapped in
 * markers by itself, and so is the message of an error; look-alikes of markers in all other strings, keys included, are
 * escaped. In `data` and `metadata` only questions are wrapped. The given answer is not changed, and what needs no
 * change is shared with the result. Linear; any depth of nesting is fine.
 */
export function wrapPeerAnswer<T extends JsonValue>(answer: T): T {
  return mapStrings(answer, wrapA2aBoundary, escapeLookAlikes) as T;
}

/**
 * Undoes {@link wrapPeerAnswer}, for programs: the strings as the peer wrote them, texts trimmed. What was not wrapped
 * stays as it is. The result is as untrusted as before.
 */
export function unwrapPeerAnswer<T extends JsonValue>(answer: T): T {
  return mapStrings(answer, stripA2aBoundary, unescapeLookAlikes) as T;
}

type Change = (text: string) => string;
type Container = JsonObject | JsonValue[];

/** An object or a list that is walked, and its copy once something in it has changed. */
interface Frame {
  readonly value: Container;
  readonly parent: Frame | undefined;
  /** The key or index in the copy of the parent. */
  readonly key: string | number;
  readonly place: Place;
  copy: Container | undefined;
}

/** Where an object or a list is: the list of parts, in data that programs read, or anywhere else. */
type Place = 'parts' | 'data' | 'elsewhere';

function placeIn(parent: Place, key: string | number): Place {
  if (parent === 'data' || key === 'data' || key === 'metadata') return 'data';
  return key === 'parts' ? 'parts' : 'elsewhere';
}

/** Copies only what changes, and keeps its own stack, because foreign JSON may be nested deeper than a call stack. */
function mapStrings(body: JsonValue, changeText: Change, changeOther: Change): JsonValue {
  if (typeof body === 'string') return changeText(body);
  if (typeof body !== 'object' || body === null) return body;
  const texts = findTexts(body);
  const root: Frame = { value: body, parent: undefined, key: '', place: 'elsewhere', copy: undefined };
  const open = [root];
  for (let frame = open.pop(); frame !== undefined; frame = open.pop()) {
    const { value, place } = frame;
    const own = texts.get(value);
    const textKey = place === 'data' || Array.isArray(value) ? undefined : 'text';
    const visit = (child: JsonValue, key: string | number, name: string | number): void => {
      if (typeof child === 'string') {
        const isText = key === textKey || own?.has(key) || (place === 'parts' && Array.isArray(value));
        const changed = isText ? changeText(child) : changeOther(child);
        if (changed !== child) put(frame, name, changed);
      } else if (typeof child === 'object' && child !== null) {
        open.push({ value: child, parent: frame, key: name, place: placeIn(place, key), copy: undefined });
      }
    };
    if (Array.isArray(value)) {
      for (let index = 0; index < value.length; index += 1) visit(value[index] ?? null, index, index);
      continue;
    }
    const keys = Object.keys(value);
    // Few keys have a bracket, with which a look-alike begins.
    const names = keys.some((key) => key.includes('[')) ? keys.map(changeOther) : keys;
    if (names.some((name, index) => name !== keys[index])) {
      replace(frame, Object.fromEntries(keys.map((key, index) => [names[index], value[key]])) as JsonObject);
    }
    for (let index = 0; index < keys.length; index += 1) {
      const key = keys[index] ?? '';
      visit(value[key] ?? null, key, names[index] ?? key);
    }
  }
  return root.copy ?? body;
}

function put(frame: Frame, name: string | number, child: JsonValue): void {
  const { value } = frame;
  if (frame.copy === undefined) replace(frame, Array.isArray(value) ? [...value] : { ...value });
  // A key named `__proto__` is an own property of the copy, which this assignment changes.
  (frame.copy as Record<string | number, JsonValue>)[name] = child;
}

/** Makes `copy` the copy of this frame, and copies what it is in. */
function replace(frame: Frame, copy: Container): void {
  frame.copy = copy;
  let child = frame;
  for (let parent = frame.parent; parent !== undefined; parent = child.parent) {
    const hadCopy = parent.copy !== undefined;
    parent.copy ??= Array.isArray(parent.value) ? [...parent.value] : { ...parent.value };
    (parent.copy as Record<string | number, Container | undefined>)[child.key] = child.copy;
    if (hadCopy) return;
    child = parent;
  }
}

type Texts = Map<Container, Set<string | number>>;

/** The texts in other places: the keys of each object that holds one. */
function findTexts(body: Container): Texts {
  const texts: Texts = new Map();
  if (Array.isArray(body)) return texts;
  for (const { path, key, holds } of OTHER_PLACES) {
    const owner = objectAt(body, path);
    const found = owner?.[key];
    if (owner === undefined || found === undefined) continue;
    if (holds === 'text') {
      if (typeof found === 'string') add(texts, owner, key);
    } else if (Array.isArray(found)) addQuestions(texts, found);
  }
  return texts;
}

function addQuestions(texts: Texts, list: JsonValue[]): void {
  for (const [index, question] of list.entries()) {
    if (typeof question === 'string') add(texts, list, index);
    else if (isJsonObject(question)) add(texts, question, 'text');
  }
}

function add(texts: Texts, owner: Container, key: string | number): void {
  const keys = texts.get(owner);
  if (keys === undefined) texts.set(owner, new Set([key]));
  else keys.add(key);
}
