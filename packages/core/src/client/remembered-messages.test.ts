import { parseActivityRow } from '@molecule-ai/protocol';
import { expect, it } from 'vitest';
import { PEER } from '../../test/agent-ids.ts';
import { RememberedMessages } from './remembered-messages.ts';

const answerTo = (messageId: string) => {
  const message = { role: 'agent', messageId: 'a', parts: [{ text: 'yes' }] };
  const request_body = { method: 'message/send', params: { message } };
  const row = { id: 'row', source_id: PEER.toUpperCase(), in_reply_to: messageId, request_body };
  const parsed = parseActivityRow(row);
  if (parsed === null) throw new Error('not a message');
  return parsed;
};

it('remembers the last thousand calls at least, and twice as many at most', () => {
  const sent = new RememberedMessages();
  for (let n = 0; n <= 2_000; n += 1) {
    const message = sent.add(`m-${n}`, PEER, false);
    message.replied({ status: n === 1_500 ? 'queued' : 'answered' });
  }
  const ids = ['m-0', 'm-999', 'm-1000', 'm-1500', 'm-2000'];
  expect(ids.filter((id) => sent.hasReturned(answerTo(id)))).toEqual(['m-1000', 'm-2000']);
  expect(sent.add('m-2000', PEER, true).returned).toBe('answer');
  expect(ids.filter((id) => sent.find(id)?.peerId === PEER)).toEqual(['m-1000', 'm-1500', 'm-2000']);
});
