import { randomUUID } from 'node:crypto';
import { NIL_UUID } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { type HttpResponse, rowsOf, textAt, trackCall, valueAt } from './harness/http.ts';
import { heartbeat, inbox, inboxTexts, type Member, onboard, send } from './harness/members.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function feed(member: Member, query: string): Promise<HttpResponse> {
  return member.caller.get(`/workspaces/${member.id}/activity?${query}`);
}

function texts(answer: HttpResponse): string[] {
  return rowsOf(answer).map((row) => textAt(row, 'data', 'text'));
}

onEachDatabase('reading the feed', (environment) => {
  verifies('feed.cursor.gone', 'cursor: gone', async () => {
    const platform = await environment.platform();
    const [member, other] = [await onboard(platform), await onboard(platform)];
    await send(platform.operator, other.id, 'for the other');
    const [foreign] = await inbox(other);
    for (const cursor of [NIL_UUID, randomUUID(), textAt(foreign, 'id'), 'garbage']) {
      expect(await feed(member, `since_id=${cursor}`), cursor).toMatchObject({
        status: 410,
        body: { code: 'cursor_not_found' },
      });
    }
  });

  verifies('requests.invalid-are-400', 'bad query is 400', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const bad = [
      ['before_ts', 'yesterday'],
      ['before_ts', '2026-13-01T00:00:00Z'],
      ['before_ts', '1730000000'],
      ['peer_id', 'ops'],
      ['since_secs', '0'],
      ['since_secs', '-5'],
      ['since_secs', 'ten'],
      ['source', 'peer'],
      ['order', 'up'],
      ['direction', 'sideways'],
      ['wait', 'long'],
      ['wait', '61'],
    ];
    for (const [field, value] of bad) {
      const answer = await feed(member, `${field}=${value}`);
      expect(answer, `${field}=${value}`).toMatchObject({
        status: 400,
        body: { code: 'invalid_request', field },
      });
    }
  });

  verifies('messages.order', 'pages without gaps', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const first = await send(platform.operator, member.id, '0');
    const expected = Array.from({ length: 250 }, (_, index) => `${index + 1}`);
    for (const text of expected) await send(platform.operator, member.id, text);
    const pages: string[][] = [];
    let cursor = textAt(first.body, 'activity_id');
    for (let hasMore = true; hasMore; ) {
      const page = await feed(member, `type=a2a_receive&limit=100&since_id=${cursor}`);
      pages.push(texts(page));
      cursor = textAt(page.headers, 'x-next-cursor');
      hasMore = page.headers['x-has-more'] === 'true';
    }
    expect(pages.map((page) => page.length)).toEqual([100, 100, 50]);
    expect(pages.flat()).toEqual(expected);
    expect(texts(await feed(member, `since_id=${cursor}`))).toEqual([]);
  });

  verifies('messages.order', 'paging while messages arrive', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const first = await send(platform.operator, member.id, 'start');
    const count = 60;
    const sending = Promise.all(
      Array.from({ length: count }, (_, index) => send(platform.operator, member.id, `${index}`)),
    );
    const seen: string[] = [];
    let cursor = textAt(first.body, 'activity_id');
    while (seen.length < count) {
      const page = await feed(member, `type=a2a_receive&limit=7&wait=30&since_id=${cursor}`);
      seen.push(...texts(page));
      cursor = textAt(page.headers, 'x-next-cursor');
    }
    await sending;
    expect([...new Set(seen)]).toHaveLength(count);
    expect((await inboxTexts(member)).slice(1)).toEqual(seen);
  });

  verifies('feed.row-superset', 'row superset', async () => {
    const platform = await environment.platform();
    const peer = await onboard(platform, { name: 'ops', role: 'sre' });
    const member = await onboard(platform);
    const headers = { 'x-trace': 'ignored' };
    await send(peer.caller, member.id, 'hi', {
      messageId: 'm-1',
      contextId: 'c-1',
      metadata: { trace_id: 't-1' },
      headers,
    });
    const [row] = await inbox(member);
    const id = textAt(row, 'id');
    const created = textAt(row, 'created_at');
    const enrichment = {
      peer_name: 'ops',
      peer_role: 'sre',
      agent_card_url: `${platform.url}/registry/discover/${peer.id}`,
    };
    expect(row).toMatchObject({
      workspace_id: member.id,
      seq: expect.any(Number),
      activity_type: 'a2a_receive',
      type: 'a2a_receive',
      source: 'peer_agent',
      source_id: peer.id,
      target_id: member.id,
      direction: 'in',
      method: 'message/send',
      summary: expect.any(String),
      request_body: { jsonrpc: '2.0', method: 'message/send', params: { message: { messageId: 'm-1' } } },
      ts: created,
      message_id: 'm-1',
      context_id: 'c-1',
      trace_id: 't-1',
      delivery_state: expect.stringMatching(/^(pending|delivered)$/),
      ...enrichment,
      data: {
        source: 'peer_agent',
        kind: 'peer_agent',
        text: 'hi',
        peer_id: peer.id,
        activity_id: id,
        ...enrichment,
      },
    });
  });

  verifies('feed.row-superset', 'people are canvas users', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    await send(platform.operator, member.id, 'from a human');
    expect(await inbox(member)).toMatchObject([
      { source: 'canvas_user', source_id: null, data: { source: 'canvas_user', text: 'from a human' } },
    ]);
  });

  verifies(
    ['feed.inbound-is-the-default', 'feed.report'],
    'inbound is the default; history is all; report: is logged',
    async () => {
      const platform = await environment.platform();
      const member = await onboard(platform);
      const at = `/workspaces/${member.id}`;
      await send(platform.operator, member.id, 'question');
      expect((await member.caller.post(`${at}/notify`, { message: 'answer' })).status).toBe(200);
      const report = { activity_type: 'a2a_receive', summary: 'worked', metadata: { task: 'x' } };
      expect(await member.caller.post(`${at}/activity`, report)).toMatchObject({
        status: 200,
        body: { status: 'logged' },
      });
      expect(await inboxTexts(member)).toEqual(['question']);
      const history = rowsOf(await feed(member, 'type=a2a_receive&direction=all&order=asc'));
      expect(history.map((row) => row.direction)).toEqual(['in', 'out', 'out']);
      expect(history[1]).toMatchObject({ method: 'notify', data: { text: 'answer' } });
      expect(history[2]).toMatchObject({ summary: 'worked', source_id: member.id });
    },
  );

  verifies(['feed.filters', 'feed.order'], 'filters; newest first without a cursor', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const [peer, other, member] = [await onboard(platform), await onboard(platform), await onboard(platform)];
    await send(peer.caller, member.id, 'old');
    await platform.clock.advance(60_000);
    const cut = new Date(platform.clock.now() - 30_000).toISOString();
    await send(other.caller, member.id, 'newer');
    await send(platform.operator, member.id, 'human');
    const read = async (query: string) => texts(await feed(member, `type=a2a_receive&${query}`));
    expect(await read('order=desc')).toEqual(['human', 'newer', 'old']);
    expect(await read('order=asc')).toEqual(['old', 'newer', 'human']);
    const path = `/workspaces/${member.id}/activity`;
    const byOperator = await platform.operator.get(`${path}?type=a2a_receive`);
    expect(texts(byOperator)).toEqual(['human', 'newer', 'old']);
    expect(texts(await feed(member, 'direction=in'))).toEqual(['human', 'newer', 'old']);
    expect(await read('limit=1')).toEqual(['human']);
    expect(await read(`peer_id=${peer.id}`)).toEqual(['old']);
    expect(await read(`peer_id=${peer.id.toUpperCase()}`)).toEqual(['old']);
    expect(await read('source=canvas')).toEqual(['human']);
    expect(await read('source=agent')).toEqual(['old', 'newer']);
    expect(await read(`before_ts=${encodeURIComponent(cut)}`)).toEqual(['old']);
    expect(await read('since_secs=30')).toEqual(['newer', 'human']);
    expect(rowsOf(await feed(member, 'type=agent_log'))).toEqual([]);
    const [oldest] = await inbox(member);
    const cursor = `since_id=${textAt(oldest, 'id')}`;
    expect(texts(await feed(member, cursor))).toEqual(['newer', 'human']);
    expect(texts(await platform.operator.get(`${path}?${cursor}`))).toEqual(['newer', 'human']);
  });

  verifies('feed.order', 'oldest first for its agent', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const member = await onboard(platform);
    await send(platform.operator, member.id, '1');
    await platform.clock.advance(60_000);
    for (const text of ['2', '3', '4']) await send(platform.operator, member.id, text);
    const read = (query: string) => feed(member, `type=a2a_receive${query}`);
    const newest = await read('&limit=3');
    expect(texts(newest)).toEqual(['2', '3', '4']);
    const cursor = textAt(newest.body, 2, 'id');
    expect(newest.headers).toMatchObject({ 'x-has-more': 'false', 'x-next-cursor': cursor });
    expect(texts(await read(`&since_id=${cursor}`))).toEqual([]);
    const unread = await read('&limit=3&unacknowledged=true');
    expect(texts(unread)).toEqual(['1', '2', '3']);
    expect(unread.headers['x-has-more']).toBe('true');
    expect(texts(await read('&since_id='))).toEqual(['1', '2', '3', '4']);
    const unknown = await read('&since_id=00000000-0000-4000-8000-000000000000');
    expect(unknown).toMatchObject({ status: 410, body: { code: 'cursor_not_found' } });
    expect(textAt(unknown.body, 'hint')).toMatch(/^Read again with unacknowledged=true/);
    expect(texts(await read('&since_secs=30&limit=2'))).toEqual(['2', '3']);
    const before = encodeURIComponent(new Date(platform.clock.now() + 1).toISOString());
    expect(texts(await read(`&limit=2&before_ts=${before}`))).toEqual(['3', '4']);
  });
});

