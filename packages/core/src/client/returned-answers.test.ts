import { parseActivityRow } from '@molecule-ai/protocol';
import { expect, it } from 'vitest';
import { PEER } from '../../test/agent-ids.ts';
import { ReturnedAnswers } from './returned-answers.ts';

const answerTo = (messageId: string) => {
  const message = { role: 'agent', messageId: 'a', parts: [{ text: 'yes' }] };
  const request_body = { method: 'message/send', params: { message } };
  const row = { id: 'row', source_id: PEER.toUpperCase(), in_reply_to: messageId, request_body };
  const parsed = parseActivityRow(row);
  if (parsed === null) throw new Error('not a message');
  return parsed;
};

it('remembers the last thousand calls, by the latest of each', () => {
  const returned = new ReturnedAnswers();
  const add = (messageId: string, status: 'answered' | 'queued' = 'answered') =>
    returned.add({ status, peerId: PEER, messageId });
  for (let n = 0; n < 1_000; n += 1) add(`m-${n}`);
  add('m-0');
  add('m-1000');
  add('m-1001', 'queued');
  expect(['m-0', 'm-1', 'm-2', 'm-1000', 'm-1001'].filter((id) => returned.has(answerTo(id)))).toEqual([
    'm-0',
    'm-2',
    'm-1000',
  ]);
});
