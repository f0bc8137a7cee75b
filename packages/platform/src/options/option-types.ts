import { z } from '@molecule-ai/protocol';

// The kinds of values of options. Each says what a value must be, and `fromText` in its metadata reads the text of a
// variable or flag; what it cannot read stays a text, which the schema refuses.

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const UNIT_BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1_024, MiB: 1_024 ** 2, GiB: 1_024 ** 3 };

/** The message of an invalid value. A text that may have a password or a token in it is not quoted. */
export function mustBe(what: string) {
  return {
    error: ({ input }: { readonly input?: unknown }): string => {
      const isQuoted = typeof input === 'string' && !/[@?#]/.test(input);
      return `must be ${what}${isQuoted ? `, not "${input}"` : typeof input === 'number' ? `, not ${input}` : ''}`;
    },
  };
}

/** Options that belong together. */
export function group<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: ({ code }) => (code === 'invalid_type' ? 'must be an object' : undefined),
  });
}

/** A text that is not empty. */
export function text(what: string): z.ZodString {
  return z.string(mustBe(what)).min(1, { ...mustBe(what), abort: true });
}

/** A text that is never in an error. */
export function secret(): z.ZodString {
  return z.string('must be a text');
}

export function oneOf<const Word extends string>(...words: Word[]) {
  return z.enum(words, mustBe(`one of ${words.join(', ')}`));
}

/** A whole number. */
export function whole(low: number, high: number) {
  const error = mustBe(`a whole number from ${low} to ${high}`);
  return z.int(error).min(low, error).max(high, error).meta({ fromText: toNumber });
}

/** A whole number, or `off`. */
export function wholeOrOff(low: number, high: number) {
  return z
    .union([z.literal('off'), whole(low, high)], mustBe(`a whole number from ${low} to ${high}, or off`))
    .meta({ fromText: (given: string) => (given.toLowerCase() === 'off' ? 'off' : toNumber(given)) });
}

/** `true` or `false`; the variable also takes 1, 0, yes, no, on and off. */
export function flag() {
  return z.boolean(mustBe('true or false')).meta({ fromText: toBoolean });
}

/** Milliseconds; the variable takes `90s`, `1m30s` or seconds. */
export function duration(leastMs: number) {
  const error = mustBe(`a time such as 90s, at least ${leastMs} ms`);
  return z.number(error).min(leastMs, error).meta({ fromText: toMilliseconds });
}

/** Bytes; the variable takes `256MiB`, `1GiB` or bytes. */
export function bytes() {
  const error = mustBe('a size such as 256MiB');
  return z.int(error).min(1, error).meta({ fromText: toBytes });
}

/** A list of texts; the variable separates with commas. */
export function list(entry: z.ZodString) {
  return z.array(entry, 'must be a list of texts').meta({ fromText: toList });
}

function toNumber(given: string): number | string {
  const number = Number(given);
  return Number.isNaN(number) || given.trim() === '' ? given : number;
}

function toBoolean(given: string): boolean | string {
  const word = given.toLowerCase();
  if (['true', '1', 'yes', 'on'].includes(word)) return true;
  return ['false', '0', 'no', 'off'].includes(word) ? false : given;
}

function toMilliseconds(given: string): number | string {
  const duration = given.trim();
  if (/^\d+(?:\.\d+)?$/.test(duration)) return Number(duration) * 1_000;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(duration)) return given;
  let total = 0;
  for (const [, amount, unit] of duration.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0);
  }
  return total;
}

function toBytes(given: string): number | string {
  const [, amount, unit = 'B'] = /^(\d{1,15})\s*([KMG]iB|B)?$/.exec(given.trim()) ?? [];
  return amount === undefined ? given : Number(amount) * (UNIT_BYTES[unit] ?? 1);
}

function toList(given: string): string[] {
  return given.split(',').flatMap((entry) => entry.trim() || []);
}
