import { describe, expect, it } from 'vitest';
import { PEER, SELF } from '../../test/agent-ids.ts';
import { STREAMING } from '../../test/streamed-response.ts';
import { stage } from '../../test/test-client.ts';
import type { ReplyTarget } from './reply.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const answer = {
  jsonrpc: '2.0',
  id: '1',
  result: {
    kind: 'message',
    role: 'agent',
    messageId: 'r',
    parts: [{ kind: 'text', text: '[A2A_RESULT_FROM_PEER]done[/A2A_RESULT_FROM_PEER]' }],
  },
};
const queued = {
  queued: true,
  status: 'queued',
  delivery_mode: 'poll',
  queue_id: 'q',
  activity_id: SELF,
  message_id: 'm',
  queue_depth: 1,
  message: 'stored',
};

describe('callPeer', () => {
  it('sends through the platform, with the same message id for all retries', async () => {
    const headers = { 'x-molecule-capabilities': 'message-dedupe' };
    await using s = await stage([{ status: 502, headers, body: { error: 'x' } }, 'reset', { body: answer }]);
    const reply = await s.client.callPeer(PEER, 'Summarise', { contextId: 'c1', metadata: { a: 1 } });
    expect(reply).toMatchObject({ status: 'answered', text: 'done', via: 'proxy', peerId: PEER });
    expect(s.server.requests).toHaveLength(3);
    expect(new Set(s.server.requests.map(({ rawBody }) => rawBody)).size).toBe(1);
    expect(s.server.last).toMatchObject({ method: 'POST', path: `/workspaces/${PEER}/a2a` });
    expect(s.server.last.headers).toMatchObject({
      'x-timeout': '25',
      'x-workspace-id': SELF,
      'x-source-workspace-id': SELF,
    });
    expect(s.server.last.body).toEqual({
      jsonrpc: '2.0',
      id: reply.messageId,
      method: 'message/send',
      params: {
        message: {
          kind: 'message',
          role: 'user',
          messageId: expect.stringMatching(UUID),
          contextId: 'c1',
          metadata: { a: 1 },
          parts: [{ kind: 'text', type: 'text', text: 'Summarise' }],
        },
      },
    });
    expect(s.server.contractProblems()).toEqual([]);
  });

  it('returns status queued for a stored message', async () => {
    await using s = await stage({ status: 202, body: { ...queued, held: true } });
    expect(await s.client.callPeer(PEER, 'x', { messageId: 'm9' })).toMatchObject({
      status: 'queued',
      isHeld: true,
      messageId: 'm9',
    });
    s.server.script({ body: { status: 'queued', delivery_mode: 'poll', method: 'message/send' } });
    expect((await s.client.callPeer(PEER, 'x')).status).toBe('queued');
  });

  it('includes the message id in a timeout, to wait for the answer later', async () => {
    await using s = await stage('hang');
    const call = s.client.callPeer(PEER, 'x', { messageId: 'm7', timeoutMs: 40 });
    await expect(call).rejects.toMatchObject({
      code: 'timed_out',
      timeoutMs: 40,
      message: expect.stringContaining('within 40 ms'),
      messageId: 'm7',
      hint: expect.stringContaining("waitForAnswer('m7')"),
    });
    expect(s.server.requests).toHaveLength(1);
  });

  it('rejects with the reason of the signal', async () => {
    await using s = await stage('hang');
    const signal = AbortSignal.timeout(30);
    await expect(s.client.callPeer(PEER, 'x', { signal })).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it.each([
    ['a peer', 410, (): string => PEER, /^The peer does not exist any more/],
    ['its own workspace', 401, (): string => SELF, /^Yours is gone/],
  ] as const)('says of %s that was removed what to do', async (_whose, status, id, hint) => {
    const body = {
      error: 'gone',
      code: 'workspace_removed',
      deleted: true,
      id: id(),
      hint: 'Yours is gone.',
    };
    await using s = await stage({ status, headers: STREAMING, body });
    for (const call of [s.client.callPeer(PEER, 'x'), s.client.streamPeer(PEER, 'x').reply()]) {
      await expect(call).rejects.toMatchObject({
        name: 'WorkspaceRemovedError',
        workspaceId: id(),
        hint: expect.stringMatching(hint),
      });
    }
  });

  it('refuses blank text, and reports access_denied', async () => {
    await using s = await stage({ status: 403, body: { error: 'access denied', code: 'access_denied' } });
    await expect(s.client.callPeer(PEER, ' \n')).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(s.server.requests).toEqual([]);
    await expect(s.client.callPeer(PEER, 'x')).rejects.toMatchObject({
      name: 'AccessDeniedError',
      hint: expect.stringContaining('parent'),
    });
  });

  it('lets the platform hold the call for less than the timeout', async () => {
    await using s = await stage({ body: answer });
    for (const timeoutMs of [30_000, 60_000, 10_000, 1_000])
      await s.client.callPeer(PEER, 'Hi', { timeoutMs });
    const held = s.server.requests.map(({ headers }) => headers['x-timeout']);
    expect(held).toEqual(['25', '55', '8', '1']);
  });
});

describe('waitForAnswer', () => {
  const headers = { 'x-molecule-capabilities': 'message-status' };
  const record = {
    message_id: 'm1',
    queue_id: 'q',
    activity_id: SELF,
    caller_id: SELF,
    target_id: PEER,
    state: 'queued',
    held: true,
    attempts: 0,
    answer: null,
    error: null,
    created_at: '2026-01-01T00:00:00Z',
    answered_at: null,
  };

  it('polls until there is an answer', async () => {
    await using s = await stage([
      { headers, body: record },
      { body: record },
      { body: { ...record, state: 'answered', answer } },
    ]);
    expect(await s.client.waitForAnswer('m1')).toMatchObject({
      status: 'answered',
      text: 'done',
      peerId: PEER,
      messageId: 'm1',
    });
    expect(s.server.last.path).toBe(`/workspaces/${SELF}/messages/m1`);
    expect(s.server.last.query.get('wait')).toBe('60');
    expect(s.clock.sleeps).toEqual([1000, 1000]);
    expect(s.server.contractProblems()).toEqual([]);
  });

  it('returns queued after the timeout, and sends one request for 0', async () => {
    await using s = await stage({ headers, body: record });
    expect(await s.client.waitForAnswer('m1', { timeoutMs: 2500 })).toMatchObject({
      status: 'queued',
      isHeld: true,
      text: '',
    });
    expect(s.clock.sleeps).toEqual([1000, 1000, 500]);
    expect((await s.client.waitForAnswer('m1', { timeoutMs: 0 })).status).toBe('queued');
    expect(s.server.last.query.has('wait')).toBe(false);
  });

  it('returns why a message failed', async () => {
    await using s = await stage({
      body: { ...record, state: 'failed', error: { error: 'agent gone', code: 'agent_unreachable' } },
    });
    expect(await s.client.waitForAnswer('m1')).toMatchObject({ status: 'failed', text: 'agent gone' });
  });
});

describe('fetchInbound', () => {
  const row = (id: string, seq: number, more: object = {}) => ({
    id,
    seq,
    workspace_id: SELF,
    activity_type: 'a2a_receive',
    source_id: PEER,
    method: 'message/send',
    created_at: `2026-01-01T00:00:0${seq}Z`,
    request_body: {
      params: {
        message: { role: 'user', messageId: `m-${id}`, parts: [{ kind: 'text', text: `text ${id}` }] },
      },
    },
    ...more,
  });

  it('requests messages with peer information, and sends only defined filters', async () => {
    await using s = await stage({ body: [] });
    await s.client.fetchInbound({ sinceId: '', peerId: '' });
    expect(Object.fromEntries(s.server.last.query)).toEqual({
      type: 'a2a_receive',
      include: 'peer_info',
      limit: '100',
    });
    await s.client.fetchInbound({
      sinceId: SELF,
      peerId: PEER,
      beforeTs: '2026-01-01T00:00:00Z',
      limit: 5,
      sinceSecs: 30,
      waitSecs: 20,
      unacknowledged: true,
      order: 'asc',
    });
    expect(Object.fromEntries(s.server.last.query)).toEqual({
      type: 'a2a_receive',
      include: 'peer_info',
      since_id: SELF,
      peer_id: PEER,
      before_ts: '2026-01-01T00:00:00Z',
      limit: '5',
      since_secs: '30',
      wait: '20',
      unacknowledged: 'true',
      order: 'asc',
    });
    expect(s.server.contractProblems()).toEqual([]);
  });

  it('sorts, skips rows that are not messages and returns the last row', async () => {
    await using s = await stage({
      headers: { 'x-wait-applied': '20', 'x-has-more': 'true' },
      body: [row('c', 3, { method: 'notify', source_id: null }), row('b', 2), null, { seq: 9 }, row('a', 1)],
    });
    const page = await s.client.fetchInboundPage();
    expect(page.messages.map(({ id, text }) => [id, text])).toEqual([
      ['a', 'text a'],
      ['b', 'text b'],
    ]);
    expect(page).toMatchObject({ rows: 5, skipped: 3, lastRowId: 'c', hasMore: true, waitApplied: true });
    expect(s.logger.messages('warn')).toEqual([expect.stringContaining('not objects')]);
  });

  it('supports platforms without these headers, and filters peers itself', async () => {
    await using s = await stage({
      body: { items: [row('a', 1), row('b', 2, { source_id: SELF.replace('0', '1') })] },
    });
    const page = await s.client.fetchInboundPage({ limit: 2, peerId: PEER });
    expect(page).toMatchObject({ rows: 2, skipped: 1, lastRowId: 'b', hasMore: true, waitApplied: false });
    s.server.script({ body: 'null' });
    expect(await s.client.fetchInboundPage()).toMatchObject({
      messages: [],
      rows: 0,
      lastRowId: null,
      hasMore: false,
    });
  });

  it('throws CursorLostError, also after a retry', async () => {
    await using s = await stage([
      { status: 429, headers: { 'retry-after': '1' } },
      { status: 410, body: { error: 'since_id cursor not found' } },
    ]);
    await expect(s.client.fetchInbound({ sinceId: 'a b' })).rejects.toMatchObject({
      name: 'CursorLostError',
      cursor: 'a b',
      code: 'cursor_lost',
    });
    s.server.script({ status: 410, body: { error: 'workspace removed', id: SELF, removed_at: null } });
    await expect(s.client.fetchInbound({ sinceId: 'a' })).rejects.toMatchObject({
      code: 'workspace_removed',
    });
  });

  it('refuses invalid numbers and bodies that are not a feed', async () => {
    await using s = await stage({ body: { error: 'what?' } });
    for (const bad of [{ limit: 0 }, { limit: 501 }, { limit: 1.5 }, { waitSecs: 61 }, { sinceSecs: -1 }]) {
      await expect(s.client.fetchInbound(bad)).rejects.toMatchObject({ code: 'invalid_argument' });
    }
    expect(s.server.requests).toEqual([]);
    await expect(s.client.fetchInbound()).rejects.toMatchObject({ code: 'unexpected_response' });
  });
});

describe('acknowledge', () => {
  it('sends the position, and does not fail if acknowledgements are not supported', async () => {
    await using s = await stage({ body: { status: 'acknowledged', up_to: SELF, seq: 4, acknowledged: 2 } });
    expect(await s.client.acknowledge(SELF)).toEqual({ isSupported: true, acknowledged: 2, outcomes: [] });
    expect(s.server.last).toMatchObject({ path: `/workspaces/${SELF}/activity/ack`, body: { up_to: SELF } });
    expect(s.server.contractProblems()).toEqual([]);
    s.server.script({ status: 404, headers: { 'content-type': 'text/plain' }, body: '404 page not found' });
    expect(await s.client.acknowledge(4)).toEqual({ isSupported: false, acknowledged: 0, outcomes: [] });
    s.server.script({ status: 404, body: { error: 'no row', code: 'activity_not_found' } });
    await expect(s.client.acknowledge(4)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('reply', () => {
  const fromPeer: ReplyTarget = {
    id: 'act-1',
    messageId: 'm-1',
    contextId: 'ctx',
    source: 'peer_agent',
    peerId: PEER,
  };
  const fromUser: ReplyTarget = { ...fromPeer, source: 'canvas_user', peerId: '' };

  it('answers a user through notify, once', async () => {
    await using s = await stage([
      { body: { status: 'sent', activity_id: SELF } },
      { body: { status: 'sent', activity_id: SELF, duplicate: true } },
    ]);
    const first = await s.client.reply(fromUser, ' hello ');
    expect(first).toEqual({ status: 'sent', via: 'notify', messageId: expect.stringMatching(UUID) });
    expect(s.server.last).toMatchObject({
      path: `/workspaces/${SELF}/notify`,
      body: { message: ' hello ', idempotency_key: first.messageId, in_reply_to: 'm-1' },
    });
    expect(await s.client.reply(fromUser, 'other words')).toEqual({ ...first, status: 'duplicate' });
    expect(s.server.contractProblems()).toEqual([]);
  });

  it('answers a peer with role agent, in_reply_to and a stable message id', async () => {
    const accepted = { status: 'answered', message_id: 'm', in_reply_to: 'm-1', delivered_to: 'caller' };
    await using s = await stage([
      { status: 503, body: { error: 'x' } },
      { body: accepted },
      { body: { ...accepted, duplicate: true } },
    ]);
    const sent = await s.client.reply(fromPeer, 'hello');
    expect(s.server.last.path).toBe(`/workspaces/${PEER}/a2a`);
    expect(s.server.last.headers).not.toHaveProperty('x-timeout');
    expect(s.server.last.body).toMatchObject({
      params: {
        message: {
          role: 'agent',
          messageId: sent.messageId,
          contextId: 'ctx',
          metadata: { in_reply_to: 'm-1' },
        },
      },
    });
    expect(await s.client.reply(fromPeer, 'hello')).toEqual({
      status: 'duplicate',
      via: 'a2a',
      messageId: sent.messageId,
    });
    const second = await s.client.reply(fromPeer, 'and more', { idempotencyKey: 'part-2' });
    expect(second.messageId).not.toBe(sent.messageId);
    expect(s.server.contractProblems()).toEqual([]);
  });

  it('uses the row id if the message has no id', async () => {
    await using s = await stage({ status: 202, body: queued });
    expect((await s.client.reply({ ...fromPeer, messageId: '', contextId: '' }, 'x')).status).toBe('sent');
    expect(s.server.last.body).toMatchObject({ params: { message: { metadata: { in_reply_to: 'act-1' } } } });
    expect(s.server.last.rawBody).not.toContain('contextId');
  });

  it.each(['message_id_conflict', 'idempotency_conflict'])('treats %s as already answered', async (code) => {
    await using s = await stage({ status: 409, body: { error: 'x', code } });
    expect((await s.client.reply(fromPeer, 'x')).status).toBe('duplicate');
    expect((await s.client.reply(fromUser, 'x')).status).toBe('duplicate');
    expect(s.logger.messages('warn')).toHaveLength(2);
  });

  it('fails when the peer does not accept it', async () => {
    await using s = await stage({
      body: { jsonrpc: '2.0', id: '1', error: { code: -32601, message: 'no' } },
    });
    await expect(s.client.reply(fromPeer, 'x')).rejects.toMatchObject({ code: 'request_rejected' });
  });

  it.each([
    ['blank text', fromPeer, ' \t\n'],
    ['no text', fromUser, ''],
    ['an unknown sender', { ...fromPeer, source: 'unknown' as const }, 'x'],
    ['a peer without id', { ...fromPeer, peerId: '' }, 'x'],
  ])('refuses %s before any request', async (_name, target, text) => {
    await using s = await stage();
    await expect(s.client.reply(target, text)).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(s.server.requests).toEqual([]);
  });
});

describe('notify', () => {
  it('is repeatable with its own idempotency key', async () => {
    await using s = await stage([{ status: 503 }, { body: { status: 'sent' } }]);
    const attachments = [{ uri: 'workspace:/x', name: 'x' }];
    expect(await s.client.notify('hi', { attachments })).toEqual({
      activityId: '',
      isDuplicate: false,
      isIgnored: false,
    });
    const [first, second] = s.server.requests;
    expect(first?.rawBody).toBe(second?.rawBody);
    expect(s.server.last.body).toEqual({
      message: 'hi',
      attachments,
      idempotency_key: expect.stringMatching(UUID),
    });
    await expect(s.client.notify('  ')).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});

describe('close', () => {
  it('is idempotent and rejects pending calls', async () => {
    await using s = await stage('hang');
    const call = s.client.callPeer(PEER, 'x');
    const ended = expect(call).rejects.toMatchObject({ code: 'client_closed' });
    await s.server.waitForRequests(1);
    await s.client.close();
    await s.client[Symbol.asyncDispose]();
    await ended;
  });
});
