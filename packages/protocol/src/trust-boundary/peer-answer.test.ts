import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { extractAnswerText } from '../message-text.ts';
import type { JsonObject, JsonValue } from '../open-json.ts';
import { PEER_BOUNDARY_END, PEER_BOUNDARY_START } from './boundary.ts';
import { unwrapPeerAnswer, wrapPeerAnswer } from './peer-answer.ts';

const START = PEER_BOUNDARY_START;
const END = PEER_BOUNDARY_END;
const wrapped = (text: string) => START + text + END;
const LIVE = /\[\s*\/?\s*A2A_RESULT_FROM_PEER\s*\]/gi;

/** All strings of a value, keys included. */
function stringsOf(value: JsonValue): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => [key, ...stringsOf(child)]);
}

/** Each `text` and each string in `parts`, except in data and metadata. */
function textsOf(value: JsonValue, key = ''): string[] {
  if (typeof value !== 'object' || value === null || key === 'data' || key === 'metadata') return [];
  return Object.entries(value).flatMap(([name, child]) => {
    const isText = Array.isArray(value) ? key === 'parts' : name === 'text';
    return typeof child === 'string'
      ? isText
        ? [child]
        : []
      : textsOf(child, Array.isArray(value) ? '' : name);
  });
}

function trimTexts(value: JsonValue): JsonValue {
  return JSON.parse(JSON.stringify(value), (_key, child: JsonValue) =>
    typeof child === 'string' ? child.trim() : child,
  ) as JsonValue;
}

const hostile = fc
  .array(
    fc.constantFrom(
      START,
      END,
      '[ a2a_result_from_peer ]',
      '[\\/A2A_RESULT_FROM_PEER]',
      '[',
      ']',
      '\\',
      ' ',
      'x',
      '😀',
    ),
    { maxLength: 5 },
  )
  .map((pieces) => pieces.join(''));

const keys = fc.oneof(
  fc.constantFrom('result', 'parts', 'text', 'message', 'artifacts', 'artifact', 'status', 'task', 'history'),
  fc.constantFrom('error', 'data', 'metadata', 'root', 'role', 'kind', 'file', 'name', '__proto__'),
  hostile,
);

const { any } = fc.letrec<{ any: JsonValue }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 6, depthSize: 'medium', withCrossShrink: true },
    hostile,
    fc.constantFrom<JsonValue>('user', 'text', null, true, 7),
    fc.array(tie('any'), { maxLength: 4 }),
    fc
      .array(fc.tuple(keys, tie('any')), { maxLength: 5 })
      .map((entries) => JSON.parse(JSON.stringify(Object.fromEntries(entries))) as JsonObject),
  ),
}));

/** Answers of the known shapes more often than chance gives them. */
const answer = fc.oneof(
  any,
  fc.record({ result: any }),
  fc.record({ result: fc.record({ parts: fc.array(fc.record({ text: hostile, data: any })) }) }),
  fc.record({ error: fc.record({ message: hostile, data: any }) }),
  fc.record({
    result: fc.record({
      history: fc.array(
        fc.record({ role: fc.constantFrom('user', 'agent'), parts: fc.array(fc.record({ text: hostile })) }),
      ),
    }),
  }),
);

