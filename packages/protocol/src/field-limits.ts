import { z } from 'zod';

/** Largest sizes of text fields, in UTF-8 bytes. See docs/contract/limits.md#fields. */
export const FIELD_LIMITS = { name: 255, role: 1000, model: 100, runtime: 100, orgKeyName: 100 } as const;

/** Size limits of bodies, in bytes. See docs/contract/limits.md#bodies. */
export const BODY_LIMITS = {
  json: 1024 * 1024,
  agentResponse: 10 * 1024 * 1024,
  pluginInstall: 64 * 1024,
  plugin: 100 * 1024 * 1024,
  uploadRequest: 50 * 1024 * 1024,
  uploadFile: 25 * 1024 * 1024,
} as const;

const LINE_BREAK = /[\r\n]/;
const MARKUP = /[{}[\]|>*&!]/;

/** A one-line text of at most `bytes` UTF-8 bytes. */
export function lineText(bytes: number) {
  return z
    .string()
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
