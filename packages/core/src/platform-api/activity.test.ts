import { describe, expect, it } from 'vitest';
import { readActivityEntry } from './activity.ts';

describe('readActivityEntry', () => {
  it('reads a message', () => {
    const row = {
      id: 'a1',
      activity_type: 'a2a_receive',
      direction: 'in',
      method: 'message/send',
      source_id: null,
      target_id: 'w1',
      message_id: 'm1',
      delivery_state: 'pending',
      data: { text: 'Good morning' },
      created_at: '2026-05-02T10:15:30.123Z',
    };
    expect(readActivityEntry(row)).toEqual({
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
      createdAt: '2026-05-02T10:15:30.123Z',
      raw: row,
    });
  });

  it('reads rows without data and direction', () => {
    const parts = [{ type: 'text', text: 'Hello' }];
    const received = {
      id: 'a1',
      type: 'a2a_receive',
      ts: 't',
      request_body: { params: { message: { parts } } },
    };
    expect(readActivityEntry(received)).toMatchObject({ direction: 'in', text: 'Hello', createdAt: 't' });
    const sent = { id: 'a2', method: 'notify', response_body: { result: 'Done' } };
    expect(readActivityEntry(sent)).toMatchObject({ direction: 'out', text: 'Done' });
  });

  it.each([null, 7, 'text', [], {}, { id: 7 }, { id: '' }])('ignores %j', (value) => {
    expect(readActivityEntry(value)).toBeUndefined();
  });
});
