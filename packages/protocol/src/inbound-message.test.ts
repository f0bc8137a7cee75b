import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseActivityFeed } from './inbound-feed.ts';
import { parseActivityRow } from './inbound-message.ts';
import type { JsonObject, JsonValue } from './open-json.ts';

interface Expected {
  activity_id: string;
  source: string;
  source_id: string;
  text: string;
  peer_name: string;
  peer_role: string;
  agent_card_url: string;
}
interface Vectors {
  cases: Array<{
    id: string;
    row: JsonValue;
    expected?: Expected | null;
    recommended?: Partial<Expected> & { deliver?: boolean; note?: string };
  }>;
  fetch_cases: Array<{
    id: string;
    status: number;
    body: JsonValue;
    expected_ids?: string[];
    better?: string;
  }>;
}

const file = new URL('../../../test/vectors/inbound-parse.json', import.meta.url);
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vectors;

/** The name, role and card URL of a peer may also be at the top level of a row. */
const decided: Record<string, Partial<Expected>> = {
  'enrichment-top-level-ignored': { peer_name: 'top', peer_role: 'top', agent_card_url: 'top' },
};

describe('parseActivityRow', () => {
  it.each(vectors.cases)('case $id', ({ id, row, expected, recommended }) => {
    const message = parseActivityRow(row);
    const { deliver, note: _note, ...better } = recommended ?? {};
    if (deliver === false || expected === null || expected === undefined) {
      expect(message).toBeNull();
      return;
    }
    const seen = message && {
      activity_id: message.activityId,
      source: message.source,
      source_id: message.sourceId,
      text: message.text,
      peer_name: message.peerName,
      peer_role: message.peerRole,
      agent_card_url: message.agentCardUrl,
    };
    expect(seen).toEqual({ ...expected, ...better, ...decided[id] });
    expect(message?.id).toBe(message?.activityId);
    expect(message?.raw).toBe(row);
  });

  const message = { role: 'user', messageId: 'm1', contextId: 'c1', parts: [{ kind: 'text', text: 'hi' }] };
  const row = (more: JsonObject = {}, inner: JsonObject = {}, params: JsonObject = {}): JsonObject => ({
    id: 'r1',
    seq: 7,
    workspace_id: 'me',
    activity_type: 'a2a_receive',
    source_id: 'peer',
    method: 'message/send',
    request_body: {
      jsonrpc: '2.0',
      id: 1,
      method: 'message/send',
      params: { ...params, message: { ...message, ...inner } },
    },
    created_at: '2026-05-02T10:15:30.123Z',
    ...more,
  });

  it('fills the whole union', () => {
    expect(parseActivityRow(row({}, { metadata: { a: 1 } }, { metadata: { a: 0, b: 2 } }))).toMatchObject({
      messageId: 'm1',
      contextId: 'c1',
      inReplyTo: '',
      method: 'message/send',
      parts: message.parts,
      metadata: { a: 1, b: 2 },
      source: 'peer_agent',
      peerId: 'peer',
      role: 'user',
      expectsAnswer: true,
      text: 'hi',
      receivedAt: '2026-05-02T10:15:30.123Z',
      seq: 7,
    });
  });

  it('takes data.peer_id for a missing sender', () => {
    const { source_id: _source, ...unsigned } = row();
    const named = { ...unsigned, data: { peer_id: 'peer-2' } };
    const peer = { source: 'peer_agent', sourceId: 'peer-2', peerId: 'peer-2' };
    expect(parseActivityRow(named)).toMatchObject(peer);
    expect(parseActivityRow({ ...named, source_id: null })).toMatchObject(peer);
    expect(parseActivityRow({ ...named, source_id: 'peer' })).toMatchObject({ peerId: 'peer' });
    const canvas = { ...named, data: { peer_id: 'peer-2', source: 'canvas_user' } };
    expect(parseActivityRow(canvas)).toMatchObject({ source: 'canvas_user', sourceId: '', peerId: '' });
  });

  it.each(['', '   ', '\t\n', null, 0, {}])('drops a row whose id is blank: %j', (id) => {
    expect(parseActivityRow(row({ id }))).toBeNull();
    const page = parseActivityFeed([row({ id }), row({ id: 'r2' })]);
    expect(page.rows.map((each) => each.id)).toEqual(['r2']);
    expect(page).toMatchObject({ skipped: 1, lastRowId: 'r2' });
  });

  it('names delegations and cancellations', () => {
    const delegation = { metadata: { delegation_id: 'd1' } };
    expect(parseActivityRow(row({}, delegation))?.method).toBe('delegate_task');
    expect(parseActivityRow(row({ delegation_id: 'd1' }))?.method).toBe('delegate_task');
    expect(parseActivityRow(row({ method: 'tasks/cancel' }))?.method).toBe('cancel_task');
    expect(parseActivityRow(row({ in_reply_to: 'm0' }, delegation))?.method).toBe('message/send');
  });

  it.each(['File this.', '', 7, null, ['a']])('keeps what a task has as message: %j', (message) => {
    const parts = typeof message === 'string' && message !== '' ? [{ kind: 'text', text: message }] : [];
    const compact = {
      id: 'r',
      method: 'delegate_task',
      parts,
      metadata: { a: 1 },
      params: { message, item: 'tea' },
    };
    expect(parseActivityRow(compact)).toMatchObject({
      method: 'delegate_task',
      params: { message, item: 'tea' },
      metadata: { a: 1 },
      text: typeof message === 'string' ? message : '',
    });
  });

  it('carries an answer', () => {
    const answer = parseActivityRow(row({}, { role: 'agent', metadata: { in_reply_to: 'm0' } }));
    expect(answer).toMatchObject({ inReplyTo: 'm0', role: 'agent', params: { result: 'hi' } });
    expect(answer?.expectsAnswer).toBe(false);
    const wrapped = parseActivityRow({
      id: 'r',
      in_reply_to: 'm0',
      params: { result: '[A]x[/A]' },
      source_id: 'p',
    });
    expect(wrapped).toMatchObject({ inReplyTo: 'm0', text: '[A]x[/A]', params: { result: '[A]x[/A]' } });
  });

  it('delivers a message to oneself, but no self-report', () => {
    expect(parseActivityRow(row({ source_id: 'ME' }))?.text).toBe('hi');
    const report = row({ source_id: 'me', request_body: { task: 'did it' } });
    expect(parseActivityRow(report)).toBeNull();
    expect(parseActivityRow({ ...report, workspace_id: null }, { self: 'me' })).toBeNull();
    expect(parseActivityRow({ ...report, source_id: 'peer' })?.text).toBe('did it');
    const cancel = { jsonrpc: '2.0', method: 'tasks/cancel', params: { id: 'm1' } };
    expect(
      parseActivityRow(row({ source_id: 'me', method: 'tasks/cancel', request_body: cancel }))?.method,
    ).toBe('cancel_task');
  });

  it('leaves out what is not inbound', () => {
    expect(parseActivityRow(row({ direction: 'out' }))).toBeNull();
    expect(parseActivityRow(row({ activity_type: 'agent_log' }))).toBeNull();
    expect(parseActivityRow(row({ type: 'delegation' }))).toBeNull();
    expect(parseActivityRow(null)).toBeNull();
  });

  it('survives any JSON', () => {
    for (const junk of [1, 'x', [], {}, null, true]) {
      const odd = {
        id: 'a',
        data: junk,
        request_body: junk,
        params: junk,
        seq: junk,
        source: junk,
        method: junk,
      };
      expect(parseActivityRow(odd)?.id).toBe('a');
    }
  });
});