onEachDatabase('the feed of a paused workspace', { onDisk: true }, (environment) => {
  const pause = (platform: RunningPlatform, { id }: Member) =>
    platform.operator.post(`/workspaces/${id}/pause`);
  const resume = (platform: RunningPlatform, { id }: Member) =>
    platform.operator.post(`/workspaces/${id}/resume`);

  verifies('messages.paused.is-held', 'paused: hidden until the resume', async () => {
    const platform = await environment.platform();
    const [member, peer] = [await onboard(platform), await onboard(platform)];
    await send(peer.caller, member.id, 'before');
    await pause(platform, member);
    const [before] = await inbox(member);
    for (const text of ['one', 'two']) {
      expect(await send(peer.caller, member.id, text)).toMatchObject({ status: 202, body: { held: true } });
    }
    await member.caller.post(`/workspaces/${member.id}/notify`, { message: 'still here' });
    await platform.restart();
    const cursor = `since_id=${textAt(before, 'id')}`;
    const path = `/workspaces/${member.id}/activity`;
    const all = rowsOf(await platform.operator.get(`${path}?type=a2a_receive&order=asc`));
    expect(all).toHaveLength(3);
    for (const query of ['', 'unacknowledged=true', 'since_secs=60', 'order=desc', `peer_id=${peer.id}`]) {
      expect(texts(await feed(member, `type=a2a_receive&${query}`)), query).toEqual(['before']);
    }
    expect(texts(await feed(member, 'direction=all&order=asc'))).toEqual(['before']);
    const page = await feed(member, `type=a2a_receive&${cursor}`);
    expect([page.body, page.headers['x-next-cursor']]).toEqual([[], textAt(before, 'id')]);
    expect((await member.caller.get(`${path}/${textAt(all[1], 'id')}`)).status).toBe(404);
    expect((await platform.operator.get(`${path}/${textAt(all[1], 'id')}`)).status).toBe(200);
    await resume(platform, member);
    expect(texts(await feed(member, `type=a2a_receive&${cursor}`))).toEqual(['one', 'two']);
    expect(texts(await feed(member, 'direction=all&order=asc'))).toHaveLength(4);
  });

  verifies('messages.paused.is-held', 'paused: wait ends with the resume', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const member = await onboard(platform);
    await pause(platform, member);
    const read = trackCall(feed(member, 'type=a2a_receive&unacknowledged=true&wait=30'));
    await platform.clock.advance(1_000);
    await send(platform.operator, member.id, 'held');
    await platform.clock.advance(1_000);
    expect(read.isComplete).toBe(false);
    await resume(platform, member);
    expect(texts(await read.response)).toEqual(['held']);
  });

  verifies('messages.paused.is-held', 'paused: not acknowledged', async () => {
    const platform = await environment.platform();
    const [member, peer] = [await onboard(platform), await onboard(platform)];
    await send(peer.caller, member.id, 'before', { messageId: 'before' });
    await pause(platform, member);
    await send(peer.caller, member.id, 'hidden', { messageId: 'hidden' });
    const path = `/workspaces/${member.id}/activity`;
    const rows = rowsOf(await platform.operator.get(`${path}?type=a2a_receive&order=asc`));
    const hidden = textAt(rows[1], 'id');
    const ack = (body: object) => member.caller.post(`${path}/ack`, body);
    expect(await ack({ up_to: hidden })).toMatchObject({
      status: 404,
      body: { code: 'activity_not_found', field: 'up_to' },
    });
    const outcomes = [{ activity_id: hidden, outcome: 'failed' }];
    expect(await ack({ up_to: rows[1]?.seq, outcomes })).toMatchObject({
      status: 200,
      body: {
        up_to: textAt(rows[0], 'id'),
        seq: rows[0]?.seq,
        acknowledged: 1,
        outcomes: [{ activity_id: hidden, state: 'unknown' }],
      },
    });
    const stateOf = async (id: string) =>
      valueAt((await peer.caller.get(`/workspaces/${peer.id}/messages/${id}`)).body, 'state');
    expect([await stateOf('before'), await stateOf('hidden')]).toEqual(['unanswered', 'queued']);
    await resume(platform, member);
    expect(await ack({ outcomes })).toMatchObject({ body: { outcomes: [{ state: 'failed' }] } });
    expect(await stateOf('hidden')).toBe('failed');
  });

  verifies('cancel.control-rows', 'paused: cancellations', async () => {
    const platform = await environment.platform();
    const [member, peer] = [await onboard(platform), await onboard(platform)];
    await send(peer.caller, member.id, 'long work', { messageId: 'long' });
    await pause(platform, member);
    const cancel = { jsonrpc: '2.0', id: 1, method: 'tasks/cancel', params: { id: 'long' } };
    expect((await peer.caller.post(`/workspaces/${member.id}/a2a`, cancel)).status).toBe(200);
    expect(rowsOf(await feed(member, 'only=control'))).toMatchObject([{ message_id: 'long' }]);
  });
});

