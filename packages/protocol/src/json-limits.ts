/**
 * Size limits of JSON from agents, besides bytes: `nodes` counts values (objects, lists, strings, numbers, `true`,
 * `false`, `null`; keys are not counted), `depth` objects and lists inside each other. See
 * docs/contract/limits.md#bodies.
 */
export const JSON_LIMITS = { nodes: 50_000, depth: 64 } as const;

export type JsonLimit = keyof typeof JSON_LIMITS;

export type JsonLimits = Readonly<Record<JsonLimit, number>>;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const SPACE = 0x20;

/**
 * The first of `limits` that a JSON text exceeds, or undefined. Meant to run before `JSON.parse`,
 * because building hundreds of thousands of values blocks a process for seconds: one scan without allocations, which
 * stops at the first excess. A text that is not JSON may give any result.
 */
export function exceededJsonLimit(text: string, limits: JsonLimits = JSON_LIMITS): JsonLimit | undefined {
  const { length } = text;
  let nodes = 1;
  let depth = 0;
  let isEmpty = false;
  for (let at = 0; at < length; at += 1) {
    const code = text.charCodeAt(at);
    if (code <= SPACE) continue;
    if (code === QUOTE) {
      at = endOfString(text, at);
      if (at === -1) return undefined;
    } else if (code === COMMA) {
      nodes += 1;
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      depth += 1;
      if (depth > limits.depth) return 'depth';
      // The first value inside; taken back when there is none.
      nodes += 1;
      isEmpty = true;
      continue;
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      depth -= 1;
      if (isEmpty) nodes -= 1;
    }
    isEmpty = false;
    // One may still be taken back.
    if (nodes > limits.nodes) return 'nodes';
  }
  return undefined;
}

/** The index of the quote that closes the string opened at `start`; -1 when there is none. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    const isEscaped = (end - before) % 2 === 0;
    if (!isEscaped) return end;
  }
  return -1;
}
