import { describe, expect, it } from 'vitest';
import { PEER, SELF } from '../../test/agent-ids.ts';
import { STREAMING } from '../../test/streamed-response.ts';
import { stage } from '../../test/test-client.ts';
import type { ReplyTarget } from './reply.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

describe('callPeer', () => {
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

  it('refuses invalid numbers and bodies that are not a feed', async () => {
    await using s = await stage({ body: { error: 'what?' } });
    for (const bad of [{ limit: 0 }, { limit: 501 }, { limit: 1.5 }, { waitSecs: 61 }, { sinceSecs: -1 }]) {
      await expect(s.client.fetchInbound(bad)).rejects.toMatchObject({ code: 'invalid_argument' });
    }
    expect(s.server.requests).toEqual([]);
    await expect(s.client.fetchInbound()).rejects.toMatchObject({ code: 'unexpected_response' });
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

  it.each(['message_id_conflict', 'idempotency_conflict'])('treats %s as already answered', async (code) => {
    await using s = await stage({ status: 409, body: { error: 'x', code } });
    expect((await s.client.reply(fromPeer, 'x')).status).toBe('duplicate');
    expect((await s.client.reply(fromUser, 'x')).status).toBe('duplicate');
    expect(s.logger.messages('warn')).toHaveLength(2);
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
