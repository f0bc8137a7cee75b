import { describe, expect, it } from 'vitest';
import { startInbound } from '../../test/inbound-stage.ts';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { AttemptHandler } from './handler.ts';
import { listDeadLetters } from './inbound-store.ts';

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
  it('that expired while the handler replied by itself is not tried again', async () => {
    const run = await runWith(async (_message, { reply }) => reply('late'));
    run.feed.replyFailures.push(expired());
    run.feed.push({ id: 'row-1' });
    await run.advance(100_000);
    expect([run.handled, run.feed.acks]).toEqual([['row-1'], ['row-1']]);
  });
});

describe('reporting ends', () => {
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
