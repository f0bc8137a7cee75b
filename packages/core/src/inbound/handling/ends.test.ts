import { describe, expect, it } from 'vitest';
import { startInbound } from '../../../test/inbound-stage.ts';
import { ApiError } from '../../errors/api-error.ts';
import { MessageFailure } from '../../errors/message-failure.ts';
import { MoleculeError } from '../../errors/molecule-error.ts';
import { listDeadLetters } from '../stores/inbound-records.ts';
import type { AttemptHandler } from './attempt.ts';

const OUTCOMES = new Set(['outcomes'] as const);
const GAVE_UP = 'The agent failed to handle this message.';

async function runWith(handler: AttemptHandler, options: Parameters<typeof startInbound>[0] = {}) {
  return startInbound({
    ...options,
    handler,
    prepare: ({ feed }) => {
      feed.capabilities = OUTCOMES;
    },
  });
}

const expired = () =>
  new ApiError('It expired.', {
    code: 'message_expired',
    platformCode: 'message_expired',
    status: 410,
    method: 'POST',
    path: '/',
  });

describe('the end of a message', () => {
  it('without an answer is reported as unanswered, one with an answer is not reported', async () => {
    const run = await runWith(async (message) => (message.id === 'row-1' ? undefined : 'hello'), {
      concurrency: 2,
    });
    run.feed.pushMany(2);
    await run.advance(1_000);
    expect(run.feed.outcomes).toEqual([[{ activityId: 'row-1', outcome: 'unanswered' }]]);
    expect(run.feed.acks.at(-1)).toBe('row-2');
  });

  it('is reported beyond a message that still runs, which the position does not cover', async () => {
    const run = await runWith((message) => (message.id === 'row-1' ? new Promise(() => {}) : undefined), {
      concurrency: 2,
    });
    run.feed.pushMany(2);
    await run.advance(1_000);
    expect(run.feed.outcomes).toEqual([[{ activityId: 'row-2', outcome: 'unanswered' }]]);
    expect(run.feed.acks).toEqual([]);
  });

  it.each<[string, () => unknown, string, string[]]>([
    [
      'another option',
      () => new MessageFailure('No.', { kode: 'no' } as never),
      'handler_failed',
      ['MessageFailure has no option "kode". It is ignored.'],
    ],
    [
      'an error, which is its cause',
      () => new MessageFailure('No.', Object.assign(new Error('secret'), { code: 'ENOENT', path: '/x' })),
      'handler_failed',
      [],
    ],
    ['right ones', () => new MessageFailure('No.', { code: 'no', cause: new Error('why') }), 'no', []],
  ])(
    'by a MessageFailure with %s is failed with its text all the same',
    async (_name, create, code, warnings) => {
      const run = await startInbound({
        handler: async () => {
          throw create();
        },
      });
      run.feed.capabilities = new Set(['outcomes']);
      run.feed.push({ id: 'row-1' });
      await run.advance(1_000);
      expect(run.feed.outcomes).toEqual([
        [{ activityId: 'row-1', outcome: 'failed', error: { message: 'No.', code } }],
      ]);
      expect(run.logger.messages('warn').filter((line) => line.includes('option'))).toEqual(warnings);
    },
  );

  it('by a MessageFailure is failed at once, with its text and code and not its cause', async () => {
    const run = await runWith(() => {
      throw new MessageFailure('No such invoice.', { code: 'no_such_invoice', cause: new Error('row 7') });
    });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    const error = { message: 'No such invoice.', code: 'no_such_invoice' };
    expect(run.feed.outcomes).toEqual([[{ activityId: 'row-1', outcome: 'failed', error }]]);
    expect([run.handled, run.feed.acks, run.inbound.deadLetterCount]).toEqual([['row-1'], ['row-1'], 0]);
    expect(run.observed).toContain('endedAsFailed:row-1:no_such_invoice');
  });

  it('by a call that the platform refused as a loop is failed at once, in words of this package', async () => {
    const run = await runWith(() => {
      const where = { status: 409, method: 'POST', path: '/' };
      throw new ApiError('This would continue a loop.', { ...where, code: 'loop_detected' });
    });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    const error = { message: expect.stringMatching(/^The agent could not finish: /), code: 'loop_detected' };
    expect(run.feed.outcomes).toEqual([[{ activityId: 'row-1', outcome: 'failed', error }]]);
    expect([run.handled, run.feed.acks, run.inbound.deadLetterCount]).toEqual([['row-1'], ['row-1'], 0]);
    expect(run.observed).toContain('endedAsFailed:row-1:loop_detected');
  });

  it('after all attempts is failed, in words that say nothing of the error', async () => {
    const run = await runWith(() => {
      throw new MoleculeError('The vault is at 10.0.0.7.', { code: 'storage_failed' });
    });
    run.feed.push({ id: 'row-1' });
    await run.advance(100_000);
    const error = { message: GAVE_UP, code: 'storage_failed' };
    expect(run.feed.outcomes).toEqual([[{ activityId: 'row-1', outcome: 'failed', error }]]);
  });

  it('that was handled at most once is accepted before, and reported after', async () => {
    const end = Promise.withResolvers<void>();
    const run = await runWith(() => end.promise, { atMostOnce: true });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    expect(run.feed.outcomes).toEqual([[{ activityId: 'row-1', outcome: 'accepted' }]]);
    expect([run.handled, run.feed.acks]).toEqual([['row-1'], ['row-1']]);
    end.resolve();
    await run.advance(1_000);
    expect(run.feed.outcomes[1]).toEqual([{ activityId: 'row-1', outcome: 'unanswered' }]);
  });

  it('that the platform let expire, or the sender canceled, finishes the row', async () => {
    const run = await runWith(async () => 'late');
    run.feed.replyFailures.push(expired());
    run.feed.push({ id: 'row-1' });
    run.feed.push({ id: 'row-2' });
    run.feed.canceled.add('row-2');
    await run.advance(1_000);
    expect(run.feed.acks.at(-1)).toBe('row-2');
    expect(run.observed).toEqual(expect.arrayContaining(['expired:row-1', 'cancelled:row-2']));
    expect([run.handled, run.inbound.deadLetterCount]).toEqual([['row-1', 'row-2'], 0]);
  });

  it('that expired while the handler replied by itself is not tried again', async () => {
    const run = await runWith(async (_message, { reply }) => reply('late'));
    run.feed.replyFailures.push(expired());
    run.feed.push({ id: 'row-1' });
    await run.advance(100_000);
    expect([run.handled, run.feed.acks]).toEqual([['row-1'], ['row-1']]);
  });

  it('is not reported to a platform that does not offer it', async () => {
    const run = await startInbound({ handler: async () => {} });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    expect([run.feed.outcomes, run.feed.acks]).toEqual([[], ['row-1']]);
  });

  it('survives a crash until the platform has it', async () => {
    const first = await runWith(() => {
      throw new MessageFailure('No.', { code: 'no' });
    });
    first.crash.arm('before', 'acknowledge');
    first.feed.push({ id: 'row-1' });
    await first.advance(1_000);
    expect([first.crash.hasCrashed, first.feed.outcomes]).toEqual([true, []]);
    const second = await runWith(async () => {}, { feed: first.feed, store: first.store });
    await second.advance(1_000);
    expect(second.handled).toEqual([]);
    const outcome = { activityId: 'row-1', outcome: 'failed', error: { message: 'No.', code: 'no' } };
    expect(second.feed.outcomes).toEqual([[outcome]]);
    second.kill();
    const third = await runWith(async () => {}, { feed: first.feed, store: first.store });
    await third.advance(10_000);
    expect(third.feed.outcomes).toHaveLength(1);
  });
});

