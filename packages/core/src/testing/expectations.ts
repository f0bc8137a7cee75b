import { AssertionError } from 'node:assert';
import { inspect } from 'node:util';

/** Its line break after the opening tag is also the one before the closing tag of an empty text. */
const FENCE =
  /<peer-text-([0-9a-f]{32}) origin="(?:[0-9a-f-]{36}|unknown)">\n(?:[\s\S]*?\n)??<\/peer-text-\1>/g;
/** Shorter lines of a text may stand elsewhere by chance. */
const LEAST_LINE = 20;

/** A `PeerReply`, and whatever else has a status. */
interface WithStatus {
  readonly status: string;
  readonly code?: string | null | undefined;
  readonly text?: string | undefined;
}

/** A text of a peer: a `PeerReply`, an `InboundMessage`, or the text itself. */
type TextOfPeer = string | { readonly text: string };

/** The result of a matcher, as `expect.extend` of vitest and Jest takes it. */
interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
  readonly actual?: unknown;
  readonly expected?: unknown;
}

/**
 * Of `expect`, after `expect.extend(moleculeMatchers)`. TypeScript knows them when a file of the tests declares, in the module `vitest`
 * or in Jest's `expect`, `interface Matchers<R extends void | Promise<void>> extends MoleculeMatchers<R> {}`.
 */
export interface MoleculeMatchers<R = unknown> {
  /** The reply is an answer, with this text if it is named. */
  toBeAnswered(text?: string | RegExp): R;
  /** The reply has this status, with this code if it is named. */
  toHaveStatus(status: string, code?: string): R;
  /** The text is what a model may see of peers: fenced, all of it. */
  toBeFenced(): R;
  /** In a prompt, a text or messages, these texts of peers stand inside fences only. */
  toHaveNoUnfencedPeerText(...peers: [TextOfPeer, ...TextOfPeer[]]): R;
}

/** Matchers for `expect.extend` of vitest and Jest. */
export const moleculeMatchers = {
  toBeAnswered: (reply: unknown, text?: string | RegExp): MatcherResult => {
    const found = statusIn(reply);
    const isAnswer = found?.status === 'answered';
    const pass = isAnswer && (text === undefined || fits(found.text ?? '', text));
    const wanted = text === undefined ? 'an answer' : `the answer ${inspect(text)}`;
    const shown = isAnswer ? inspect(found.text) : describe(reply);
    return resultOf(pass, wanted, shown, { actual: isAnswer ? found.text : reply, expected: text });
  },
  toHaveStatus: (reply: unknown, status: string, code?: string): MatcherResult => {
    const found = statusIn(reply);
    const pass = found?.status === status && (code === undefined || found.code === code);
    const wanted = `the status ${status}${code === undefined ? '' : ` (${code})`}`;
    const expected = code === undefined ? { status } : { status, code };
    return resultOf(pass, wanted, describe(reply), {
      actual: found && { status: found.status, ...(code === undefined ? {} : { code: found.code }) },
      expected,
    });
  },
  toBeFenced: (text: unknown): MatcherResult => {
    const pass = typeof text === 'string' && isFenced(text);
    return resultOf(pass, 'a text that is fenced', inspect(text));
  },
  toHaveNoUnfencedPeerText: (prompt: unknown, ...peers: TextOfPeer[]): MatcherResult => {
    const texts = peers.map((peer) => (typeof peer === 'string' ? peer : peer.text));
    if (texts.every((text) => text.trim() === '')) {
      throw new TypeError('Name the texts of peers that the prompt may have in fences only; these are none.');
    }
    const found = texts.map((text) => findUnfenced(prompt, text)).find((text) => text !== undefined);
    return {
      pass: found === undefined,
      message: () =>
        found === undefined
          ? 'expected a text of a peer outside of the fences of the prompt, found none'
          : `expected texts of peers inside fences only, found outside: ${inspect(found)}. Use reply.forModel() or messageForModel(message).`,
    };
  },
};

/** As `toBeAnswered`. @throws AssertionError */
export function expectAnswered(reply: unknown, text?: string | RegExp): void {
  assertPass(moleculeMatchers.toBeAnswered(reply, text));
}

/** As `toHaveStatus`. @throws AssertionError */
export function expectStatus(reply: unknown, status: string, code?: string): void {
  assertPass(moleculeMatchers.toHaveStatus(reply, status, code));
}

/** As `toBeFenced`. @throws AssertionError */
export function expectFenced(text: unknown): void {
  assertPass(moleculeMatchers.toBeFenced(text));
}

/** As `toHaveNoUnfencedPeerText`. @throws AssertionError; TypeError without a text of a peer */
export function expectNoUnfencedPeerText(prompt: unknown, ...peers: [TextOfPeer, ...TextOfPeer[]]): void {
  assertPass(moleculeMatchers.toHaveNoUnfencedPeerText(prompt, ...peers));
}

function assertPass({ pass, message, actual, expected }: MatcherResult): void {
  if (!pass) throw new AssertionError({ message: message(), actual, expected });
}

function resultOf(pass: boolean, wanted: string, shown: string, values: object = {}): MatcherResult {
  return { pass, message: () => `expected ${pass ? 'anything but ' : ''}${wanted}, got ${shown}`, ...values };
}

function statusIn(reply: unknown): WithStatus | undefined {
  if (typeof reply !== 'object' || reply === null) return undefined;
  return typeof Reflect.get(reply, 'status') === 'string' ? (reply as WithStatus) : undefined;
}

function describe(reply: unknown): string {
  const found = statusIn(reply);
  if (found === undefined) return reply instanceof Promise ? 'a promise: await it' : inspect(reply);
  const code = found.code ? ` (${found.code})` : '';
  return `the status ${found.status}${code}${found.text ? `: ${inspect(found.text)}` : ''}`;
}

function fits(text: string, wanted: string | RegExp): boolean {
  return typeof wanted === 'string' ? text === wanted : text.search(wanted) !== -1;
}

/** What is outside of the fences of peer texts; a fence that is not closed is none. Nothing that stood apart becomes one text. */
export function outsideFences(text: string): string {
  return text.replaceAll(FENCE, '\n\n');
}

/** Whether all of a text is in fences. */
export function isFenced(text: string): boolean {
  return text.trim() !== '' && outsideFences(text).trim() === '';
}

/** Of a text of a peer, the first whole text or long line that stands outside of a fence in a prompt. */
export function findUnfenced(prompt: unknown, peerText: string): string | undefined {
  const outside = stringsIn(prompt).map((text) => comparable(outsideFences(text)));
  const searched = [peerText, ...peerText.split('\n').filter((line) => line.trim().length >= LEAST_LINE)];
  return searched.find((piece) => {
    const text = comparable(piece);
    return text !== '' && outside.some((each) => each.includes(text));
  });
}

/** All texts in messages, parts and the like. */
function stringsIn(value: unknown, seen = new Set<object>()): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null || seen.has(value)) return [];
  seen.add(value);
  return Object.values(value).flatMap((item) => stringsIn(item, seen));
}

function comparable(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim().toLowerCase();
}
