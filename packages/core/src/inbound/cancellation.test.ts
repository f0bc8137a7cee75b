import { describe, expect, it } from 'vitest';
import { inboundMessage } from '../../test/memory-feed.ts';
import { isCancellationOf } from './cancellations.ts';

describe('isCancellationOf', () => {
  const message = inboundMessage({ id: 'row-1', metadata: { delegation_id: 'd-1' } });

  it.each([
    [{ params: { id: 'row-1' } }, true],
    [{ params: { task_id: 'message-of-row-1' } }, true],
    [{ params: { taskId: 'row-1' } }, true],
    [{ metadata: { delegation_id: 'd-1' } }, true],
    [{ raw: { delegation_id: 'd-1' } }, true],
    [{ inReplyTo: 'message-of-row-1' }, true],
    [{ params: { id: 'row-2' } }, false],
    [{ params: { id: '' } }, false],
    [{ params: {} }, false],
    [{ params: { id: 'row-1' }, sourceId: 'another' }, false],
    [{ params: { id: 'row-1' }, source: 'unknown' as const }, false],
    [{ params: { id: 'row-1' }, source: 'canvas_user' as const, sourceId: '' }, true],
  ])('%j: %s', (change, expected) => {
    expect(isCancellationOf(inboundMessage({ id: 'row-9', ...change }), message)).toBe(expected);
  });
});
