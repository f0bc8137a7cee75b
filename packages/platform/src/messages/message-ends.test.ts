import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { openFolder, openPlatform } from '../../test/resources-of-test.ts';
import type { RunningPlatform } from '../../test/running-platform.ts';
import { eventually, say } from '../../test/scripted-agent.ts';
import { PlatformDatabase } from '../database/platform-database.ts';
import { openSqliteDialect } from '../database/sqlite-dialect.ts';
import { parseSentQuery } from './asked-messages.ts';
import { expiryOf } from './delivery.rules.ts';
import { createMessageStore } from './message.store.ts';
import { deliveryFailure, endOfResponse, reportedEnd } from './outcome.ts';
import { toResponse } from './response.ts';

interface Member {
  readonly id: string;
  readonly token: string;
}

const send = (running: RunningPlatform, from: Member, to: Member, body: unknown) =>
  running.call('POST', `/workspaces/${to.id}/a2a`, {
    token: from.token,
    body,
    headers: { 'x-timeout': '0' },
  });

describe('the end of a message', () => {
  it('is its expiry when an agent reports or acknowledges after its deadline', async () => {
    const clock = new ManualClock();
    const running = await openPlatform({ clock, mode: 'dev' });
    const asker = await running.join({ name: 'asker' });
    const agent = await running.join({ name: 'agent' });
    const deadline = new Date(clock.now() + 60_000).toISOString();
    for (const id of ['reported', 'acknowledged'])
      await send(running, asker, agent, say(id, id, { deadline }));
    await send(running, asker, agent, say('open', 'open'));
    // No timer runs: only what the agent says is looked at.
    clock.jumpWallClock(60_000);
    const recordOf = async (id: string) =>
      (await running.call('GET', `/workspaces/${asker.id}/messages/${id}`, { token: asker.token })).body;
    const { activity_id } = await recordOf('reported');
    const body = { up_to: 1_000_000_000, outcomes: [{ activity_id, outcome: 'failed' }] };
    const path = `/workspaces/${agent.id}/activity/ack`;
    expect(await running.call('POST', path, { token: agent.token, body })).toMatchObject({
      body: { outcomes: [{ activity_id, state: 'expired' }] },
    });
    expect((await recordOf('acknowledged')).state).not.toBe('unanswered');
    expect((await recordOf('open')).state).toBe('unanswered');
    clock.advance(15_000);
    await eventually(async () => (await recordOf('acknowledged')).state === 'expired');
  });

  it('is one event, whatever comes after it, and a large acknowledgement is a few statements', async () => {
    const dataDir = openFolder();
    const statements: string[] = [];
    const running = await openPlatform({
      data: { directory: dataDir, synchronous: 'normal', onQuery: (text) => void statements.push(text) },
      limits: { rateLimit: 1_000_000 },
    });
    const asker = await running.join({ name: 'asker' });
    const agent = await running.join({ name: 'agent' });
    // More than are ended by one statement.
    const count = 205;
    await Promise.all(
      Array.from({ length: count }, (_, n) => send(running, asker, agent, say(`${n}`, `m-${n}`))),
    );
    await send(running, agent, asker, say('answer', 'reply', { in_reply_to: 'm-0' }));
    const ack = (body: unknown) =>
      running.call('POST', `/workspaces/${agent.id}/activity/ack`, { token: agent.token, body });
    statements.length = 0;
    const acknowledged = await ack({ up_to: 1_000_000_000 });
    expect(acknowledged.body.acknowledged).toBe(count - 1);
    expect(statements.length).toBeLessThan(20);
    const last = acknowledged.body.up_to;
    await ack({ up_to: 1_000_000_000, outcomes: [{ activity_id: last, outcome: 'failed' }] });
    await send(running, agent, asker, say('another', 'reply-2', { in_reply_to: 'm-1' }));
    await running.platform.close();
    const file = new DatabaseSync(join(dataDir, 'platform.db'));
    const rows = file
      .prepare(
        `select a.delivery_state state, count(*) count, count(distinct a.seq) messages, sum(a.expires_at is null) closed
         from events e join activity a on a.seq = e.activity_seq
         where e.event_type = 'MESSAGE_ENDED' and e.workspace_id = ? group by 1 order by 1`,
      )
      .all(agent.id);
    file.close();
    expect(rows).toEqual([
      { state: 'answered', count: 1, messages: 1, closed: 1 },
      { state: 'unanswered', count: count - 1, messages: count - 1, closed: count - 1 },
    ]);
  });
});

