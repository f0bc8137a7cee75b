const REPLACEMENT = '\uFFFD';

/** Scripts in which a joiner or non-joiner between two letters is spelling, not decoration. */
const JOINING = [
  'Arabic',
  'Syriac',
  'Nko',
  'Mongolian',
  'Devanagari',
  'Bengali',
  'Gurmukhi',
  'Gujarati',
  'Oriya',
  'Tamil',
  'Telugu',
  'Kannada',
  'Malayalam',
  'Sinhala',
  'Khmer',
  'Myanmar',
]
  .map((script) => `\\p{Script=${script}}`)
  .join('');

/** What stays although it is invisible; each look-around is of bounded length. */
const KEPT = [
  '[\\t\\n]',
  '\\r(?=\\n)',
  // Emoji: a joiner between two pictographs, a presentation selector after one, a keycap.
  '(?<=\\p{Extended_Pictographic}[\\u{FE0F}\\u{1F3FB}-\\u{1F3FF}]?)\\u{200D}(?=\\p{Extended_Pictographic})',
  '(?<=\\p{Extended_Pictographic})[\\u{FE0E}\\u{FE0F}]',
  '(?<=[0-9#*])\\u{FE0F}(?=\\u{20E3})',
  `(?<=[${JOINING}])[\\u{200C}\\u{200D}](?=[${JOINING}])`,
].join('|');

/** Controls, lone surrogates, bidirectional controls, and whatever renders as nothing (tags included). */
const HIDDEN = '[\\p{Cc}\\p{Cs}\\p{Bidi_Control}\\p{Default_Ignorable_Code_Point}\\u{FFF9}-\\u{FFFB}]';

const PATTERN = new RegExp(`(${KEPT})|${HIDDEN}`, 'gu');

/**
 * Makes hidden characters visible: each control, bidirectional, zero-width, tag, variation-selector or
 * other default-ignorable code point, and each lone surrogate, becomes one U+FFFD, so that a person and a
 * model read the same text and hidden characters cannot split a word unseen.
 *
 * Tab, newline and CR LF stay; so do the joiners and presentation selectors of emoji sequences, and single
 * joiners between letters of scripts that spell with them (decision 22). Linear in the text's length.
 */
export function neutralise(text: string): string {
  return text.replace(PATTERN, (_match, kept: string | undefined) => kept ?? REPLACEMENT);
}
