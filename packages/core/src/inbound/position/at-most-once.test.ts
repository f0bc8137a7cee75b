import { describe, expect, it } from 'vitest';
import { HeldHandlers, startInbound } from '../../../test/inbound-stage.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import { listDeadLetters, replayRecords } from '../stores/inbound-records.ts';
import { MemoryInboundStore } from '../stores/inbound-store.ts';

const away = () => new MoleculeError('Away.', { code: 'timed_out', isRetryable: true });

/** A store that cannot be written. */
class BrokenStore extends MemoryInboundStore {
  override async replace(): Promise<void> {
    throw new Error('Read-only.');
  }
}

describe('at most once', () => {
  it('is finished and acknowledged before the handler ends', async () => {
    const held = new HeldHandlers();
    const run = await startInbound({ atMostOnce: true, handler: held.handler });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    expect(held.running).toEqual(['row-1']);
    expect(run.feed.acks).toEqual(['row-1']);
    held.finish('row-1', 'answer');
    await run.advance();
    expect(run.feed.replies).toHaveLength(1);
  });

  it('after a crash in the handler the message is not delivered again', async () => {
    const first = await startInbound({ atMostOnce: true, handler: () => new Promise(() => {}) });
    first.feed.push({ id: 'row-1' });
    await first.advance(1_000);
    first.kill();
    const second = await startInbound({ atMostOnce: true, feed: first.feed, store: first.store });
    await second.advance(10_000);
    expect(first.handled).toEqual(['row-1']);
    expect(second.handled).toEqual([]);
  });

  it('a failed handler causes a dead letter and no retry', async () => {
    const run = await startInbound({
      atMostOnce: true,
      handler: async () => {
        throw new Error('No.');
      },
    });
    run.feed.push({ id: 'row-1' });
    await run.advance(600_000);
    expect(run.handled).toEqual(['row-1']);
    expect(await listDeadLetters(run.store)).toMatchObject([{ activityId: 'row-1', attempts: 1 }]);
  });

  it('an interrupted handler causes a dead letter and does not run again after a pause', async () => {
    const held = new HeldHandlers();
    const run = await startInbound({ atMostOnce: true, handler: held.handler });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    await run.inbound.suspend();
    run.inbound.abortHandlers(new MoleculeError('Paused.', { code: 'workspace_paused' }));
    held.fail('row-1');
    await run.inbound.idle();
    run.inbound.open();
    await run.advance(600_000);
    expect(run.handled).toEqual(['row-1']);
    expect(await listDeadLetters(run.store)).toMatchObject([{ errorCode: 'workspace_paused' }]);
    expect(replayRecords(await run.store.load()).progress.size).toBe(0);
  });

  it('sending an answer is retried from memory; its text is never stored', async () => {
    const run = await startInbound({ atMostOnce: true, handler: async () => 'answer' });
    run.feed.replyFailures.push(away(), away());
    run.feed.push({ id: 'row-1' });
    await run.advance(2_000);
    await run.advance(600_000);
    expect(JSON.stringify(await run.store.load())).not.toContain('answer');
    expect(run.feed.replies).toHaveLength(1);
    expect(run.handled).toEqual(['row-1']);
  });

  it('if nothing can be stored, the handler starts after the acknowledgement was accepted', async () => {
    const run = await startInbound({ atMostOnce: true, store: new BrokenStore() });
    run.feed.ackFailures.push(away(), away(), away());
    run.feed.push({ id: 'row-1' });
    await run.advance(3_000);
    expect(run.handled).toEqual([]);
    await run.advance(30_000);
    expect(run.feed.acks).toEqual(['row-1']);
    expect(run.handled).toEqual(['row-1']);
  });

  it('a message cancelled before that is not handled, and the next one is acknowledged', async () => {
    const run = await startInbound({ atMostOnce: true, concurrency: 2, store: new BrokenStore() });
    run.feed.ackFailures.push(...Array.from({ length: 8 }, away));
    run.feed.push({ id: 'row-1' });
    await run.advance(3_000);
    run.feed.push({ id: 'row-2', method: 'cancel_task', params: { id: 'row-1' } });
    await run.advance(1_000);
    expect(run.observed).toContain('cancelled:row-1');
    run.feed.push({ id: 'row-3' });
    await run.advance(600_000);
    expect(run.handled).toEqual(['row-3']);
    expect(run.feed.acks.at(-1)).toBe('row-3');
  });
});