onEachDatabase('acknowledging', (environment) => {
  const ack = (member: Member, upTo: unknown) =>
    member.caller.post(`/workspaces/${member.id}/activity/ack`, { up_to: upTo });

  verifies('feed.ack.covers-the-prefix', 'ack: inbound only', async () => {
    const platform = await environment.platform();
    const [member, peer] = [await onboard(platform), await onboard(platform)];
    const path = `/workspaces/${member.id}`;
    await member.caller.post(`${path}/notify`, { message: 'before everything' });
    const [first] = rowsOf(await member.caller.get(`${path}/activity`));
    expect(await ack(member, first?.seq)).toMatchObject({ status: 404 });
    await send(peer.caller, member.id, 'hello');
    await member.caller.post(`${path}/notify`, { message: 'on it' });
    await member.caller.post(`${path}/activity`, { activity_type: 'a2a_receive', summary: 'my own' });
    const rows = rowsOf(await member.caller.get(`${path}/activity?order=asc`));
    const [, hello, ...others] = rows;
    expect(others).toHaveLength(2);
    for (const row of others) {
      const id = textAt(row, 'id');
      expect(await ack(member, id)).toMatchObject({
        status: 400,
        body: { code: 'invalid_request', field: 'up_to' },
      });
      const outcomes = [{ activity_id: id, outcome: 'failed' }];
      expect(await member.caller.post(`${path}/activity/ack`, { outcomes })).toMatchObject({
        status: 200,
        body: { up_to: null, seq: 0, outcomes: [{ activity_id: id, state: 'unknown' }] },
      });
    }
    expect(await inboxTexts(member, '&unacknowledged=true')).toEqual(['hello']);
    expect(await ack(member, others[1]?.seq)).toMatchObject({
      status: 200,
      body: { up_to: textAt(hello, 'id'), seq: hello?.seq, acknowledged: 1 },
    });
  });

  verifies(
    ['feed.ack.covers-the-prefix', 'feed.ack.pending-and-unacknowledged'],
    'ack: covers the prefix; ack: pending and unacknowledged',
    async () => {
      const platform = await environment.platform();
      const member = await onboard(platform);
      for (const text of ['1', '2', '3', '4']) await send(platform.operator, member.id, text);
      const rows = await inbox(member);
      const pending = async () => {
        const beat = await member.caller.post('/registry/heartbeat', { workspace_id: member.id });
        return (beat.body as { pending: number }).pending;
      };
      expect(await pending()).toBe(4);
      expect(await ack(member, textAt(rows[1], 'id'))).toMatchObject({
        status: 200,
        body: { status: 'acknowledged', up_to: textAt(rows[1], 'id'), acknowledged: 2 },
      });
      expect(await pending()).toBe(2);
      expect(await inboxTexts(member, '&unacknowledged=true')).toEqual(['3', '4']);
      expect(await ack(member, textAt(rows[0], 'id'))).toMatchObject({
        status: 200,
        body: { up_to: textAt(rows[1], 'id'), acknowledged: 0 },
      });
      expect(await ack(member, rows[3]?.seq)).toMatchObject({ status: 200, body: { acknowledged: 2 } });
      expect(await pending()).toBe(0);
      expect(await inboxTexts(member)).toEqual(['1', '2', '3', '4']);
    },
  );

  verifies('feed.ack.pending-and-unacknowledged', 'ack: answered is not acknowledged', async () => {
    const platform = await environment.platform();
    const [member, peer] = [await onboard(platform), await onboard(platform)];
    await send(peer.caller, member.id, 'first', { messageId: 'm-1' });
    await send(peer.caller, member.id, 'second', { messageId: 'm-2' });
    const reply = { role: 'agent', metadata: { in_reply_to: 'm-2' } } as const;
    await send(member.caller, peer.id, 'the answer', reply);
    const open = await inbox(member, '&unacknowledged=true');
    expect(open).toMatchObject([
      { message_id: 'm-1', delivery_state: 'pending' },
      { message_id: 'm-2', delivery_state: 'answered' },
    ]);
    expect((await heartbeat(member)).body).toMatchObject({ pending: 1 });
    await ack(member, textAt(open[0], 'id'));
    expect(await inboxTexts(member, '&unacknowledged=true')).toEqual(['second']);
    await ack(member, textAt(open[1], 'id'));
    expect(await inboxTexts(member, '&unacknowledged=true')).toEqual([]);
    expect((await inbox(member))[1]).toMatchObject({ message_id: 'm-2', delivery_state: 'answered' });
  });

  verifies('feed.ack.covers-the-prefix', 'ack: unknown row', async () => {
    const platform = await environment.platform();
    const [member, other] = [await onboard(platform), await onboard(platform)];
    await send(platform.operator, member.id, 'mine');
    await send(platform.operator, other.id, 'not mine');
    const [foreign] = await inbox(other);
    for (const upTo of [randomUUID(), textAt(foreign, 'id')]) {
      const answer = await ack(member, upTo);
      expect(answer, upTo).toMatchObject({ status: 404, body: { code: 'activity_not_found' } });
    }
    for (const upTo of [null, '', {}, -1]) expect((await ack(member, upTo)).status).toBe(400);
    expect(await inboxTexts(member, '&unacknowledged=true')).toEqual(['mine']);
  });

  verifies(
    ['feed.retention', 'feed.cursor.gone'],
    'ack: keeps unacknowledged rows; cursor: rotated out',
    async () => {
      const platform = await environment.platform({ clock: 'manual', limits: { messageTtlMs: 30 * DAY } });
      const member = await onboard(platform);
      for (const text of ['1', '2', '3']) await send(platform.operator, member.id, text);
      const [first, second, third] = await inbox(member);
      await ack(member, textAt(second, 'id'));
      await platform.clock.advance(13 * HOUR);
      expect(await inboxTexts(member)).toEqual(['1', '2', '3']);
      platform.clock.jump(8 * DAY);
      // Read, and not acknowledged by anybody in the last 24 hours.
      expect(texts(await feed(member, `type=a2a_receive&since_id=${textAt(third, 'id')}`))).toEqual([]);
      await platform.clock.advance(13 * HOUR);
      expect(await inboxTexts(member)).toEqual(['3']);
      expect(await feed(member, `since_id=${textAt(first, 'id')}`)).toMatchObject({
        status: 410,
        body: { code: 'cursor_not_found' },
      });
      expect(await inboxTexts(member, '&unacknowledged=true')).toEqual(['3']);
      platform.clock.jump(23 * DAY);
      await platform.clock.advance(HOUR);
      expect(await inboxTexts(member)).toEqual([]);
      platform.clock.jump(8 * DAY);
      await platform.clock.advance(HOUR);
      const path = `/workspaces/${member.id}/activity?type=a2a_receive`;
      expect(rowsOf(await platform.operator.get(path))).toEqual([]);
    },
  );
});

