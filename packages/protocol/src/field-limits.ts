import * as z from 'zod';

/** Largest sizes of text fields, in UTF-8 bytes. See docs/contract/limits.md#fields. */
export const FIELD_LIMITS = { name: 255, role: 1000, model: 100, runtime: 100, orgKeyName: 100 } as const;

/** Size limits of bodies, in bytes. See docs/contract/limits.md#bodies. */
export const BODY_LIMITS = {
  json: 1024 * 1024,
  agentCard: 64 * 1024,
  reportedRow: 256 * 1024,
  agentResponse: 10 * 1024 * 1024,
  pluginInstall: 64 * 1024,
  plugin: 100 * 1024 * 1024,
  uploadRequest: 50 * 1024 * 1024,
  uploadFile: 25 * 1024 * 1024,
} as const;

const LINE_BREAK = /[\r\n]/;
const BROKEN_TEXT = 'must not contain NUL or half of a surrogate pair';
const MARKUP = /[{}[\]|>*&!]/;

/**
 * Whether a database column can hold a text: it has no NUL, which some databases cut it at and others refuse, and no
 * half of a surrogate pair, which encoders replace.
 */
export function isColumnText(text: string): boolean {
  return !text.includes('\0') && !/\p{Surrogate}/u.test(text);
}

/** The text with U+FFFD for each character that no column can hold; for summaries of what others wrote. */
export function toColumnText(text: string): string {
  return isColumnText(text) ? text : text.replace(/[\0\p{Surrogate}]/gu, '\uFFFD');
}

/**
 * A text that is stored as it is: an id, a word, a name, a summary. See docs/contract/limits.md#plain-text. Texts of
 * messages are JSON and need none of this.
 */
export function columnText() {
  return z.string().refine(isColumnText, BROKEN_TEXT);
}

/** A URL as it is stored and given to others: no backslash and no control character, which parsers read differently. */
export function urlText() {
  return z
    .string()
    .refine(
      (text) => !/[\\\p{Cc}\p{Surrogate}]/u.test(text),
      'must not contain a backslash or a control character',
    );
}

/** A one-line text of at most `bytes` UTF-8 bytes. */
export function lineText(bytes: number) {
  return columnText()
    .refine((text) => !LINE_BREAK.test(text), 'must not contain line breaks')
    .refine((text) => utf8Length(text) <= bytes, `must be at most ${bytes} bytes`);
}

/** A one-line text without the characters `{ } [ ] | > * & !`, as names and roles are. */
export function plainText(bytes: number) {
  return lineText(bytes).refine((text) => !MARKUP.test(text), 'must not contain any of {}[]|>*&!');
}

/** UTF-8 length in bytes; a lone surrogate counts 3, as encoders replace it by U+FFFD. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}
