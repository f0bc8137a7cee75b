import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';
import { say } from '../../test/scripted-agent.ts';

const NIL_UUID = '00000000-0000-0000-0000-000000000000';

interface Member {
  readonly id: string;
  readonly token: string;
}
interface Row {
  readonly id: string;
  readonly seq: number;
  readonly message_id: string;
  readonly created_at: string;
  readonly direction: string;
}

let running: RunningPlatform;
let asker: Member;
beforeAll(async () => {
  running = await startPlatform({ rateLimit: 1_000_000, synchronous: 'normal' });
  asker = await running.join({ name: 'asker', role: 'asking' });
});
afterAll(() => running.platform.close());

let counter = 0;
const send = (to: Member, from: Member | null = asker, messageId = `f-${++counter}`) =>
  running.call('POST', `/workspaces/${to.id}/a2a`, {
    ...(from === null ? {} : { token: from.token }),
    body: say(`text of ${messageId}`, messageId),
    headers: { 'x-timeout': '0' },
  });

const read = (of: Member, query = '') =>
  running.call('GET', `/workspaces/${of.id}/activity${query}`, { token: of.token });

const idsOf = (rows: readonly Row[]) => rows.map((row) => row.message_id);

describe('paging by since_id', () => {
  it('returns 250 rows as 100, 100 and 50, ascending, without gap or repeat', async () => {
    const reader = await running.join({ name: 'reader' });
    await send(reader, asker, 'before');
    const first = await read(reader);
    const sent = Array.from({ length: 250 }, (_, n) => `row-${n}`);
    for (const messageId of sent) await send(reader, asker, messageId);
    let cursor = String(first.headers['x-next-cursor']);
    const pages: string[][] = [];
    for (;;) {
      const page = await read(reader, `?type=a2a_receive&limit=100&since_id=${cursor}`);
      pages.push(idsOf(page.body));
      cursor = String(page.headers['x-next-cursor']);
      if (page.headers['x-has-more'] === 'false') break;
    }
    expect(pages.map((page) => page.length)).toEqual([100, 100, 50]);
    expect(pages.flat()).toEqual(sent);
    const empty = await read(reader, `?since_id=${cursor}`);
    expect(empty.body).toEqual([]);
    expect(empty.headers['x-next-cursor']).toBe(cursor);
  });

  it.each([
    ['the nil UUID', async () => NIL_UUID],
    ['an unknown id', async () => '11111111-2222-4333-8444-555555555555'],
    ['no UUID at all', async () => 'garbage'],
    ["another workspace's row", async (other: Member) => (await read(other)).body[0].id],
  ])('is 410 for %s', async (_name, cursorOf) => {
    const reader = await running.join({ name: 'reader' });
    const other = await running.join({ name: 'other' });
    await send(other);
    const answer = await read(reader, `?since_id=${await cursorOf(other)}`);
    expect(answer).toMatchObject({ status: 410, body: { code: 'cursor_not_found' } });
  });
});

