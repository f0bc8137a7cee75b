import crypto from 'node:crypto';
import { fencePeerText, type JsonValue } from '@molecule-ai/core';
import { mapTexts, ownWords, type ToolCall, type ToolOutcome } from '@molecule-ai/core/adapter-kit';

const STORED = 'The result of this call, as it was stored:';
const NOT_JSON = 'A value that has no form as JSON.';
const UNFINISHED = 'The answer of the peer was not finished. It began:';

/** An outcome that is kept where others may edit it, for instance in a chat that a page stores. Plain JSON. */
export interface CheckedOutcome<Data extends JsonValue = JsonValue>
  extends Omit<ToolOutcome<Data>, 'forModel'> {
  /** As it was stored: {@link verifyOutcome} makes a text for a model of it. */
  forModel: string;
  /** Over `forModel` and `isError`; `''` for a beginning. */
  check: string;
}

/** The data of an outcome that is not there yet. */
export type PeerAnswerSoFar = {
  status: 'working';
  peerId: string;
  /** Words of the peer, from the first on: untrusted and not fenced. */
  text: string;
};

/**
 * Adds `check` to an outcome. Without a secret it is a digest, which finds out what was edited by mistake; with one nobody else can write an outcome.
 */
export function checkedOutcome<Data extends JsonValue>(
  { forModel, data, isError }: ToolOutcome<Data>,
  secret?: string,
): CheckedOutcome<Data> {
  return { forModel, data, isError, check: checkOf(forModel, isError, secret) };
}

/** The beginning of an answer, as an outcome that is followed by another one. */
export function beginningOfOutcome(peerId: string, text: string): CheckedOutcome<PeerAnswerSoFar> {
  return { forModel: '', data: { status: 'working', peerId, text }, isError: false, check: '' };
}

/** What a model is given for a value that may be a checked outcome. Whatever has not exactly this check is in a fence, whatever it is. */
export function verifyOutcome(value: unknown, secret?: string): Pick<ToolOutcome, 'forModel' | 'isError'> {
  if (!isCheckedOutcome(value)) return stored(textOf(value), false);
  const { forModel, isError, check, data } = value;
  if (check === checkOf(forModel, isError, secret)) return { forModel: ownWords(forModel), isError };
  if (isAnswerSoFar(data)) {
    const begun = fencePeerText(data.text, { origin: data.peerId });
    return { forModel: ownWords(`${UNFINISHED}\n${begun}`), isError: false };
  }
  return stored(forModel === '' ? textOf(data) : forModel, isError);
}

/** Whether a value has the form of a checked outcome; {@link verifyOutcome} finds out whether it was edited. */
export function isCheckedOutcome(value: unknown): value is CheckedOutcome {
  if (typeof value !== 'object' || value === null) return false;
  const { forModel, isError, check } = value as Partial<CheckedOutcome>;
  return typeof forModel === 'string' && typeof isError === 'boolean' && typeof check === 'string';
}

function stored(text: string, isError: boolean): Pick<ToolOutcome, 'forModel' | 'isError'> {
  return { forModel: ownWords(`${STORED}\n${fencePeerText(text, { origin: 'unknown' })}`), isError };
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  try {
    const bounded = mapTexts(value, (text) => text);
    return JSON.stringify(bounded, (_key, each) => (typeof each === 'bigint' ? String(each) : each)) ?? '';
  } catch {
    return NOT_JSON;
  }
}

function isAnswerSoFar(data: JsonValue): data is PeerAnswerSoFar {
  const { status, peerId, text } = Object(data);
  return status === 'working' && typeof peerId === 'string' && typeof text === 'string';
}

function checkOf(forModel: string, isError: boolean, secret?: string): string {
  const text = JSON.stringify([forModel, isError]);
  const hash = secret === undefined ? crypto.createHash('sha256') : crypto.createHmac('sha256', secret);
  return hash.update(text).digest('base64url');
}

/** The next beginning has at least so many times the text of the last: all of them together are a few times the whole. */
const GROWTH = 1.25;

export interface OutcomeStreamOptions {
  readonly signal?: AbortSignal | undefined;
  readonly peerId: string;
  /** At most so many UTF-16 units of the answer in a beginning. */
  readonly maxModelChars: number;
}

/**
 * The beginnings of an answer while it is made, each with all of the text so far, and its outcome. The call is aborted when nobody reads
 * on.
 * @param run runs the tool with this signal and these reports
 */
export function streamOutcome<Data extends JsonValue>(
  run: (call: Pick<ToolCall, 'signal' | 'onProgress'>) => Promise<CheckedOutcome<Data>>,
  { signal, peerId, maxModelChars }: OutcomeStreamOptions,
): AsyncGenerator<CheckedOutcome<Data | PeerAnswerSoFar>> {
  const left = new AbortController();
  const outcomes = (async function* () {
    let text = '';
    let due = 1;
    let isOver = false;
    let changed = Promise.withResolvers<void>();
    const outcome = run({
      signal: signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]),
      onProgress: (piece) => {
        text += piece;
        changed.resolve();
      },
    }).finally(() => {
      isOver = true;
      changed.resolve();
    });
    outcome.catch(() => {});
    left.signal.addEventListener('abort', () => changed.resolve(), { once: true });
    try {
      while (!isOver && !left.signal.aborted) {
        if (text.length >= due && due <= maxModelChars) {
          due = Math.ceil(text.length * GROWTH);
          yield beginningOfOutcome(peerId, text.slice(0, maxModelChars).replace(/[\ud800-\udbff]$/, ''));
        } else {
          await changed.promise;
          changed = Promise.withResolvers();
        }
      }
      if (!left.signal.aborted) yield await outcome;
    } finally {
      // An abort makes an error with its stack, which costs more than all else here.
      if (!isOver) left.abort();
    }
  })();
  // A generator ends only where it yields, and the peer may be silent for long.
  const end = outcomes.return.bind(outcomes);
  outcomes.return = (value) => {
    left.abort();
    return end(value);
  };
  return outcomes;
}

/**
 * SHA-256 of a value as JSON, in base64url; bytes count by their own digest. The same value gives the same in each process. `undefined` for what has no
 * form as JSON.
 */
export function valueDigest(value: unknown): string | undefined {
  try {
    const json = JSON.stringify(value, (_key, each: unknown) =>
      ArrayBuffer.isView(each) ? bytesDigest(each) : each,
    );
    return json === undefined ? undefined : crypto.hash('sha256', json, 'base64url');
  } catch {
    return undefined;
  }
}

function bytesDigest({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  return crypto.hash('sha256', new Uint8Array(buffer, byteOffset, byteLength), 'base64url');
}