describe('parseActivityFeed', () => {
  const readable = vectors.fetch_cases.filter((one) => one.status === 200);
  it.each(readable)('case $id', ({ body, expected_ids: ids }) => {
    expect(parseActivityFeed(body).deliverable.map((one) => one.id)).toEqual(ids ?? []);
  });

  it('sorts by seq, then time down to nanoseconds, then id', () => {
    const ids = (rows: JsonObject[]): JsonValue[] =>
      parseActivityFeed(rows).rows.map((one) => one.id ?? null);
    expect(
      ids([
        { id: 'b', seq: 2 },
        { id: 'a', seq: 10 },
        { id: 'c', seq: 1 },
      ]),
    ).toEqual(['c', 'b', 'a']);
    const at = (id: string, ts: string): JsonObject => ({ id, ts });
    expect(
      ids([
        at('d', '2026-05-02T12:00:00+02:00'),
        at('c', '2026-05-02T10:00:00.1000002Z'),
        at('b', '2026-05-02T10:00:00.1000001Z'),
        at('a', '2026-05-02T10:00:00Z'),
      ]),
    ).toEqual(['a', 'd', 'b', 'c']);
    expect(ids([{ id: 'b' }, { id: 'a', ts: '2026-05-02T10:00:00Z' }])).toEqual(['b', 'a']);
  });

  it('moves the cursor past rows that are not messages', () => {
    const feed = parseActivityFeed([
      { id: '1', data: { text: 'x' } },
      { id: '2', method: 'notify', source_id: null },
      'junk',
    ]);
    expect(feed).toMatchObject({ skipped: 2, lastRowId: '2' });
    expect(feed.deliverable).toHaveLength(1);
    expect(parseActivityFeed(undefined)).toEqual({ rows: [], deliverable: [], skipped: 0, lastRowId: null });
  });
});
