import { describe, expect, it } from 'vitest';
import { HeldHandlers, startInbound } from '../../../test/inbound-stage.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';

const stopped = new MoleculeError('Stopped.', { code: 'agent_stopped' });

describe('order', () => {
  it('concurrent messages finish in any order, and the finished prefix is acknowledged', async () => {
    const held = new HeldHandlers();
    const run = await startInbound({ concurrency: 3, handler: held.handler });
    run.feed.pushMany(4);
    await run.advance(1_000);
    expect(held.running).toEqual(['row-1', 'row-2', 'row-3']);
    held.finish('row-3');
    await run.advance();
    expect(held.running).toEqual(['row-1', 'row-2', 'row-4']);
    expect(run.feed.acks).toEqual([]);
    held.finish('row-1');
    await run.advance();
    expect(run.feed.acks).toEqual(['row-1']);
    held.finish('row-2');
    await run.advance();
    expect(run.feed.acks).toEqual(['row-1', 'row-3']);
    held.finish('row-4');
    await run.advance();
    expect(run.feed.acks.at(-1)).toBe('row-4');
    expect(run.inbound.unfinished).toBe(0);
  });

  it('messages of one conversation are handled sequentially in order of arrival', async () => {
    const held = new HeldHandlers();
    const run = await startInbound({ concurrency: 3, handler: held.handler });
    run.feed.push({ id: 'a-1', contextId: 'a' });
    run.feed.push({ id: 'a-2', contextId: 'a' });
    run.feed.push({ id: 'b-1', contextId: 'b' });
    run.feed.push({ id: 'a-3', contextId: 'a' });
    await run.advance(1_000);
    expect(held.running).toEqual(['a-1', 'b-1']);
    held.finish('a-1');
    await run.advance();
    expect(held.running).toEqual(['b-1', 'a-2']);
    held.finish('a-2');
    await run.advance();
    expect(held.running).toEqual(['b-1', 'a-3']);
  });

  it('without a conversation, messages of one sender keep their order', async () => {
    const held = new HeldHandlers();
    const run = await startInbound({ concurrency: 3, handler: held.handler });
    run.feed.push({ id: 'one-1', sourceId: 'one' });
    run.feed.push({ id: 'one-2', sourceId: 'one' });
    run.feed.push({ id: 'two-1', sourceId: 'two' });
    await run.advance(1_000);
    expect(held.running).toEqual(['one-1', 'two-1']);
  });

  it('a message that waits for its next attempt holds back no other of its conversation', async () => {
    let fails = true;
    const run = await startInbound({
      handler: async (message) => {
        if (message.id === 'a-1' && fails) throw new Error('Not yet.');
      },
    });
    run.feed.push({ id: 'a-1', contextId: 'a' });
    run.feed.push({ id: 'a-2', contextId: 'a' });
    run.feed.push({ id: 'b-1', contextId: 'b' });
    await run.advance(1_000);
    expect(run.handled).toEqual(['a-1', 'a-2', 'b-1']);
    fails = false;
    await run.advance(1_000);
    expect(run.handled).toEqual(['a-1', 'a-2', 'b-1', 'a-1']);
    expect(run.feed.acks.at(-1)).toBe('b-1');
  });

  it('respects readAhead', async () => {
    const held = new HeldHandlers();
    const run = await startInbound({ readAhead: 3, handler: held.handler });
    run.feed.pushMany(10);
    await run.advance(60_000);
    expect(run.inbound.unfinished).toBe(3);
    expect(run.feed.queries.map((query) => query.limit)).toEqual([3, 3]);
    held.finish('row-1');
    await run.advance(1_000);
    expect(run.feed.queries.at(-1)?.limit).toBe(1);
    expect(run.inbound.unfinished).toBe(3);
  });
});

describe('suspend', () => {
  it('starts no more messages, waits for handlers and acknowledges', async () => {
    const held = new HeldHandlers();
    const run = await startInbound({ handler: held.handler });
    run.feed.pushMany(2);
    await run.advance(1_000);
    await run.inbound.suspend();
    const idle = run.inbound.idle();
    held.finish('row-1');
    await idle;
    await run.inbound.flush(new AbortController().signal);
    expect(run.inbound.active).toBe(0);
    expect(run.handled).toEqual(['row-1']);
    expect(run.feed.acks).toEqual(['row-1']);
  });

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
    run.inbound.abortHandlers(stopped);
    await run.inbound.idle();
    expect(run.feed.acks).toEqual([]);
    run.inbound.open();
    await run.advance(1_000);
    expect(attempts).toEqual([1, 1]);
    expect(run.feed.acks).toEqual(['row-1']);
  });

  it('flush ends with its signal while the platform is unreachable', async () => {
    const run = await startInbound();
    run.feed.ackFailures.push(
      ...Array.from(
        { length: 9 },
        () => new MoleculeError('Away.', { code: 'timed_out', isRetryable: true }),
      ),
    );
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    const limit = new AbortController();
    const flushed = run.inbound.flush(limit.signal);
    await run.advance();
    limit.abort();
    await flushed;
    expect(run.feed.acks).toEqual([]);
    await run.advance(600_000);
    expect(run.feed.acks).toEqual(['row-1']);
  });
});

describe('acknowledgements', () => {
  it('of one tick are one request; a refused one is included in the next', async () => {
    const run = await startInbound({ concurrency: 3 });
    run.feed.ackFailures.push(new MoleculeError('No.', { code: 'not_found' }));
    run.feed.pushMany(3);
    await run.advance(1_000);
    expect(run.feed.acks).toEqual([]);
    run.feed.pushMany(1);
    await run.advance(1_000);
    expect(run.feed.acks).toEqual(['row-4']);
    expect(run.logger.messages('warn')).toEqual([
      'The platform refused an acknowledgement; it is included in the next one.',
    ]);
  });

  it('that are missing are sent after a restart', async () => {
    const first = await startInbound();
    first.crash.arm('before', 'acknowledge');
    first.feed.push({ id: 'row-1' });
    await first.advance(1_000);
    expect(first.crash.hasCrashed).toBe(true);
    const second = await startInbound({ feed: first.feed, store: first.store });
    await second.advance(5_000);
    expect(second.handled).toEqual([]);
    expect(second.feed.acks).toEqual(['row-1']);
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
