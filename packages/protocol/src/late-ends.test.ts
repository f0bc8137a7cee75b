import { describe, expect, it } from 'vitest';
import { lateEndIn, withOwnEnd } from './late-ends.ts';

describe('the end that a late message brings', () => {
  it.each([
    ['nothing', {}],
    ['words of an application', { state: 'failed', code: 'disk_full' }],
    ['a state that is no end', { molecule_end: { state: 'working' } }],
    ['a mark that is no object', { molecule_end: 'failed' }],
    ['a failure that is not one', { delivery_failed: 'true', state: 'failed' }],
    ['a state of a question without one', { state: 'input_required', questions: [] }],
  ])('%s is an answer', (_name, metadata) => {
    expect(lateEndIn(metadata)).toBeNull();
  });

  it.each([
    [
      { delivery_failed: true, state: 'expired', code: 'message_expired' },
      { state: 'expired', code: 'message_expired' },
    ],
    [
      { delivery_failed: true, state: 'answered', code: 7 },
      { state: 'failed', code: null },
    ],
    [{ molecule_end: { state: 'unanswered' } }, { state: 'unanswered', code: null }],
    [
      { molecule_end: { state: 'failed', code: 'disk_full' }, state: 'answered', code: 'x' },
      { state: 'failed', code: 'disk_full' },
    ],
    [{ molecule_end: { state: 'failed', code: 'x'.repeat(101) } }, { state: 'failed', code: null }],
    [
      { state: 'input_required', questions: [{ id: 'q' }] },
      { state: 'input_required', code: null },
    ],
  ])('%j is one', (metadata, end) => {
    expect(lateEndIn(metadata)).toEqual(end);
  });

  it('is written by its agent only, beside the open metadata', () => {
    const open = { state: 'mine', molecule_end: { state: 'failed' } };
    expect(withOwnEnd(open, undefined)).toEqual({ state: 'mine' });
    expect(withOwnEnd(undefined, { state: 'unanswered', code: undefined })).toEqual({
      molecule_end: { state: 'unanswered' },
    });
    const written = withOwnEnd(open, { state: 'failed', code: 'disk_full' });
    expect([written.state, lateEndIn(written)]).toEqual(['mine', { state: 'failed', code: 'disk_full' }]);
  });
});
