import { describe, expect, it } from 'vitest';
import { readSecrets } from './secrets.ts';

describe('readSecrets', () => {
  const row = { key: 'K', has_value: true, scope: 'workspace', created_at: 'x', updated_at: 'x' };

  it('reads a flat map, a bundle and metadata', () => {
    expect(readSecrets({ K: 'v' })).toEqual({ kind: 'values', values: { K: 'v' } });
    expect(readSecrets({ secrets: { K: 'v' } })).toEqual({ kind: 'values', values: { K: 'v' } });
    expect(readSecrets({ secrets: { K: 'v' }, items: [row] })).toEqual({
      kind: 'values',
      values: { K: 'v' },
    });
    expect(readSecrets([row])).toEqual({ kind: 'metadata', keys: ['K'] });
    expect(readSecrets({})).toEqual({ kind: 'values', values: {} });
  });

  it('is not confused by a secret named secrets', () => {
    expect(readSecrets({ secrets: 'v', K: 'w' })).toEqual({
      kind: 'values',
      values: { secrets: 'v', K: 'w' },
    });
    expect(readSecrets({ secrets: { secrets: 'v' } })).toEqual({ kind: 'values', values: { secrets: 'v' } });
  });

  it('reports what it cannot read', () => {
    for (const body of [null, 'x', 5, { K: 1 }, [1]])
      expect(readSecrets(body)).toEqual({ kind: 'unreadable' });
  });
});
