import { describe, expect, it } from 'vitest';
import { HeldHandlers, startInbound } from '../../../test/inbound-stage.ts';
import { inboundMessage } from '../../../test/memory-feed.ts';
import { isCancellationOf } from './rules.ts';

const cancel = (id: string, target: string) => ({ id, method: 'cancel_task', params: { id: target } });

describe('cancel_task', () => {
  it('aborts the signal of the right handler and finishes its message', async () => {
    const held = new HeldHandlers();
    const run = await startInbound({ concurrency: 3, handler: held.handler });
    run.feed.pushMany(3);
    await run.advance(1_000);
    run.feed.push(cancel('row-4', 'message-of-row-2'));
    await run.advance(1_000);
    expect(held.signals.get('row-2')?.reason).toMatchObject({ code: 'cancelled_by_sender' });
    expect(held.signals.get('row-1')?.aborted).toBe(false);
    expect(held.signals.get('row-3')?.aborted).toBe(false);
    held.fail('row-2');
    held.finish('row-1');
    held.finish('row-3');
    await run.advance();
    expect(run.observed).toContain('cancelled:row-2');
    expect(run.handled).toEqual(['row-1', 'row-2', 'row-3']);
    expect(run.feed.acks.at(-1)).toBe('row-4');
  });

  it('ends a message that waits for its next attempt', async () => {
    const run = await startInbound({
      handler: async (message) => {
        if (message.id === 'row-1') throw new Error('Again.');
      },
    });
    run.feed.push({ id: 'row-1', contextId: 'a' });
    run.feed.push({ id: 'row-2', contextId: 'a' });
    await run.advance(2_000);
    run.feed.push(cancel('row-3', 'row-1'));
    await run.advance(1_000);
    expect(run.observed).toContain('cancelled:row-1');
    expect(run.handled).toEqual(['row-1', 'row-2', 'row-1']);
    expect(run.feed.acks.at(-1)).toBe('row-3');
  });

  it('finishes a message that was not started', async () => {
    const held = new HeldHandlers();
    const run = await startInbound({ handler: held.handler });
    run.feed.push({ id: 'row-1', contextId: 'a' });
    run.feed.push({ id: 'row-2', contextId: 'b' });
    run.feed.push(cancel('row-3', 'row-2'));
    await run.advance(1_000);
    held.finish('row-1');
    await run.advance();
    expect(run.handled).toEqual(['row-1']);
    expect(run.feed.acks.at(-1)).toBe('row-3');
  });

  it('of an unknown or finished message is finished itself', async () => {
    const run = await startInbound();
    run.feed.push(cancel('row-1', 'nothing'));
    await run.advance(1_000);
    expect(run.handled).toEqual([]);
    expect(run.feed.acks).toEqual(['row-1']);
  });

  it('survives a crash: the next run does not handle the message', async () => {
    const held = new HeldHandlers();
    const first = await startInbound({ handler: held.handler });
    first.feed.push({ id: 'row-1' });
    await first.advance(1_000);
    first.feed.push(cancel('row-2', 'row-1'));
    await first.advance(1_000);
    // The process crashes during the grace period of the handler.
    first.kill();
    const second = await startInbound({ feed: first.feed, store: first.store });
    await second.advance(1_000);
    expect(second.observed).toContain('cancelled:row-1');
    expect(second.handled).toEqual([]);
    expect(second.feed.acks.at(-1)).toBe('row-2');
  });
});

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
