import { z } from '@molecule-ai/protocol';
import { expect, it } from 'vitest';
import { defineSkill } from './skill.ts';
import { isDescribedBy, SKILL_SCHEMAS, withSkills } from './skill-card.ts';

const INPUT = z.object({ item: z.string(), count: z.int() });
const JSON_SCHEMA = {
  type: 'object',
  properties: {
    item: { type: 'string' },
    tags: { type: 'array', items: { type: 'string', pattern: '^[a-z]+$' } },
  },
  required: ['item'],
  additionalProperties: false,
};

it('checks data with a schema of a library, and with JSON Schema', async () => {
  const zod = defineSkill({ id: 'order', input: INPUT });
  expect(await zod.input.check({ item: 'tea', count: 1 })).toEqual({ data: { item: 'tea', count: 1 } });
  expect(await zod.input.check({ item: 7, count: 1.5 })).toEqual({
    problem: expect.stringMatching(/^data\.item: .*; data\.count: /),
  });
  const plain = defineSkill({ id: 'order', input: JSON_SCHEMA });
  expect(await plain.input.check({ item: 'tea', tags: ['a'] })).toEqual({
    data: { item: 'tea', tags: ['a'] },
  });
  for (const [data, field] of [
    [{}, /^data: .*item/],
    [{ item: 'x', tags: ['a', 'B'] }, /^data\.tags\[1\]: /],
    [{ item: 'x', more: 1 }, /^data/],
    [undefined, /^data is missing$/],
    ['text', /^data: /],
    [{ item: 'x', 'a/b~c %': 1 }, /^data/],
    [{ item: 'x', '\ud800': 1 }, /^data: A key is not well-formed text\.$/],
  ] as const) {
    expect(await plain.input.check(data)).toEqual({ problem: expect.stringMatching(field) });
  }
  const secret = 'X'.repeat(1_000);
  const { problem } = (await plain.input.check({ item: 'a', tags: [secret] })) as { problem: string };
  expect(problem.length).toBeLessThan(300);
  const open = defineSkill({ id: 'open' });
  expect(await open.input.check(undefined)).toEqual({ data: undefined });
});

it('checks a large list in linear time, and names the first problem', async () => {
  const list = defineSkill({
    id: 'list',
    input: { type: 'array', items: { type: 'object', properties: { a: { type: 'integer' } } } },
    output: z.array(z.object({ a: z.int() })),
  });
  const data = Array.from({ length: 50_000 }, () => ({ a: 'x' }));
  expect(await list.input.check(data)).toEqual({ problem: expect.stringMatching(/^data\[0\]\.a: [^;]*$/) });
  expect(await list.output.check(data)).toEqual({
    problem: expect.stringMatching(/^data\[0\]\.a: .*; data\[1\]\.a: .*; data\[2\]\.a: .*; and 49997 more$/),
  });
});

it('refuses definitions that cannot be used', () => {
  const define = (options: object) => () => defineSkill(options as never);
  for (const id of ['', 'a b', 'ä', 'x'.repeat(101), 7, undefined]) {
    expect(define({ id })).toThrow(expect.objectContaining({ code: 'configuration_invalid' }));
  }
  const pattern = (text: string) => ({
    type: 'object',
    properties: { a: { anyOf: [{ type: 'string', pattern: text }] } },
  });
  expect(define({ id: 'x', input: pattern('^(a+)+$') })).toThrow(/exponential time: \^\(a\+\)\+\$/);
  expect(define({ id: 'x', output: { patternProperties: { '(x*)*': {} } } })).toThrow(/exponential/);
  expect(define({ id: 'x', input: z.object({ a: z.string().regex(/^(\w+\s?)*$/) }) })).toThrow(/exponential/);
  expect(define({ id: 'x', input: { type: 'array', uniqueItems: true } })).toThrow(/quadratic time/);
  expect(define({ id: 'x', input: pattern('(') })).toThrow();
  expect(define({ id: 'x', input: pattern('^[a-z]{1,20}$') })).not.toThrow();
  expect(define({ id: 'x', input: z.object({ a: z.string().describe('x'.repeat(17_000)) }) })).toThrow(
    /at most 16384/,
  );
  expect(define({ id: 'x', input: z.object({ a: z.custom(() => true) }) })).toThrow(
    expect.objectContaining({ hint: expect.stringContaining('jsonSchema: { input: { … } }') }),
  );
  expect(define({ id: 'x', input: 'text' })).toThrow(/neither/);
  expect(define({ id: 'x', inptu: INPUT })).toThrow(
    expect.objectContaining({ hint: 'Did you mean jsonSchema.input or input?' }),
  );
  const silent = { '~standard': { version: 1, vendor: 'quiet', validate: (value: unknown) => ({ value }) } };
  expect(define({ id: 'x', input: silent })).toThrow(/quiet, gives no JSON Schema/);
  expect(define({ id: 'x', input: silent, jsonSchema: { input: { type: 'object' } } })).not.toThrow();
});

it('puts skills on a card, beside what the application wrote, and compares them', () => {
  const order = defineSkill({ id: 'order', name: 'Order', input: INPUT });
  const other = { uri: 'https://example.com/x' };
  const card = withSkills(
    {
      name: 'desk',
      skills: ['chat', { id: 'order', name: 'Own' }],
      capabilities: { streaming: true, extensions: [other] },
    },
    [order],
  );
  expect(card.skills).toEqual(['chat', { id: 'order', name: 'Own' }]);
  expect(card.capabilities).toEqual({
    streaming: true,
    extensions: [
      other,
      { uri: SKILL_SCHEMAS, required: false, params: { skills: { order: { input: order.input.schema } } } },
    ],
  });
  expect(withSkills(card, [order])).toEqual(card);
  expect(withSkills({}, [order]).skills).toEqual([{ id: 'order', name: 'Order', description: '', tags: [] }]);
  expect(isDescribedBy(card, order)).toBe(true);
  expect(isDescribedBy(card, defineSkill({ id: 'order', input: INPUT.extend({ more: z.string() }) }))).toBe(
    false,
  );
  for (const strange of [
    null,
    7,
    { capabilities: { extensions: 'x' } },
    { capabilities: { extensions: [null, { uri: SKILL_SCHEMAS }] } },
  ]) {
    expect(isDescribedBy(strange, order)).toBe(false);
  }
  expect(
    isDescribedBy(
      { capabilities: { extensions: [{ uri: SKILL_SCHEMAS, params: { skills: {} } }] } },
      defineSkill({ id: 'constructor' }),
    ),
  ).toBe(false);
});
