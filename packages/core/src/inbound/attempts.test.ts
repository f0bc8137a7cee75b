import { describe, expect, it } from 'vitest';
import { startInbound } from '../../test/inbound-stage.ts';
import { ApiError } from '../errors/api-error.ts';
import { ConfigurationError, MoleculeError } from '../errors/molecule-error.ts';
import { listDeadLetters } from './inbound-store.ts';

/** More than all attempts take. */
const LONG = 600_000;
const fails = async (): Promise<void> => {
  throw new Error('Secret of the handler.');
};
const error = (code: 'timed_out' | 'invalid_argument' | 'payload_too_large' | 'platform_error') =>
  new MoleculeError('No.', { code });

describe('a handler that fails', () => {
  it('has five attempts, 1, 4, 16 and 64 s apart; then the message is a dead letter and acknowledged', async () => {
    const run = await startInbound({ handler: fails });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    for (const [index, wait] of [1_000, 4_000, 16_000, 64_000].entries()) {
      await run.advance(wait - 1);
      expect(run.handled).toHaveLength(index + 1);
      await run.advance(1);
      expect(run.handled).toHaveLength(index + 2);
    }
    await run.advance(LONG);
    expect(run.handled).toHaveLength(5);
    expect(run.feed.acks).toEqual(['row-1']);
    expect(run.observed.filter((event) => event.startsWith('gaveUp'))).toEqual(['gaveUp:row-1:handler:5']);
    const letters = await listDeadLetters(run.store);
    expect(letters).toEqual([
      {
        activityId: 'row-1',
        messageId: 'message-of-row-1',
        sourceId: expect.any(String),
        stage: 'handler',
        attempts: 5,
        errorCode: 'handler_failed',
        at: '2026-01-01T00:01:26.000Z',
        message: expect.objectContaining({ id: 'row-1', text: 'text of row-1' }),
      },
    ]);
  });

  it('has as many attempts, and as long pauses, as the agent says', async () => {
    const run = await startInbound({
      handler: fails,
      retry: { attempts: 3, delayMs: 100, maxDelayMs: 200 },
    });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    expect(run.handled).toHaveLength(1);
    await run.advance(100);
    expect(run.handled).toHaveLength(2);
    await run.advance(200);
    expect(run.handled).toHaveLength(3);
    await run.advance(LONG);
    expect(run.observed.filter((event) => event.startsWith('gaveUp'))).toEqual(['gaveUp:row-1:handler:3']);
  });

  it('is not called again for an error of the configuration', async () => {
    const run = await startInbound({
      handler: () => {
        throw new ConfigurationError('No key.');
      },
    });
    run.feed.push({ id: 'row-1' });
    await run.advance(LONG);
    expect(run.observed.filter((event) => event.startsWith('gaveUp'))).toEqual(['gaveUp:row-1:handler:1']);
  });

  it('counts its attempts across restarts, including those that crashed the process', async () => {
    const attempts: number[] = [];
    const handler = (_message: unknown, context: { readonly attempt: number }) => {
      attempts.push(context.attempt);
      return new Promise<void>(() => {});
    };
    let run = await startInbound({ handler });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    for (let restart = 1; restart < 5; restart += 1) {
      run.kill();
      run = await startInbound({ handler, feed: run.feed, store: run.store });
      await run.advance(1_000);
    }
    expect(attempts).toEqual([1, 2, 3, 4, 5]);
    run.kill();
    run = await startInbound({ handler, feed: run.feed, store: run.store });
    await run.advance(1_000);
    expect(attempts).toHaveLength(5);
    expect(run.observed).toContain('gaveUp:row-1:handler:5');
    expect(run.feed.acks).toEqual(['row-1']);
  });

  it('that ignores its signal has five seconds, then the attempt ends', async () => {
    const run = await startInbound({ handler: () => new Promise(() => {}), handlerTimeoutMs: 10_000 });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000 + 14_999);
    expect(run.observed).not.toContain('stuck:row-1');
    await run.advance(1);
    expect(run.observed).toContain('stuck:row-1');
    await run.advance(LONG);
    expect(run.observed).toContain('gaveUp:row-1:handler:5');
    expect((await listDeadLetters(run.store))[0]?.errorCode).toBe('timed_out');
  });
});

