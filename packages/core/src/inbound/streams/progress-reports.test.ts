import { describe, expect, it } from 'vitest';
import { type InboundRun, startInbound } from '../../../test/inbound-stage.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import type { AttemptContext } from '../handler.ts';

/** Handlers that the test runs step by step, by row. */
class Handlers {
  readonly contexts = new Map<string, AttemptContext>();
  readonly #ends = new Map<string, PromiseWithResolvers<unknown>>();

  readonly handler = ({ id }: { readonly id: string }, context: AttemptContext): Promise<unknown> => {
    const end = Promise.withResolvers<unknown>();
    this.contexts.set(id, context);
    this.#ends.set(id, end);
    context.signal.addEventListener('abort', () => end.reject(context.signal.reason));
    return end.promise;
  };

  stream(id: string, text: string): Promise<void> {
    return this.contexts.get(id)?.stream(text) ?? Promise.reject(new Error(`${id} is not handled.`));
  }

  end(id: string, value?: unknown): void {
    this.#ends.get(id)?.resolve(value);
  }

  fail(id: string, error: unknown): void {
    this.#ends.get(id)?.reject(error);
  }
}

async function polling(rows = ['row-1'], method = 'message/stream') {
  const handlers = new Handlers();
  const run = await startInbound({ handler: handlers.handler, concurrency: 200, readAhead: 200 });
  run.feed.capabilities = new Set(['acknowledge', 'stream', 'outcomes']);
  for (const id of rows) run.feed.push({ id, method, contextId: `context-of-${id}` });
  await run.advance(1_000);
  return { handlers, ...run };
}

function textsOf({ feed }: Pick<InboundRun, 'feed'>): string[] {
  return feed.reports.map(({ offset, text, isFinal }) => `${offset}${isFinal ? '!' : ':'}${text}`);
}

const error = (code: 'rate_limited' | 'connection_failed' | 'not_found', retryAfterMs?: number) =>
  new MoleculeError('No.', { code, isRetryable: code !== 'not_found', retryAfterMs });

describe('the answer of an agent that polls', () => {
  it('is reported while it is made, at most every 100 ms, and to the end before it is sent', async () => {
    const { handlers, ...run } = await polling();
    await handlers.stream('row-1', 'Hello');
    await run.advance();
    expect(textsOf(run)).toEqual(['0:Hello']);
    await handlers.stream('row-1', ', ');
    await run.advance(50);
    await handlers.stream('row-1', 'wor');
    await run.advance(49);
    expect(textsOf(run)).toHaveLength(1);
    await run.advance(1);
    expect(textsOf(run)).toEqual(['0:Hello', '5:, wor']);
    await handlers.stream('row-1', 'ld');
    handlers.end('row-1', '!');
    await run.advance(99);
    expect(run.feed.replies).toEqual([]);
    await run.advance(1);
    expect(textsOf(run).slice(2)).toEqual(['10!ld']);
    expect(run.feed.replies).toMatchObject([{ text: 'Hello, world!' }]);
    expect(new Set(run.feed.reports.map(({ runId }) => runId)).size).toBe(1);
    expect([run.feed.progressOf('row-1'), run.feed.acks]).toEqual(['Hello, world', ['row-1']]);
  });

  it('is reported less often when there are many', async () => {
    const rows = Array.from({ length: 40 }, (_, index) => `row-${index}`);
    const { handlers, ...run } = await polling(rows);
    for (const id of rows) await handlers.stream(id, 'a');
    await run.advance();
    for (let tenth = 0; tenth < 100; tenth += 1) {
      for (const id of rows) await handlers.stream(id, 'b');
      await run.advance(100);
    }
    // 40 times a second, where a workspace may report 50 times.
    expect(run.feed.reports.length).toBeLessThanOrEqual(40 + 400);
    expect(run.feed.reports.length).toBeGreaterThan(300);
    for (const id of rows) handlers.end(id);
    await run.advance(2_000);
    expect(rows.map((id) => run.feed.progressOf(id))).toEqual(Array(40).fill(`a${'b'.repeat(100)}`));
  });

  it('is reported in pieces that fit into a request, each after the other', async () => {
    const { handlers, ...run } = await polling();
    const text = '\u0001'.repeat(170_000);
    const streamed = (async () => {
      for (let at = 0; at < text.length; at += 50_000)
        await handlers.stream('row-1', text.slice(at, at + 50_000));
      handlers.end('row-1');
    })();
    await run.advance(2_000);
    await streamed;
    expect(Math.max(...run.feed.reports.map((report) => JSON.stringify(report).length))).toBeLessThan(
      1024 * 1024,
    );
    expect(run.feed.progressOf('row-1')).toBe(text);
    expect(run.feed.replies).toMatchObject([{ text }]);
  });

  it('is reported again after 429 and failed connections, and holds nobody back meanwhile', async () => {
    const { handlers, ...run } = await polling();
    run.feed.reportFailures.push(error('rate_limited', 7_000), error('connection_failed'));
    await handlers.stream('row-1', 'Hello');
    await run.advance();
    await handlers.stream('row-1', 'x'.repeat(1_000_000));
    await run.advance(6_999);
    expect(run.feed.reports).toHaveLength(1);
    await run.advance(1);
    expect(run.feed.reports).toHaveLength(2);
    await run.advance(10_000);
    expect(run.feed.progressOf('row-1')).toHaveLength(1_000_005);
  });

  it('is reported from where the platform expects it, also after its restart', async () => {
    const { handlers, ...run } = await polling();
    await handlers.stream('row-1', 'Hello');
    await run.advance();
    run.feed.forgetProgress();
    await handlers.stream('row-1', ', world');
    await run.advance(200);
    expect(textsOf(run)).toEqual(['0:Hello', '5:, world', '0:Hello, world']);
    expect(run.feed.progressOf('row-1')).toBe('Hello, world');
  });

  it.each<[string, (run: InboundRun) => void]>([
    ['another run reports', ({ feed }) => feed.forgetProgress('another')],
    ['the message has ended', ({ feed }) => void feed.reportFailures.push(error('not_found'))],
  ])('is no longer reported when %s, which does not fail the message', async (_name, prepare) => {
    const { handlers, ...run } = await polling();
    prepare(run);
    await handlers.stream('row-1', 'Hello');
    await run.advance();
    await handlers.stream('row-1', 'x'.repeat(200_000));
    await run.advance(60_000);
    expect(textsOf(run)).toEqual(['0:Hello']);
    expect(run.logger.lines.filter(({ level }) => level !== 'debug')).toEqual([]);
    handlers.end('row-1');
    await run.advance();
    expect(run.feed.replies).toHaveLength(1);
  });

  it('is sent two seconds after it is complete, however long the last report takes', async () => {
    const { handlers, ...run } = await polling();
    run.feed.reportFailures.push(error('rate_limited', 60_000));
    await handlers.stream('row-1', 'Hello');
    await run.advance();
    handlers.end('row-1');
    await run.advance(1_999);
    expect(run.feed.replies).toEqual([]);
    await run.advance(1);
    expect(run.feed.replies).toMatchObject([{ text: 'Hello' }]);
    await run.advance(120_000);
    expect(run.feed.reports).toHaveLength(1);
  });
});