onEachDatabase('notifying and reporting', (environment) => {
  verifies('notify.reaches-the-history', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const message = '🧪'.repeat(81);
    expect(await member.caller.post(`/workspaces/${member.id}/notify`, { message })).toMatchObject({
      status: 200,
      body: { status: 'sent' },
    });
    expect(await inbox(member)).toEqual([]);
    const [row] = rowsOf(await feed(member, 'type=a2a_receive&direction=all'));
    expect(row).toMatchObject({ direction: 'out', method: 'notify', data: { text: message } });
    expect(textAt(row, 'summary')).not.toContain('\ufffd');
  });

  verifies('notify.idempotency-key', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const path = `/workspaces/${member.id}/notify`;
    const first = await member.caller.post(path, { message: 'once', idempotency_key: 'k-1' });
    const second = await member.caller.post(path, { message: 'once', idempotency_key: 'k-1' });
    expect(second).toMatchObject({
      status: 200,
      body: { status: 'sent', duplicate: true, activity_id: textAt(first.body, 'activity_id') },
    });
    expect(await member.caller.post(path, { message: 'other', idempotency_key: 'k-1' })).toMatchObject({
      status: 409,
      body: { code: 'idempotency_conflict' },
    });
    expect(rowsOf(await feed(member, 'direction=all'))).toHaveLength(1);
  });

  verifies('requests.invalid-are-400', 'needs a message', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    for (const body of [
      {},
      { message: '' },
      { message: 7 },
      { message: 'x', attachments: [{ uri: 'https://f/' }] },
    ]) {
      const answer = await member.caller.post(`/workspaces/${member.id}/notify`, body);
      expect(answer.status, JSON.stringify(body)).toBe(400);
    }
    const file = {
      uri: 'https://files.example.com/a.zip',
      name: 'a.zip',
      mimeType: 'application/zip',
      size: 3,
    };
    const sent = await member.caller.post(`/workspaces/${member.id}/notify`, {
      message: 'see',
      attachments: [file],
    });
    expect(sent.status).toBe(200);
    expect(rowsOf(await feed(member, 'direction=all'))).toMatchObject([{ attachments: [file] }]);
  });

  verifies('feed.report', 'report: source must be self', async () => {
    const platform = await environment.platform();
    const [member, other] = [await onboard(platform), await onboard(platform)];
    const path = `/workspaces/${member.id}/activity`;
    expect(await member.caller.post(path, { activity_type: 'agent_log', source_id: other.id })).toMatchObject(
      {
        status: 403,
        body: { code: 'source_mismatch' },
      },
    );
    expect((await member.caller.post(path, { activity_type: 'gossip' })).status).toBe(400);
    expect(
      (await member.caller.post(path, { activity_type: 'agent_log', source_id: member.id })).status,
    ).toBe(200);
  });
});
