import { peerTextInstructions } from '@molecule-ai/core';
import type { HostileText } from './hostile-strings.ts';
import type { RecordedPrompt } from './scripted-model.ts';

const OPENING = /<peer-text-([0-9a-f]{32}) origin="([0-9a-f-]{36}|unknown)">\n/g;
const TAG = /<[\s\\/\ufffd]*peer-text/i;
const MARKER = /\[[\s\\]*\/?\s*a2a_result_from_peer\s*\]/i;
const HIDDEN = /[^\P{Cc}\t\n\r]|\r(?!\n)|\p{Cs}|\p{Bidi_Control}|[\u200b\u2060\ufeff]/u;

/** A fence, as a prompt has it. */
export interface Fence {
  readonly nonce: string;
  readonly origin: string;
  readonly body: string;
}

export interface Expected {
  /** Whether the words are in the prompt, and then in a fence; `maybe` for those that are cut or lost on the way. */
  readonly shown: 'yes' | 'no' | 'maybe';
  /** The workspace that a fence with the words names. @default any */
  readonly origin?: string | undefined;
}

/** One text of a prompt, in lower case. */
interface ReadText {
  readonly outside: string;
  readonly fences: readonly Fence[];
}

/** Prompts, read once for all texts that were brought into them. */
export interface ReadPrompts {
  readonly texts: readonly ReadText[];
  /** What is wrong with them, whatever the words are. */
  readonly problems: readonly string[];
}

/** @param hostile all texts whose words may be in the prompts */
export function readPrompts(
  prompts: readonly RecordedPrompt[],
  hostile: readonly HostileText[],
): ReadPrompts {
  const known = hostile.map(({ text }) => text).join('\n');
  const problems = new Set<string>();
  const bodies = new Map<string, string>();
  // A prompt repeats what was in the one before it.
  const strings = [...new Set(prompts.flatMap(stringsOf))];
  const texts = strings.map((string) => {
    const { outside, fences } = splitFences(string, known);
    if (TAG.test(outside)) problems.add('a tag of a fence is outside of a fence');
    if (MARKER.test(outside)) problems.add('a marker of the platform is outside of a fence');
    if (HIDDEN.test(string)) problems.add('a hidden character is in the prompt');
    for (const { nonce, body } of fences) {
      if (TAG.test(body)) problems.add('a fence has a tag in it');
      if ((bodies.get(nonce) ?? body) !== body) problems.add('two texts have fences with one nonce');
      bodies.set(nonce, body);
    }
    const lowered = fences.map((fence) => ({ ...fence, body: fence.body.toLowerCase() }));
    return { outside: outside.toLowerCase(), fences: lowered };
  });
  return { texts, problems: [...problems] };
}

/**
 * What is wrong with prompts that may have the words of a hostile text in fences only: in a fence of ours, whose nonce the text does
 * not know, with the right origin, and without any other tag, marker or hidden character.
 */
export function problemsOf(
  { texts, problems: common }: ReadPrompts,
  { canary }: HostileText,
  { shown, origin }: Expected,
): string[] {
  const problems = new Set(common);
  for (const { outside } of texts) {
    const at = outside.indexOf(canary);
    if (at === -1) continue;
    const excerpt = outside.slice(Math.max(0, at - 60), at + canary.length + 20);
    problems.add(`its words are outside of a fence: ${JSON.stringify(excerpt)}`);
  }
  const shownIn = texts.flatMap(({ fences }) => fences.filter(({ body }) => body.includes(canary)));
  for (const { origin: named } of shownIn) {
    if (origin !== undefined && named !== origin)
      problems.add(`the fence names ${named} as the origin, not ${origin}`);
  }
  if (shown === 'yes' && shownIn.length === 0) problems.add('its words are in no prompt');
  if (shown === 'no' && shownIn.length > 0) problems.add('its words are in a prompt');
  return [...problems];
}

/** The fences of a text, apart from those that a hostile text brought with it, and what is outside of them. */
export function splitFences(
  text: string,
  hostile = '',
): { readonly outside: string; readonly fences: readonly Fence[] } {
  const known = hostile.toLowerCase();
  const fences: Fence[] = [];
  const outside: string[] = [];
  let from = 0;
  for (const { index, 0: tag, 1: nonce = '', 2: origin = '' } of text.matchAll(OPENING)) {
    if (index < from || known.includes(nonce)) continue;
    const closing = `\n</peer-text-${nonce}>`;
    const start = index + tag.length;
    const end = text.indexOf(closing, start - 1);
    if (end === -1) continue;
    outside.push(text.slice(from, index));
    fences.push({ nonce, origin, body: text.slice(start, Math.max(start, end)) });
    from = end + closing.length;
  }
  outside.push(text.slice(from));
  return { outside: outside.join('\n\n'), fences };
}

/** Everything in a prompt that is text, without the sentences that explain fences. */
function stringsOf({ messages, tools }: RecordedPrompt): string[] {
  return stringsIn([messages, tools]).map((text) => text.replaceAll(peerTextInstructions, ''));
}

function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => [key, ...stringsIn(item)]);
}
