import { describe, expect, it } from 'vitest';
import { type InboundRun, startInbound } from '../../test/inbound-stage.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { AttemptHandler } from './handler.ts';

/** More than all attempts take. */
const LONG = 300_000;

async function withLetter(handler: AttemptHandler, options: Parameters<typeof startInbound>[0] = {}) {
  const run = await startInbound({ handler, ...options });
  run.feed.push({ id: 'row-1', text: 'please' });
  await run.advance(LONG);
  expect(run.inbound.deadLetters.list()).toMatchObject([
    { activityId: 'row-1', message: { text: 'please' } },
  ]);
  return run;
}

async function replay(run: InboundRun, activityId = 'row-1'): Promise<unknown> {
  const result = run.inbound.deadLetters.replay(activityId).then(
    () => 'replayed',
    (error: unknown) => error,
  );
  await run.advance(10_000);
  return result;
}

describe('a replay', () => {
  it('that fails rejects with the error, after one attempt, and keeps the letter', async () => {
    const run = await withLetter(() => {
      throw new Error('Broken.');
    });
    expect(await replay(run)).toMatchObject({ message: 'Broken.' });
    expect(run.handled).toHaveLength(6);
    expect(run.inbound.deadLetters.list()).toMatchObject([{ attempts: 6 }]);
    expect(run.feed.acks).toEqual(['row-1']);
  });

  it('does not repeat an effect, nor an answer that was sent', async () => {
    const effects: string[] = [];
    let isBroken = true;
    const run = await withLetter(async (_message, { once, reply }) => {
      await once('pay', () => effects.push('paid'));
      await reply('one');
      if (isBroken) throw new Error('Broken.');
      await reply('two');
    });
    isBroken = false;
    expect(await replay(run)).toBe('replayed');
    expect(effects).toEqual(['paid']);
    expect(run.feed.replies.map(({ text }) => text)).toEqual(['one', 'two']);
  });

  it('of an answer that could not be sent only sends it', async () => {
    const run = await withLetter(async () => 'the answer', {
      prepare: ({ feed }) => {
        for (let count = 0; count < 5; count += 1) {
          feed.replyFailures.push(new MoleculeError('No.', { code: 'platform_error' }));
        }
      },
    });
    expect(run.inbound.deadLetters.list()).toMatchObject([{ stage: 'reply' }]);
    expect(await replay(run)).toBe('replayed');
    expect(run.handled).toEqual(['row-1']);
    expect(run.feed.replies).toMatchObject([{ text: 'the answer' }]);
  });

  it('of the same letter runs once at a time', async () => {
    let isBroken = true;
    const run = await withLetter(() => {
      if (isBroken) throw new Error('Broken.');
      return 'fine';
    });
    isBroken = false;
    await Promise.all([replay(run), replay(run)]);
    expect(run.feed.replies).toHaveLength(1);
    expect(await replay(run)).toMatchObject({ code: 'not_found' });
  });

  it('ends with the agent, which keeps the letter', async () => {
    const run = await withLetter((_message, { attempt }) => {
      if (attempt > 5) return new Promise(() => {});
      throw new Error('Broken.');
    });
    const result = run.inbound.deadLetters.replay('row-1').catch((error: unknown) => error);
    await run.advance();
    run.inbound.close(new Error('stopped'));
    expect(await result).toMatchObject({ message: 'stopped' });
    expect(run.inbound.health().deadLetters).toBe(1);
  });
});

describe('dead letters', () => {
  it('are discarded one by one', async () => {
    const run = await withLetter(() => {
      throw new Error('Broken.');
    });
    await run.inbound.deadLetters.discard('row-1');
    expect(run.inbound.deadLetters.list()).toEqual([]);
    await expect(run.inbound.deadLetters.discard('row-1')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('are bounded by size: the oldest are dropped, with a warning', async () => {
    const run = await startInbound({
      concurrency: 20,
      handler: () => {
        throw new Error('Broken.');
      },
    });
    for (let count = 0; count < 12; count += 1) {
      run.feed.push({ id: `row-${count}`, contextId: `${count}`, text: 'x'.repeat(1_000_000) });
    }
    await run.advance(LONG);
    expect(run.inbound.deadLetters.list().map(({ activityId }) => activityId)).toEqual(
      [4, 5, 6, 7, 8, 9, 10, 11].map((count) => `row-${count}`),
    );
    expect(run.logger.messages('warn').filter((text) => text.includes('dead letters'))).toHaveLength(4);
  });
});
