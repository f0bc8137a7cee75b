import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { describeProblems, fieldProblems } from './field-problems.ts';
import {
  AgentCard,
  CreateWorkspaceRequest,
  HeartbeatRequest,
  MessagePart,
  Question,
  RegisterRequest,
  type Wire,
} from './index.ts';

const SECRET = 'correct horse battery staple';

function problemsIn(schema: z.ZodType, value: unknown): string {
  const read = schema.safeParse(value);
  return read.success ? '' : describeProblems(fieldProblems(read.error.issues, value));
}

describe('the problems of a value', () => {
  it.each<[Wire, unknown, string]>([
    [CreateWorkspaceRequest, { name: '' }, 'name: must not be empty'],
    [CreateWorkspaceRequest, {}, 'name: is missing'],
    [CreateWorkspaceRequest, { name: 5 }, 'name: must be a text, not a number'],
    [CreateWorkspaceRequest, { name: 'a\nb' }, 'name: must not contain line breaks'],
    [CreateWorkspaceRequest, { name: 'a', parent_id: 'me' }, 'parent_id: must be a UUID'],
    [CreateWorkspaceRequest, { name: 'a', tier: 'x' }, 'tier: must be a number, not a text'],
    [CreateWorkspaceRequest, [], 'must be an object, not a list'],
    [CreateWorkspaceRequest, null, 'must be an object, not null'],
    [HeartbeatRequest, { id: 'a', error_rate: 2 }, 'error_rate: must be at most 1'],
    [HeartbeatRequest, { id: 'a', error_rate: -1 }, 'error_rate: must be at least 0'],
    [
      HeartbeatRequest,
      { id: 'a', active_tasks: 1.5 },
      'active_tasks: must be a whole number, not a fraction',
    ],
    [AgentCard, { skills: [{ id: 'a' }, { id: 7 }] }, 'skills[1].id: must be a text, not a number'],
    [AgentCard, { skills: [true] }, 'skills[0]: must be a text or an object, not true'],
    [AgentCard, { skills: 'count' }, 'skills: must be a list, not a text'],
    [Question, { id: 'q', kind: 'vote', text: 'x', from: 'user' }, 'kind: must be "text" or "approval"'],
  ])('%# are in plain words, with the path of the field', ({ tolerant }, value, expected) => {
    expect(problemsIn(tolerant, value)).toBe(expected);
  });

  it('names the field inside of another schema', () => {
    const body = {
      id: '9b2f9d1c-5a53-4c7f-9a35-0f6f4c4f3c11',
      agent_card: { name: 1, skills: [{ tags: [2] }] },
    };
    expect(problemsIn(RegisterRequest.tolerant, body)).toBe(
      'agent_card.name: must be a text, not a number; agent_card.skills[0].tags[0]: must be a text, not a number',
    );
  });

  it('counts characters and entries', () => {
    const schema = z.object({ text: z.string().min(3).max(5), list: z.array(z.unknown()).min(1).max(2) });
    expect(problemsIn(schema, { text: 'ab', list: [] })).toBe(
      'text: must have at least 3 characters; list: must have at least 1 entry',
    );
    expect(problemsIn(schema, { text: 'abcdef', list: [1, 2, 3] })).toBe(
      'text: must have at most 5 characters; list: must have at most 2 entries',
    );
  });

  it('quotes no value, and is of limited length', () => {
    const values: [z.ZodType, unknown][] = [
      [z.object({ name: z.number() }), { name: SECRET }],
      [z.object({ name: z.enum(['a', 'b']) }), { name: SECRET }],
      [z.object({ name: z.guid() }), { name: SECRET }],
      [z.object({ name: z.literal('a').or(z.literal('b')) }), { name: SECRET }],
      [z.object({ name: z.string().regex(/^a$/) }), { name: SECRET }],
      [z.object({ name: z.string().refine(() => false) }), { name: SECRET }],
      [MessagePart.strict, { kind: SECRET, text: SECRET }],
    ];
    for (const [schema, value] of values) {
      const problems = problemsIn(schema, value);
      expect(problems).not.toBe('');
      expect(problems).not.toContain(SECRET);
    }
    const many = Object.fromEntries(
      Array.from({ length: 50 }, (_, index) => [`key${index}${'x'.repeat(200)}`, 1]),
    );
    const read = z.record(z.string(), z.string()).safeParse(many);
    const problems = fieldProblems(read.error?.issues ?? [], many);
    expect(problems).toHaveLength(10);
    expect(describeProblems(problems)).toMatch(
      /^\["key0x+"\]: must be a text, not a number; .*; and 7 more$/,
    );
    expect(describeProblems(problems).length).toBeLessThan(300);
    const strict = z.strictObject({}).safeParse({ 'a"\n': 1, b: 1, c: 1, d: 1 });
    expect(describeProblems(fieldProblems(strict.error?.issues ?? [], {}))).toBe(
      'must not have the keys "a\\"\\n", b, c and 1 more',
    );
  });
});
