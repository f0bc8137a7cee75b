import { describe, expect, it } from 'vitest';
import { HeldHandlers, startInbound } from '../../test/inbound-stage.ts';
import { MoleculeError } from '../errors/molecule-error.ts';

const stopped = new MoleculeError('Stopped.', { code: 'agent_stopped' });

describe('order', () => {
  it('respects readAhead', async () => {
    const held = new HeldHandlers();
    const run = await startInbound({ readAhead: 3, handler: held.handler });
    run.feed.pushMany(10);
    await run.advance(60_000);
    expect(run.inbound.health().unfinished).toBe(3);
    expect(run.feed.queries.map((query) => query.limit)).toEqual([3, 3]);
    held.finish('row-1');
    await run.advance(1_000);
    expect(run.feed.queries.at(-1)?.limit).toBe(1);
    expect(run.inbound.health().unfinished).toBe(3);
  });
});

it('the conversation of a message that was canceled before its turn stays busy', async () => {
  const held = new HeldHandlers();
  const run = await startInbound({ concurrency: 3, handler: held.handler });
  for (const id of ['row-1', 'row-2', 'row-3']) run.feed.push({ id, contextId: 'a' });
  await run.advance(1_000);
  run.feed.push({ id: 'row-4', contextId: 'b', method: 'cancel_task', params: { id: 'row-2' } });
  await run.advance(1_000);
  expect([run.observed.includes('cancelled:row-2'), held.running]).toEqual([true, ['row-1']]);
  held.finish('row-1');
  await run.advance();
  expect(held.running).toEqual(['row-3']);
});

describe('suspend', () => {
  it('an aborted handler does not finish its message or count its attempt', async () => {
    const attempts: number[] = [];
    const run = await startInbound({
      handler: (_message, { signal, attempt }) => {
        attempts.push(attempt);
        if (attempts.length > 1) return;
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
    });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    await run.inbound.suspend();
    await run.inbound.drain(0, stopped);
    expect(run.feed.acks).toEqual([]);
    run.inbound.open();
    await run.advance(1_000);
    expect(attempts).toEqual([1, 1]);
    expect(run.feed.acks).toEqual(['row-1']);
  });
});

describe('duplicates', () => {
  it('rows that are read twice, and messages with two rows, are handled once', async () => {
    const held = new HeldHandlers();
    const run = await startInbound({ concurrency: 3, handler: held.handler });
    run.feed.push({ id: 'row-1', contextId: 'a', messageId: 'same' });
    run.feed.push({ id: 'row-2', contextId: 'b', messageId: 'same' });
    run.feed.push({ id: 'row-3', contextId: 'c', messageId: 'same', sourceId: 'another', peerId: 'another' });
    await run.advance(1_000);
    expect(held.running).toEqual(['row-1', 'row-3']);
    held.finish('row-1');
    held.finish('row-3');
    await run.advance();
    run.feed.push({ id: 'row-4', messageId: 'same' });
    await run.advance(1_000);
    expect(run.handled).toEqual(['row-1', 'row-3']);
    expect(run.feed.acks.at(-1)).toBe('row-4');
    const next = await startInbound({ feed: run.feed, store: run.store });
    run.feed.push({ id: 'row-5', messageId: 'same' });
    await next.advance(5_000);
    expect(next.handled).toEqual([]);
    expect(next.feed.acks.at(-1)).toBe('row-5');
  });

  it('messages without a message id are all different', async () => {
    const run = await startInbound();
    run.feed.push({ id: 'row-1', messageId: '' });
    run.feed.push({ id: 'row-2', messageId: '' });
    await run.advance(1_000);
    expect(run.handled).toEqual(['row-1', 'row-2']);
  });
});
