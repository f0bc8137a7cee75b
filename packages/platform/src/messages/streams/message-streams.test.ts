import { expect, it } from 'vitest';
import { ManualClock } from '../../../test/manual-clock.ts';
import type { MessageRow } from '../../database/schema.ts';
import { OutcomeWaiters } from '../waiters.ts';
import { AnswerStreams } from './answer-streams.ts';
import { MessageStreams, type MessageStreamsOptions } from './message-streams.ts';

const OPEN = { id: 'm', source_id: 'w', request_body: null, delivery_state: 'delivered' } as MessageRow;
const ENDED = { ...OPEN, delivery_state: 'answered', response_body: '{}', ended_at: 'now' } as MessageRow;

it('an operator who asks for a stream while its message is answered gets the answer in the stream', async () => {
  const waiters = new OutcomeWaiters(new ManualClock());
  const asked = {
    findLatest: async () => ({ id: 'm', message: OPEN }),
    read: async () => {
      waiters.reserve('m')?.send({ state: 'answered', answer: {}, at: 'now' }, 2, () => {});
      return { message: ENDED, omittedBytes: 0 };
    },
  };
  const options = { asked, streams: new AnswerStreams(), waiters } as unknown as MessageStreamsOptions;
  const task = { callerId: null, workspaceId: 'v', reference: 'm' };
  const result = await new MessageStreams(options).resume(task);
  expect(result).toMatchObject({ kind: 'stream', opened: { known: { state: 'answered' } } });
});
