import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { deriveMessageId, deriveUuid, makeIdempotencyKey } from './idempotency-key.ts';

interface Vector {
  id: string;
  task: string;
  unix_seconds: number;
  key?: string;
}

const vectors = JSON.parse(
  readFileSync(new URL('../../../../test/vectors/idempotency-key.json', import.meta.url), 'utf8'),
) as { cases: Vector[] };

describe('makeIdempotencyKey', () => {
  it.each(vectors.cases.map((vector) => [vector.id, vector] as const))(
    '%s',
    (_id, { task, unix_seconds, key }) => {
      const make = () => makeIdempotencyKey(task, { atMs: unix_seconds * 1000 });
      if (key === undefined) expect(make).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
      else expect(make()).toBe(key);
    },
  );

  it('can include the target', () => {
    const at = { atMs: 0 };
    const toA = makeIdempotencyKey('t', { ...at, targetId: 'A' });
    expect(toA).toMatch(/^[0-9a-f]{64}$/);
    expect(toA).toBe(makeIdempotencyKey('t', { ...at, targetId: 'a' }));
    expect(
      new Set([toA, makeIdempotencyKey('t', { ...at, targetId: 'b' }), makeIdempotencyKey('t', at)]).size,
    ).toBe(3);
  });
});

describe('deriveMessageId', () => {
  it('depends on the workspace and the key only', () => {
    const id = deriveMessageId('self', 'order 7');
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    // Pinned: another id after an update would send a message twice.
    expect(id).toBe('868fc5c7-565a-8cd5-b0e3-eb7aa181a7d8');
    expect(new Set([id, deriveMessageId('other', 'order 7'), deriveMessageId('self', 'order 8')]).size).toBe(
      3,
    );
  });

  it.each(['', ' \n', null as unknown as string])('refuses the key %j', (key) => {
    expect(() => deriveMessageId('self', key)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });
});

describe('deriveUuid', () => {
  it('is a UUID that depends on all inputs only', () => {
    const id = deriveUuid('reply', 'self', 'message', '');
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(deriveUuid('reply', 'self', 'message', '')).toBe(id);
    expect(deriveUuid('reply', 'selfmessage', '', '')).not.toBe(id);
  });
});