describe('filters', () => {
  let reader: Member;
  let peer: Member;
  beforeAll(async () => {
    reader = await running.join({ name: 'reader' });
    peer = await running.join({ name: 'peer', role: 'writer' });
    await send(reader, asker, 'from-asker');
    await send(reader, null, 'from-canvas');
    await send(reader, peer, 'from-peer');
    await running.call('POST', `/workspaces/${reader.id}/notify`, {
      token: reader.token,
      body: { message: 'said' },
    });
    await running.call('POST', `/workspaces/${reader.id}/activity`, {
      token: reader.token,
      body: { activity_type: 'task_update', summary: 'working' },
    });
  });

  it('default to newest first, all types and both directions', async () => {
    const { body, headers } = await read(reader);
    expect(body.map((row: Row & { type: string }) => [row.type, row.direction])).toEqual([
      ['task_update', 'out'],
      ['a2a_receive', 'out'],
      ['a2a_receive', 'in'],
      ['a2a_receive', 'in'],
      ['a2a_receive', 'in'],
    ]);
    expect(headers['x-next-cursor']).toBe(body[0].id);
  });

  it('with type=a2a_receive return inbound rows, unless a direction is given', async () => {
    const inbound = ['from-asker', 'from-canvas', 'from-peer'];
    expect(idsOf((await read(reader, '?type=a2a_receive')).body)).toEqual(inbound);
    expect((await read(reader, '?type=a2a_receive&direction=all')).body).toHaveLength(4);
    expect((await read(reader, '?type=a2a_receive&direction=out')).body[0].data.text).toBe('said');
    expect((await read(reader, '?type=nonsense')).body).toEqual([]);
  });

  it('by source, peer, order, limit and time', async () => {
    expect(idsOf((await read(reader, '?source=canvas&direction=in')).body)).toEqual(['from-canvas']);
    expect(idsOf((await read(reader, '?source=agent&direction=in&order=asc')).body)).toEqual([
      'from-asker',
      'from-peer',
    ]);
    expect(idsOf((await read(reader, `?peer_id=${peer.id.toUpperCase()}`)).body)).toEqual(['from-peer']);
    const limited = await read(reader, '?limit=2');
    expect(limited.body).toHaveLength(2);
    expect(limited.headers['x-has-more']).toBe('true');
    const [newest] = (await read(reader, '?type=a2a_receive&order=desc')).body as Row[];
    const before = await read(reader, `?type=a2a_receive&before_ts=${newest?.created_at}`);
    expect(idsOf(before.body)).not.toContain('from-peer');
    expect((await read(reader, '?since_secs=3600&type=a2a_receive')).body).toHaveLength(3);
    expect((await read(reader, '?before_ts=2020-01-01T00:00:00Z')).body).toEqual([]);
    expect((await read(reader, '?limit=0')).body).toHaveLength(5);
    expect((await read(reader, '?before_ts=2099-01-01T00:00:00%2B02:00&limit=3')).body).toHaveLength(3);
  });

  it('name the peer in data and at the top of the row', async () => {
    const [row] = (await read(reader, `?peer_id=${peer.id}&include=peer_info`)).body;
    const card = `${running.platform.url}/registry/discover/${peer.id}`;
    const enrichment = { peer_name: 'peer', peer_role: 'writer', agent_card_url: card };
    expect(row).toMatchObject({
      ...enrichment,
      data: { ...enrichment, peer_id: peer.id, activity_id: row.id },
    });
  });

  it.each([
    ['peer_id=nobody', 'peer_id'],
    ['before_ts=yesterday', 'before_ts'],
    ['before_ts=2026-13-01T00:00:00Z', 'before_ts'],
    ['since_secs=0', 'since_secs'],
    ['since_secs=-5', 'since_secs'],
    ['since_secs=x', 'since_secs'],
    ['source=peer', 'source'],
    ['order=newest', 'order'],
    ['direction=both', 'direction'],
    ['wait=61', 'wait'],
    ['wait=soon', 'wait'],
    ['unacknowledged=maybe', 'unacknowledged'],
  ])('that are invalid are 400: %s', async (query, field) => {
    expect(await read(reader, `?${query}`)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', field },
    });
  });

  it('are allowed for the workspace itself and operators', async () => {
    const path = `/workspaces/${reader.id}/activity`;
    expect((await running.call('GET', path)).status).toBe(200);
    expect((await running.call('GET', path, { token: asker.token })).status).toBe(401);
    expect((await running.call('GET', `/workspaces/${NIL_UUID}/activity`)).status).toBe(404);
  });
});