describe('reporting ends', () => {
  it('takes at most five requests a second, many ends in one', async () => {
    const ends: (() => void)[] = [];
    const run = await runWith(() => new Promise<void>((resolve) => ends.push(resolve)), {
      concurrency: 700,
      readAhead: 700,
    });
    run.feed.pushMany(700);
    await run.advance(20_000);
    const startedAt = run.clock.monotonic();
    // One message every 2 ms; the last 500 at once.
    for (const end of ends.splice(0, 200)) {
      end();
      await run.advance(2);
    }
    for (const end of ends.splice(0)) end();
    await run.advance(2_000);
    const sent = run.feed.outcomes;
    expect(sent.flat()).toHaveLength(700);
    expect(Math.max(...sent.map((each) => each.length))).toBeLessThanOrEqual(500);
    expect(sent.length).toBeLessThanOrEqual(5);
    expect(run.clock.monotonic() - startedAt).toBe(2_400);
    expect(run.feed.acks.at(-1)).toBe('row-700');
  });

  it('never acknowledges a row before its outcome', async () => {
    const run = await runWith(async () => {}, { concurrency: 1_000, readAhead: 1_000 });
    run.feed.pushMany(900);
    await run.advance(30_000);
    expect(run.feed.outcomes.flat()).toHaveLength(900);
    expect(run.feed.coveredWithoutOutcome).toEqual([]);
    expect(run.feed.acks.at(-1)).toBe('row-900');
  });

  it('goes on without the position when the platform refuses that', async () => {
    const run = await runWith(async () => {});
    run.feed.ackFailures.push(new MoleculeError('No such row.', { code: 'not_found' }));
    run.feed.push({ id: 'row-1' });
    await run.advance(2_000);
    expect(run.feed.outcomes).toEqual([[{ activityId: 'row-1', outcome: 'unanswered' }]]);
    run.feed.ackFailures.push(new MoleculeError('No.', { code: 'not_found' }));
    run.feed.ackFailures.push(new MoleculeError('No.', { code: 'not_found' }));
    run.feed.push({ id: 'row-2' });
    await run.advance(2_000);
    run.feed.push({ id: 'row-3' });
    await run.advance(2_000);
    expect(run.feed.outcomes.at(-1)).toEqual([{ activityId: 'row-3', outcome: 'unanswered' }]);
  });
});

describe('an answer that the platform refuses for its size', () => {
  const refused = (status: number, code: MoleculeError['code'], platformCode: string) =>
    new ApiError('No.', { code, status, platformCode, method: 'POST', path: '/a2a' });

  it.each([
    [413, 'payload_too_large', 'body_too_large', 'agent_answer_too_large'],
    [400, 'request_rejected', 'invalid_message', 'agent_answer_invalid'],
  ] as const)(
    'with %s is not sent again, and its sender gets the code',
    async (status, code, platformCode, shown) => {
      const run = await runWith(async () => 'answer');
      run.feed.replyFailures.push(refused(status, code, platformCode));
      run.feed.push({ id: 'row-1' });
      await run.advance(1_000);
      expect(run.observed).toContain('gaveUp:row-1:reply:1');
      expect(await listDeadLetters(run.store)).toMatchObject([{ stage: 'reply', errorCode: shown }]);
      expect(run.feed.outcomes).toMatchObject([
        [{ outcome: 'failed', error: { message: GAVE_UP, code: shown } }],
      ]);
    },
  );
});
