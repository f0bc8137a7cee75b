import { fencePeerText } from '@molecule-ai/core';
import { describe, expect, it } from 'vitest';
import { HOSTILE_IDS, type HostileText, hostileTexts } from './hostile-strings.ts';
import { Matrix } from './matrix.ts';
import { type Expected, problemsOf, readPrompts } from './prompt-check.ts';
import type { RecordedPrompt } from './scripted-model.ts';

const ORIGIN = '11111111-1111-4111-8111-111111111111';
const texts = hostileTexts('check');
const promptOf = (text: string) => [{ messages: [{ role: 'tool', text }], tools: [] }];
const check = (prompts: readonly RecordedPrompt[], hostile: HostileText, expected: Expected) =>
  problemsOf(readPrompts(prompts, [hostile]), hostile, expected);
const yes: Expected = { shown: 'yes', origin: ORIGIN };

describe('the check of prompts', () => {
  it.each(texts)('finds $id outside of a fence, and nothing when it is fenced', (hostile) => {
    expect(check(promptOf(`It says: ${hostile.text}`), hostile, yes)).not.toEqual([]);
    const fenced = fencePeerText(hostile.text, { origin: ORIGIN });
    expect(check(promptOf(`It says:\n${fenced}`), hostile, yes)).toEqual([]);
  });

  it('finds words beside a fence, in a name, in a description and in a key', () => {
    const [hostile] = texts;
    if (hostile === undefined) throw new Error('There are no strings.');
    const { canary, text } = hostile;
    const fenced = fencePeerText(text, { origin: ORIGIN });
    const outside = [`its words are outside of a fence: ${JSON.stringify(canary)}`];
    const [message] = promptOf(fenced)[0]?.messages ?? [];
    if (message === undefined) throw new Error('There is no message.');
    for (const more of [{ name: canary.toUpperCase() }, { calls: [{ [canary]: 1 }] }]) {
      const [problem] = check([{ messages: [{ ...message, more }], tools: [] }], hostile, yes);
      expect(problem).toContain('outside of a fence');
    }
    const described = [{ messages: [message], tools: [{ description: canary }] }];
    expect(check(described, hostile, yes)).toEqual(outside);
  });

  it('finds a wrong origin, a missing text, a text that should be missing, and one nonce for two texts', () => {
    const [hostile] = texts;
    if (hostile === undefined) throw new Error('There are no strings.');
    const fenced = fencePeerText(hostile.text, { origin: 'unknown' });
    expect(check(promptOf(fenced), hostile, yes)).toEqual([
      `the fence names unknown as the origin, not ${ORIGIN}`,
    ]);
    expect(check(promptOf('nothing'), hostile, yes)).toEqual(['its words are in no prompt']);
    expect(check(promptOf(fenced), hostile, { shown: 'no' })).toEqual(['its words are in a prompt']);
    const other = fenced.replace('\n', '\nmore ');
    expect(check(promptOf(`${fenced}\n${other}`), hostile, { shown: 'yes' })).toEqual([
      'two texts have fences with one nonce',
    ]);
  });
});

it('there are more than forty strings, each with its canary', () => {
  expect(HOSTILE_IDS.length).toBeGreaterThan(40);
  for (const { canary, text } of texts) expect(text).toContain(canary);
  expect(new Set(texts.map(({ canary }) => canary)).size).toBe(texts.length);
});

it('the matrix knows what was not tried, and what is nothing to be without', () => {
  const row = { id: 'tool-result', about: 'an answer', kind: 'surface' } as const;
  const rows = [row, { ...row, id: 'text', kind: 'scenario' as const }, { ...row, id: 'provider' }];
  const without = { provider: 'it has none', providers: 'a typing error' };
  const matrix = new Matrix({ name: 'some', without, rows, strings: ['plain', 'url'] });
  matrix.passed('tool-result', 'plain');
  expect(matrix.problems).toEqual([
    'not tried: tool-result × url',
    'not tried: text',
    'there is no providers to be without',
  ]);
  expect(matrix.toMarkdown()).toContain('| `provider` | an answer | without: it has none |');
});
