import { ANSWER_PLACES, holdersPlace, objectAt, type TextPlace, textPlace } from '../message-text.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../open-json.ts';
import { escapeLookAlikes, stripA2aBoundary, unescapeLookAlikes, wrapA2aBoundary } from './boundary.ts';

/** The history contains a peer's text but not its answer: it is wrapped, and never read as the answer. */
const HISTORY_PLACES = [
  holdersPlace('result', 'history'),
  holdersPlace('result', 'task', 'history'),
  holdersPlace('history'),
];
const ERROR_PLACES = [textPlace('error'), textPlace('error', 'message')];
const questions = (...path: string[]): TextPlace => ({ path, key: 'questions', holds: 'parts' });
const QUESTION_PLACES = [
  questions('result', 'metadata'),
  questions('result', 'status', 'message', 'metadata'),
  questions('message', 'metadata'),
];
const WRAPPED_PLACES: readonly TextPlace[] = [...ANSWER_PLACES, ...ERROR_PLACES, ...QUESTION_PLACES];

/**
 * An answer of a peer in the form for another agent: each text of every result shape and the message of an error is
 * wrapped in markers by itself, and look-alikes of markers in all other strings, keys included, are escaped. Messages
 * of the role `user` in a task's history are the caller's own: escaped, not wrapped. The given answer is not changed,
 * and what needs no change is shared with the result. Linear; any depth of nesting is fine.
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
  copy: Container | undefined;
}

/** Copies only what changes, and keeps its own stack, because foreign JSON may be nested deeper than a call stack. */
function mapStrings(body: JsonValue, changeText: Change, changeOther: Change): JsonValue {
  if (typeof body === 'string') return changeText(body);
  if (typeof body !== 'object' || body === null) return body;
  const texts = findTexts(body);
  const root: Frame = { value: body, parent: undefined, key: '', copy: undefined };
  const open = [root];
  for (let frame = open.pop(); frame !== undefined; frame = open.pop()) {
    const { value } = frame;
    const own = texts.get(value);
    const visit = (child: JsonValue, key: string | number, name: string | number): void => {
      if (typeof child === 'string') {
        const changed = own?.has(key) ? changeText(child) : changeOther(child);
        if (changed !== child) put(frame, name, changed);
      } else if (typeof child === 'object' && child !== null) {
        open.push({ value: child, parent: frame, key: name, copy: undefined });
      }
    };
    if (Array.isArray(value)) {
      for (let index = 0; index < value.length; index += 1) visit(value[index] ?? null, index, index);
      continue;
    }
    const keys = Object.keys(value);
    const names = keys.map(changeOther);
    if (names.some((name, index) => name !== keys[index])) {
      replace(frame, Object.fromEntries(keys.map((key, index) => [names[index], value[key]])) as JsonObject);
    }
    for (const [index, key] of keys.entries()) visit(value[key] ?? null, key, names[index] ?? key);
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

/** Where the texts of an answer are: the keys or indexes of each object or list that holds one. */
function findTexts(body: Container): Texts {
  const texts: Texts = new Map();
  if (Array.isArray(body)) return texts;
  for (const place of WRAPPED_PLACES) addPlace(texts, body, place, () => true);
  for (const place of HISTORY_PLACES) addPlace(texts, body, place, ({ role }) => !isUserRole(role));
  return texts;
}

function addPlace(
  texts: Texts,
  body: JsonObject,
  { path, key, holds }: TextPlace,
  isWrapped: (holder: JsonObject) => boolean,
): void {
  const owner = objectAt(body, path);
  const found = owner?.[key];
  if (owner === undefined || found === undefined) return;
  if (holds === 'text') {
    if (typeof found === 'string') add(texts, owner, key);
  } else if (Array.isArray(found)) {
    if (holds === 'parts') addParts(texts, found);
    else
      for (const holder of found) {
        if (isJsonObject(holder) && Array.isArray(holder.parts) && isWrapped(holder))
          addParts(texts, holder.parts);
      }
  }
}

/** A text in a part of another kind is one too, because a reader might show it. */
function addParts(texts: Texts, parts: JsonValue[]): void {
  for (const [index, part] of parts.entries()) {
    if (typeof part === 'string') add(texts, parts, index);
    else if (isJsonObject(part)) {
      add(texts, part, 'text');
      if (isJsonObject(part.root)) add(texts, part.root, 'text');
    }
  }
}

function add(texts: Texts, owner: Container, key: string | number): void {
  const keys = texts.get(owner);
  if (keys === undefined) texts.set(owner, new Set([key]));
  else keys.add(key);
}

/** `user`, or `ROLE_USER` as A2A 1.0 writes it, in any letter case. */
function isUserRole(role: JsonValue | undefined): boolean {
  return typeof role === 'string' && /^(role_)?user$/i.test(role);
}
