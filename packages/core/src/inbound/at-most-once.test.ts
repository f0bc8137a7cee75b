import { describe, expect, it } from 'vitest';
import { startInbound } from '../../test/inbound-stage.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { MemoryInboundStore } from './inbound-store.ts';

const away = () => new MoleculeError('Away.', { code: 'timed_out', isRetryable: true });

/** A store that cannot be written. */
class BrokenStore extends MemoryInboundStore {
  override async replace(): Promise<void> {
    throw new Error('Read-only.');
  }
}

describe('at most once', () => {
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