describe('acknowledging', () => {
  const ack = (of: Member, up_to: unknown) =>
    running.call('POST', `/workspaces/${of.id}/activity/ack`, { token: of.token, body: { up_to } });
  const pending = async (of: Member) => {
    const body = { workspace_id: of.id };
    return (await running.call('POST', '/registry/heartbeat', { token: of.token, body })).body.pending;
  };

  it('moves the position forward only, and returns how many rows it covers', async () => {
    const reader = await running.join({ name: 'reader' });
    for (const messageId of ['a1', 'a2', 'a3']) await send(reader, asker, `${messageId}-${reader.id}`);
    const rows = (await read(reader, '?unacknowledged=true')).body as Row[];
    expect(rows.map((row) => row.seq)).toEqual([...rows.map((row) => row.seq)].sort((a, b) => a - b));
    expect(await pending(reader)).toBe(3);
    const [first, second] = rows;
    expect(await ack(reader, second?.id)).toMatchObject({
      status: 200,
      body: { status: 'acknowledged', up_to: second?.id, seq: second?.seq, acknowledged: 2 },
    });
    expect((await ack(reader, first?.seq)).body).toMatchObject({ up_to: second?.id, acknowledged: 0 });
    expect(idsOf((await read(reader, '?unacknowledged=true')).body)).toEqual([`a3-${reader.id}`]);
    expect(await pending(reader)).toBe(1);
    const look = `/workspaces/${asker.id}/messages/a1-${reader.id}`;
    expect((await running.call('GET', look)).body.state).toBe('unanswered');
    expect((await ack(reader, 1_000_000_000)).body.acknowledged).toBe(1);
    expect(await pending(reader)).toBe(0);
  });

  it('is not implied by an answer', async () => {
    const reader = await running.join({ name: 'reader' });
    for (const n of [1, 2]) await send(reader, asker, `b${n}-${reader.id}`);
    const reply = say('answer', `b3-${reader.id}`, { in_reply_to: `b2-${reader.id}` });
    await running.call('POST', `/workspaces/${asker.id}/a2a`, { token: reader.token, body: reply });
    const open = (await read(reader, '?unacknowledged=true')).body;
    expect(open).toMatchObject([{ delivery_state: 'pending' }, { delivery_state: 'answered' }]);
    expect(await pending(reader)).toBe(1);
    await ack(reader, open[1].id);
    expect((await read(reader, '?unacknowledged=true')).body).toEqual([]);
    expect((await read(reader, '?order=asc')).body).toMatchObject([
      { delivery_state: 'unanswered' },
      { delivery_state: 'answered' },
    ]);
  });

  it('is 404 for a row the feed does not have, and 400 without one', async () => {
    const reader = await running.join({ name: 'reader' });
    const foreign = (await read(asker)).body[0]?.id ?? NIL_UUID;
    for (const upTo of [NIL_UUID, foreign, 'garbage', 0]) {
      expect(await ack(reader, upTo)).toMatchObject({ status: 404, body: { code: 'activity_not_found' } });
    }
    expect(await ack(reader, undefined)).toMatchObject({ status: 400, body: { field: 'up_to' } });
  });
});

describe('reporting', () => {
  const report = (of: Member, body: unknown) =>
    running.call('POST', `/workspaces/${of.id}/activity`, { token: of.token, body });

  it('stores what the agent reports about itself, never as inbound', async () => {
    const reader = await running.join({ name: 'reader' });
    const body = {
      activity_type: 'a2a_receive',
      summary: 'done',
      metadata: { task: 't' },
      duration_ms: 12.5,
    };
    const answer = await report(reader, body);
    expect(answer).toMatchObject({ status: 200, body: { status: 'logged' } });
    expect((await read(reader, '?type=a2a_receive')).body).toEqual([]);
    const [row] = (await read(reader)).body;
    expect(row).toMatchObject({
      id: answer.body.activity_id,
      direction: 'out',
      source_id: reader.id,
      request_body: { task: 't' },
      duration_ms: 12.5,
      status: 'ok',
    });
  });

  it('refuses other sources and unknown types', async () => {
    const reader = await running.join({ name: 'reader' });
    const foreign = { activity_type: 'error', source_id: asker.id };
    expect(await report(reader, foreign)).toMatchObject({ status: 403, body: { code: 'source_mismatch' } });
    expect(await report(reader, { activity_type: 'delegation' })).toMatchObject({
      status: 400,
      body: { field: 'activity_type' },
    });
  });
});
