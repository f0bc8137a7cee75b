import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { openAgent, openPlatform } from '../../test/resources-of-test.ts';
import { answerText, eventually, say } from '../../test/scripted-agent.ts';
import { createTestPlatform } from '../test-platform.ts';

/** Verb and table of a statement, such as `insert activity`. */
function summary(statement: string): string {
  const table = /(?:from|into|update) "(\w+)"/.exec(statement)?.[1];
  return [statement.split(' ')[0], ...(table === undefined ? [] : [table])].join(' ');
}

describe('one proxied call to an agent with a server', () => {
  it('is six statements: two transactions, and a receipt that many calls share', async () => {
    const clock = new ManualClock();
    const statements: string[] = [];
    const running = await openPlatform({ clock, data: { onQuery: (sql) => void statements.push(sql) } });
    const agent = await openAgent((call) => answerText(call, 'done'));
    const asker = await running.join({ name: 'asker' });
    const target = await running.join({ name: 'target', url: `${agent.url}/rpc` });
    const ask = async (messageId: string) => {
      statements.length = 0;
      const { status } = await running.call('POST', `/workspaces/${target.id}/a2a`, {
        token: asker.token,
        body: say('go', messageId),
      });
      expect(status).toBe(200);
      await eventually(() => {
        // Timers run within the same second, because a caller's last message is recorded once a second.
        clock.advance(250);
        clock.jumpWallClock(-250);
        return statements.some((sql) => /where "id" in \(\?\)/.test(sql));
      });
    };
    await ask('first');
    await ask('second');
    expect(statements.map(summary)).toEqual([
      ...['begin', 'select workspaces', 'insert activity', 'insert events', 'commit'],
      ...['begin', 'update activity', 'insert events', 'commit'],
      'update activity',
    ]);
  });
});

/** The statements that look for messages to end or push, and for silent agents. */
const SWEEPS =
  /^select (?:distinct|"expires_at"|"id", "last_heartbeat_at" from "workspaces" where "status"|\S+ from "activity" where "(?:expires_at|delivery_state)")/;

describe('an idle platform', () => {
  it('reads its database a few times an hour, and still ends what is due in time', async () => {
    const statements: string[] = [];
    await using platform = await createTestPlatform({
      data: { onQuery: (sql) => void statements.push(sql) },
    });
    const polling = await platform.createWorkspace('polling');
    const token = polling.authToken;
    const beat = async () => {
      const body = { workspace_id: polling.workspaceId };
      expect((await platform.request('POST', '/registry/heartbeat', { token, body })).status).toBe(200);
    };
    const register = { workspace_id: polling.workspaceId, agent_card: { name: 'polling' } };
    expect((await platform.request('POST', '/registry/register', { token, body: register })).status).toBe(
      200,
    );
    const deadline = new Date(platform.clock.now() + 1_800_000).toISOString();
    const body = say('go', 'due in half an hour', { deadline });
    const sent = { body, headers: { 'x-timeout': '0' } };
    const { status } = await platform.request('POST', `/workspaces/${polling.workspaceId}/a2a`, sent);
    expect(status).toBe(202);
    statements.length = 0;
    for (let minute = 0; minute < 60; minute += 1) {
      await platform.clock.advance(60_000);
      await beat();
    }
    const ends = statements.filter((sql) => sql.startsWith('update "activity"'));
    expect(ends).toHaveLength(1);
    const sweeps = statements.filter((sql) => SWEEPS.test(sql));
    // Two for each five minutes by two tasks, one for each ten by a third, and those of the message that expires.
    expect(sweeps.length).toBeGreaterThan(20);
    expect(sweeps.length).toBeLessThan(70);
    expect(await platform.statusOf(polling.workspaceId)).toBe('online');
    await platform.clock.advance(90_000);
    await platform.clock.advance(15_000);
    expect(await platform.statusOf(polling.workspaceId)).toBe('offline');
  });
});
