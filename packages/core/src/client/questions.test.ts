import { describe, expect, it } from 'vitest';
import { PEER } from '../../test/agent-ids.ts';
import { stage } from '../../test/test-client.ts';

const offered = { 'x-molecule-capabilities': 'questions' };

describe('an agent', () => {
  it('believes answers only from a platform that checks them', async () => {
    const answers = [
      { question_id: 'q', question: 'May I?', decision: 'approve', by: 'operator' },
      { question_id: 'r', text: 'Blue', by: 'nobody' },
      { text: 'none' },
    ];
    const message = {
      role: 'user',
      messageId: 'm',
      parts: [{ kind: 'text', text: 'x' }],
      metadata: { answers },
    };
    const row = { id: PEER, source_id: PEER, request_body: { method: 'message/send', params: { message } } };
    await using s = await stage({ body: [row] });
    expect((await s.client.fetchInbound())[0]).toMatchObject({ answers: [], metadata: { answers } });
    s.server.script({ headers: offered, body: [row] });
    expect((await s.client.fetchInbound())[0]?.answers).toEqual([
      {
        id: 'q',
        kind: 'approval',
        text: 'May I?',
        data: null,
        decision: 'approve',
        answer: '',
        by: 'operator',
      },
      { id: 'r', kind: 'text', text: '', data: null, decision: null, answer: 'Blue', by: 'sender' },
    ]);
    s.server.script({ headers: offered, body: [{ ...row, in_reply_to: 'm-0' }] });
    expect((await s.client.fetchInbound())[0]?.answers).toEqual([]);
  });
});