describe('an answer that cannot be sent', () => {
  it('is retried without limit while a login page or a redirect is in the way', async () => {
    const where = { status: 200, method: 'POST', path: '/' };
    const failure = (code: 'unexpected_response' | 'redirect_refused', isWebPage: boolean) =>
      new ApiError('No.', { ...where, code, isWebPage });
    const run = await startInbound({ handler: async () => 'answer' });
    run.feed.replyFailures.push(...Array.from({ length: 5 }, () => failure('unexpected_response', true)));
    run.feed.replyFailures.push(...Array.from({ length: 5 }, () => failure('redirect_refused', false)));
    run.feed.push({ id: 'row-1' });
    await run.advance(LONG);
    expect([run.handled, run.feed.replies.length]).toEqual([['row-1'], 1]);
    expect(await listDeadLetters(run.store)).toEqual([]);
    run.feed.replyFailures.push(...Array.from({ length: 99 }, () => failure('unexpected_response', false)));
    run.feed.push({ id: 'row-2' });
    await run.advance(LONG);
    expect(run.observed).toContain('gaveUp:row-2:reply:5');
  });

  it('is retried without limit while the platform is unavailable, which does not count as an attempt', async () => {
    const run = await startInbound({ handler: async () => 'answer' });
    run.feed.replyFailures.push(...Array.from({ length: 8 }, () => error('timed_out')));
    run.feed.replyFailures.push(error('platform_error'), error('timed_out'), error('platform_error'));
    run.feed.push({ id: 'row-1' });
    await run.advance(LONG);
    expect(run.handled).toEqual(['row-1']);
    expect(run.feed.replies).toHaveLength(1);
    expect(run.feed.acks).toEqual(['row-1']);
    expect(await listDeadLetters(run.store)).toEqual([]);
  });

  it.each(['invalid_argument', 'payload_too_large'] as const)('is not retried after %s', async (code) => {
    const run = await startInbound({ handler: async () => 'answer' });
    run.feed.replyFailures.push(error(code));
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    expect(run.observed).toContain('gaveUp:row-1:reply:1');
    expect(await listDeadLetters(run.store)).toMatchObject([{ stage: 'reply', errorCode: code }]);
    expect(run.feed.acks).toEqual(['row-1']);
  });
});

describe('once', () => {
  it('stores its result and does not repeat the effect in a later attempt', async () => {
    let effects = 0;
    const results: unknown[] = [];
    const run = await startInbound({
      handler: async (_message, context) => {
        results.push(
          await context.once('ticket', async () => {
            effects += 1;
            return { id: effects };
          }),
        );
        results.push(await context.once('nothing', () => undefined));
        if (context.attempt < 3) throw new Error('Later.');
      },
    });
    run.feed.push({ id: 'row-1' });
    await run.advance(LONG);
    expect(effects).toBe(1);
    expect(results).toEqual([{ id: 1 }, undefined, { id: 1 }, null, { id: 1 }, null]);
    expect(run.feed.acks).toEqual(['row-1']);
    await run.inbound.flush();
    expect((await run.store.load()).join()).not.toContain('ticket');
  });

  it('does not store a failed effect, and rejects a result that is not JSON', async () => {
    const seen: unknown[] = [];
    const run = await startInbound({
      handler: async (_message, { once, attempt }) => {
        if (attempt === 1) await once('a', fails);
        seen.push(await once('a', () => 'second'));
        await once('b', () => () => {}).catch((problem) => seen.push(problem.code));
        await once('c', () => 1n).catch((problem) => seen.push(problem.code));
      },
    });
    run.feed.push({ id: 'row-1' });
    await run.advance(10_000);
    expect(seen).toEqual(['second', 'invalid_argument', 'invalid_argument']);
  });
});