describe('the statements of ends', () => {
  it('use an index each, and scan no table', async () => {
    const statements: string[] = [];
    const dialect = await openSqliteDialect({ path: ':memory:', synchronous: 'normal' });
    const database = await PlatformDatabase.open(dialect, { onQuery: (text) => void statements.push(text) });
    onTestFinished(() => database.close());
    const store = createMessageStore({ database });
    const plan = async (run: () => Promise<unknown>) => {
      statements.length = 0;
      await run();
      const text = `EXPLAIN QUERY PLAN ${statements[0]}`;
      const { rows } = await sql.raw<{ detail: string }>(text).execute(database.query);
      return rows.map(({ detail }) => detail).join('\n');
    };
    const expired = await plan(() => store.listExpired({ now: '2026-01-01T00:00:00.000Z', limit: 10 }));
    expect(expired).toContain('activity_by_expiry');
    expect(await plan(() => store.findNextExpiry({}))).toContain('activity_by_expiry');
    const pending = await plan(() =>
      store.writePendingUpTo(
        { workspaceId: 'w', seq: 5, now: '2026-01-01T00:00:00.000Z' },
        { status: 'ok' },
        database.query,
      ),
    );
    expect(pending).toContain('activity_by_delivery');
    const list = await plan(() => store.listSent('w', parseSentQuery({})));
    expect(list.match(/SEARCH activity USING INDEX activity_by_sender/g)).toHaveLength(10);
    expect(`${expired}${pending}${list}`).not.toMatch(/SCAN activity/);
  });
});

describe('what a response of an agent means', () => {
  it.each([
    [{ result: { kind: 'message', parts: [] } }, 'answered'],
    [{ result: { kind: 'task', status: { state: 'completed' } } }, 'unanswered'],
    [{ result: { task: { status: { state: 'TASK_STATE_COMPLETED' } } } }, 'unanswered'],
    [{ result: { status: 'completed' } }, 'answered'],
    [{ result: { kind: 'task', status: { state: 'working' } } }, 'answered'],
    [
      {
        result: { kind: 'task', status: { state: 'completed' }, artifacts: [{ parts: [{ kind: 'file' }] }] },
      },
      'answered',
    ],
    [{ error: { code: 1, message: 'no' } }, 'failed'],
    [{ error: null, result: 'text' }, 'answered'],
  ])('%j: %s', (response, state) => {
    expect(endOfResponse(response).state).toBe(state);
  });

  it('that is a long error is summarised where it is a reason', () => {
    const error = { code: -1, message: 'e'.repeat(100_000) };
    const end = endOfResponse({ jsonrpc: '2.0', id: 1, error });
    expect(JSON.stringify(end.state === 'failed' && end.failure).length).toBeLessThan(5_000);
  });

  it('reads a report, and takes a sentence for no code', () => {
    const error = { message: ' ', code: 'Do what I say!' };
    expect(reportedEnd({ activity_id: 'x', outcome: 'failed', error })).toEqual({
      state: 'failed',
      failure: {
        kind: 'reported',
        error: { error: 'The agent failed to handle this message.', code: 'agent_error' },
        isAgentText: false,
      },
    });
    expect(reportedEnd({ activity_id: 'x', outcome: 'accepted' })).toBeUndefined();
  });

  it('leaves the sentences of the platform unwrapped', () => {
    const message = { id: 'row', message_id: 'm', context_id: 'c', request_body: '{"id":7}' };
    const failure = deliveryFailure({ error: 'no way', code: 'agent_unreachable' });
    const form = { wraps: true, isCompact: false, caller: 'plain' as const };
    const response = toResponse(message, { state: 'failed', at: '2026-01-01T00:00:00.000Z', failure }, form);
    expect(response).toMatchObject({
      id: 7,
      result: {
        contextId: 'c',
        status: { message: { parts: [{ text: 'no way' }] } },
        metadata: { code: 'agent_unreachable' },
      },
    });
  });
});

describe('the time of expiry', () => {
  const now = Date.UTC(2026, 0, 1);
  it.each([
    ['', 1_000, '2026-01-01T00:00:01.000Z'],
    ['2026-01-01T01:00:00.5+01:00', 1_000, '2026-01-01T00:00:00.500Z'],
    ['2026-01-01T00:00:00.0001Z', 1_000, '2026-01-01T00:00:00.001Z'],
    ['2027-01-01T00:00:00Z', 1_000, '2026-01-01T00:00:01.000Z'],
    ['', Number.MAX_VALUE, '9999-01-01T00:00:00.000Z'],
  ])('with the deadline %j and %d ms to live is %s', (deadline, ttlMs, expected) => {
    expect(expiryOf(deadline, now, ttlMs)).toBe(expected);
  });
});
