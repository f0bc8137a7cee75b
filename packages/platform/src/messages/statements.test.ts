import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';
import { answerText, eventually, type ScriptedAgent, say, startAgent } from '../../test/scripted-agent.ts';

let running: RunningPlatform;
let agent: ScriptedAgent;
afterEach(async () => {
  await running.platform.close();
  await agent.close();
});

/** Verb and table of a statement, such as `insert activity`. */
function summary(statement: string): string {
  const table = /(?:from|into|update) "(\w+)"/.exec(statement)?.[1];
  return [statement.split(' ')[0], ...(table === undefined ? [] : [table])].join(' ');
}

describe('one proxied call to an agent with a server', () => {
  it('is six statements: two transactions, and a receipt that many calls share', async () => {
    const clock = new ManualClock();
    const statements: string[] = [];
    running = await startPlatform({
      clock,
      allowAgentNetworks: ['127.0.0.0/8'],
      onQuery: (sql) => void statements.push(sql),
    });
    agent = await startAgent((call) => answerText(call, 'done'));
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
