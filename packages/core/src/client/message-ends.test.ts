import { describe, expect, it } from 'vitest';
import { PEER, SELF } from '../../test/agent-ids.ts';
import { stage } from '../../test/test-client.ts';

describe('an answer that callPeer has returned', () => {
  const row = (inReplyTo: string, more: object = {}, metadata: object = {}) => ({
    id: crypto.randomUUID(),
    activity_type: 'a2a_receive',
    source_id: PEER,
    in_reply_to: inReplyTo,
    request_body: {
      method: 'message/send',
      params: { message: { role: 'agent', messageId: 'x', parts: [{ text: inReplyTo }], metadata } },
    },
    ...more,
  });
  const textsOf = async (client: Awaited<ReturnType<typeof stage>>['client']) =>
    (await client.fetchInbound()).map(({ text }) => text);
  const message = { kind: 'message', role: 'agent', messageId: 'a', parts: [{ kind: 'text', text: 'yes' }] };
  const task = (state: string) => ({
    kind: 'task',
    id: SELF,
    contextId: 'c',
    status: { state, timestamp: '2026-01-01T00:00:00Z' },
    metadata: { message_id: 'm', state: state === 'input-required' ? 'input_required' : state },
  });
  const answers = async (s: Awaited<ReturnType<typeof stage>>, messageId: string, result: object) => {
    s.server.script({ body: { jsonrpc: '2.0', id: 1, result } });
    await s.client.callPeer(PEER, 'hello', { messageId });
  };

  it('does not hide what another peer, another call, a question or a later answer says', async () => {
    await using s = await stage({ body: [] });
    await answers(s, 'answered', message);
    await answers(s, 'failed', task('failed'));
    await answers(s, 'asked', task('input-required'));
    const failure = { delivery_failed: true, state: 'failed' };
    s.server.script({
      body: [row('answered', { source_id: crypto.randomUUID() }), row('asked'), row('failed'), row('other')],
    });
    expect(await textsOf(s.client)).toEqual(['answered', 'asked', 'failed', 'other']);
    s.server.script({ body: [row('answered'), row('failed', {}, failure), row('asked')] });
    expect(await textsOf(s.client)).toEqual(['asked']);
  });
});

describe('capabilities', () => {
  it('are remembered from the latest response that names them', async () => {
    await using s = await stage({ body: { status: 'acknowledged', up_to: SELF, seq: 1, acknowledged: 0 } });
    expect([...s.client.capabilities]).toEqual([]);
    await s.client.acknowledge(SELF);
    expect([...s.client.capabilities]).toEqual([]);
    const headers = { 'x-molecule-capabilities': 'outcomes, cancel, of-a-later-version' };
    s.server.script({ status: 404, headers, body: { error: 'no row', code: 'activity_not_found' } });
    await s.client.acknowledge(SELF).catch(() => {});
    expect([...s.client.capabilities]).toEqual(['outcomes', 'cancel']);
    s.server.script({ status: 502, body: '<html>', headers: {} });
    await s.client.acknowledge(SELF).catch(() => {});
    expect([...s.client.capabilities]).toEqual(['outcomes', 'cancel']);
    s.server.script({ body: { status: 'ok', capabilities: ['long-poll', 'unknown'] } });
    await s.client.heartbeat();
    expect([...s.client.capabilities]).toEqual(['long-poll']);
  });
});

describe('the messages that were sent', () => {
  const record = {
    message_id: 'm-1',
    queue_id: SELF,
    activity_id: SELF,
    caller_id: SELF,
    target_id: PEER,
    context_id: 'c-1',
    held: false,
    attempts: 1,
    created_at: '2026-01-01T00:00:00Z',
    answered_at: null,
    ended_at: '2026-01-01T00:00:01Z',
  };

  it('cannot be listed by a platform that does not offer it', async () => {
    await using s = await stage({ status: 404, body: '404 page not found', headers: {} });
    await expect(s.client.listMessages()).rejects.toMatchObject({ code: 'not_supported' });
    await expect(s.client.listMessages()).rejects.toMatchObject({ code: 'not_supported' });
    expect(s.server.requests).toHaveLength(1);
  });

  it.each([
    ['unanswered', 'unanswered', '', null],
    ['failed', 'failed', 'No such invoice.', 'no_such_invoice'],
    ['canceled', 'canceled', '', null],
    ['expired', 'expired', 'Nobody handled it.', null],
    ['input_required', 'input-required', 'Which one?', null],
  ])('one that ended as %s says so at once', async (state, status, text, code) => {
    const message = { kind: 'message', role: 'agent', messageId: 'x', parts: [{ kind: 'text', text }] };
    const task = {
      kind: 'task',
      id: SELF,
      contextId: 'c-1',
      status: { state: 'failed', timestamp: record.created_at, ...(text === '' ? {} : { message }) },
      metadata: { message_id: 'm-1', state, ...(code === null ? {} : { code }) },
    };
    const answer = { jsonrpc: '2.0', id: 'm-1', result: task };
    await using s = await stage({ body: { ...record, state, answer, error: null } });
    const reply = await s.client.waitForAnswer('m-1');
    expect([reply.status, reply.text, reply.code, reply.contextId]).toEqual([status, text, code, 'c-1']);
    expect(s.server.requests).toHaveLength(1);
    s.server.script({ body: answer, headers: { 'x-molecule-capabilities': 'outcomes' } });
    const held = await s.client.callPeer(PEER, 'hi', { contextId: 'c-1' });
    expect([held.status, held.text, held.code, held.contextId]).toEqual([status, text, code, 'c-1']);
  });
});
