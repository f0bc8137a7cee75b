import { describe, expect, it } from 'vitest';
import { SELF } from '../../test/agent-ids.ts';
import { operatorStage } from '../../test/test-client.ts';
import type { ActivityEntry } from './activity.ts';

async function entriesOf(...rows: unknown[]): Promise<readonly ActivityEntry[]> {
  await using s = await operatorStage({ body: rows });
  return (await s.client.listActivity(SELF)).rows;
}

describe('an activity row', () => {
  it('of a message', async () => {
    const row = {
      id: 'a1',
      activity_type: 'a2a_receive',
      direction: 'in',
      method: 'message/send',
      source_id: null,
      target_id: 'w1',
      message_id: 'm1',
      delivery_state: 'pending',
      conversation_id: 'c1',
      data: { text: 'Good morning' },
      created_at: '2026-05-02T10:15:30.123Z',
    };
    expect(await entriesOf(row)).toEqual([
      {
        id: 'a1',
        type: 'a2a_receive',
        direction: 'in',
        method: 'message/send',
        sourceId: '',
        targetId: 'w1',
        messageId: 'm1',
        inReplyTo: '',
        deliveryState: 'pending',
        text: 'Good morning',
        answer: '',
        conversationId: 'c1',
        createdAt: '2026-05-02T10:15:30.123Z',
        raw: row,
      },
    ]);
  });

  it('without data and direction', async () => {
    const parts = [{ type: 'text', text: 'Hello' }];
    const received = {
      id: 'a1',
      type: 'a2a_receive',
      ts: 't',
      request_body: { params: { message: { parts } } },
    };

    const answer = { result: { kind: 'message', role: 'agent', messageId: 'r', parts } };
    const done = { ...received, delivery_state: 'answered', response_body: answer };
    expect(await entriesOf(done)).toMatchObject([{ text: 'Hello', answer: 'Hello' }]);
    expect(await entriesOf({ ...done, delivery_state: 'failed' })).toMatchObject([{ answer: '' }]);
    const sent = { id: 'a2', method: 'notify', response_body: { result: 'Done' } };
    expect(await entriesOf(received, sent)).toMatchObject([
      { direction: 'in', text: 'Hello', createdAt: 't' },
      { direction: 'out', text: 'Done' },
    ]);
  });

  it.each([null, 7, 'text', [[]], {}, { id: 7 }, { id: '' }])('%j is ignored', async (value) => {
    expect(await entriesOf(value, { id: 'a1' })).toMatchObject([{ id: 'a1' }]);
  });
});