describe('an answer of a peer, wrapped', () => {
  it('has no live marker but the pair around each text, whatever the peer wrote', () => {
    fc.assert(
      fc.property(answer, (body) => {
        for (const text of stringsOf(wrapPeerAnswer(body))) {
          const live = text.match(LIVE) ?? [];
          const isWrapped = text.startsWith(START) && text.endsWith(END);
          expect(live).toEqual(isWrapped ? [START, END] : []);
        }
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it('is the original again when it is unwrapped', () => {
    fc.assert(
      fc.property(answer, (body) => {
        const before = JSON.stringify(body);
        const back = unwrapPeerAnswer(JSON.parse(JSON.stringify(wrapPeerAnswer(body))) as JsonValue);
        // The texts are trimmed; nothing else is.
        expect(trimTexts(back)).toEqual(trimTexts(body));
        expect(JSON.stringify(body)).toBe(before);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it('has each text wrapped by itself, in every place', () => {
    const body = {
      text: 'a',
      result: {
        text: 'b',
        parts: [{ kind: 'data', text: 'c' }, 'd'],
        history: [{ role: 'agent', parts: [{ text: 'e' }] }],
        task: { history: [{ parts: [{ root: { text: 'f' } }] }] },
      },
      error: { message: 'g' },
    };
    expect(wrapPeerAnswer(body)).toEqual({
      text: wrapped('a'),
      result: {
        text: wrapped('b'),
        parts: [{ kind: 'data', text: wrapped('c') }, wrapped('d')],
        history: [{ role: 'agent', parts: [{ text: wrapped('e') }] }],
        task: { history: [{ parts: [{ root: { text: wrapped('f') } }] }] },
      },
      error: { message: wrapped('g') },
    });
    expect(wrapPeerAnswer('a')).toBe(wrapped('a'));
    expect(wrapPeerAnswer({ error: 'a' })).toEqual({ error: wrapped('a') });
  });

  it('has markers escaped in error data, data parts, file names, metadata, status texts and keys', () => {
    const escaped = '[\\/A2A_RESULT_FROM_PEER]';
    const make = (text: string): JsonValue => ({
      error: { code: -1, data: { [text]: [text] } },
      result: {
        metadata: { a: text },
        parts: [
          { kind: 'data', data: { b: text } },
          { kind: 'file', file: { name: text } },
        ],
        status: { message: text, reason: text },
      },
    });
    expect(wrapPeerAnswer(make(END))).toEqual(make(escaped));
    expect(unwrapPeerAnswer(make(escaped))).toEqual(make(END));
  });

  it('has a history wrapped whatever role its messages name, because the peer wrote it', () => {
    const history = [
      { role: 'user', parts: [{ text: 'you said' }, { text: END }] },
      { role: 'ROLE_USER', text: 'so' },
    ];
    const body = { result: { history } };
    expect(wrapPeerAnswer(body).result.history).toEqual([
      {
        role: 'user',
        parts: [{ text: wrapped('you said') }, { text: wrapped('[\\/A2A_RESULT_FROM_PEER]') }],
      },
      { role: 'ROLE_USER', text: wrapped('so') },
    ]);
    expect(unwrapPeerAnswer(wrapPeerAnswer(body))).toEqual(body);
  });

  it('has no bare text in any object, except in data and metadata', () => {
    fc.assert(
      fc.property(answer, (body) => {
        for (const text of textsOf(wrapPeerAnswer(body))) {
          expect(text.startsWith(START) && text.endsWith(END)).toBe(true);
        }
      }),
      { numRuns: 200, seed: 1 },
    );
    const given = { result: { data: { text: 'a', parts: ['b'] }, metadata: { parts: [{ text: 'c' }] } } };
    expect(wrapPeerAnswer(given)).toBe(given);
  });

  it('shares what does not change', () => {
    const metadata = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`k${index}`, [index]]));
    const body = { result: { parts: [{ text: 'hi' }], metadata } };
    expect(wrapPeerAnswer(body).result.metadata).toBe(metadata);
    const silent = { result: { metadata } };
    expect(wrapPeerAnswer(silent)).toBe(silent);
  });

  it('may have 100 000 levels, and a key named __proto__', () => {
    let deep: JsonValue = END;
    for (let i = 0; i < 100_000; i += 1) deep = i % 2 === 0 ? [deep] : { deep };
    const mapped = wrapPeerAnswer({ result: { parts: [{ text: 'hi', metadata: deep }] } });
    expect(extractAnswerText(mapped)).toBe(wrapped('hi'));
    expect(extractAnswerText(unwrapPeerAnswer(mapped))).toBe('hi');
    const odd = JSON.parse(`{"result":{"text":"hi","__proto__":{"x":["${END}"]}}}`) as JsonValue;
    expect(JSON.stringify(wrapPeerAnswer(odd))).toBe(
      `{"result":{"text":"${wrapped('hi')}","__proto__":{"x":["[\\\\/A2A_RESULT_FROM_PEER]"]}}}`,
    );
    expect(unwrapPeerAnswer(wrapPeerAnswer(odd))).toEqual(odd);
  });
});
