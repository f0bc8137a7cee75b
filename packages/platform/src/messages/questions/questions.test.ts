import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import { expect, it, onTestFinished } from 'vitest';
import { openFolder } from '../../../test/resources-of-test.ts';
import { startPlatform } from '../../../test/running-platform.ts';
import { say } from '../../../test/scripted-agent.ts';
import { PlatformDatabase } from '../../database/platform-database.ts';
import type { QuestionRow } from '../../database/schema.ts';
import { openSqliteDialect } from '../../database/sqlite-dialect.ts';
import { QuestionStore } from './questions.store.ts';

it('the statements of questions use an index each', async () => {
  const statements: string[] = [];
  const dialect = await openSqliteDialect({ path: ':memory:', synchronous: 'normal' });
  const database = await PlatformDatabase.open(dialect, { onQuery: (text) => void statements.push(text) });
  onTestFinished(() => database.close());
  const store = new QuestionStore({ database });
  const db = database.query;
  const answer = {
    decision: null,
    answer: 'x',
    answered_by: 'user',
    answered_at: '2026-01-01T00:00:00.000Z',
  };
  const runs: [string, () => Promise<unknown>][] = [
    ['sqlite_autoindex_questions_1', () => store.find('w', ['a', 'b'], db)],
    ['questions_by_message', () => store.listOfMessage('m', db)],
    ['questions_by_time', () => store.list('w', undefined, { limit: 100, offset: 100 })],
    ['questions_by_state', () => store.list('w', 'open', { limit: 100, offset: 100 })],
    ['questions_by_state', () => store.hasOpen({ workspaceId: 'w', sourceId: 's' }, 1_000, db)],
    [
      'sqlite_autoindex_questions_1',
      () => store.answer({ workspace_id: 'w', id: 'a' } as QuestionRow, answer, db),
    ],
    ['questions_by_message', () => store.close('m', db)],
  ];
  for (const [index, run] of runs) {
    statements.length = 0;
    await run();
    const { rows } = await sql.raw<{ detail: string }>(`EXPLAIN QUERY PLAN ${statements[0]}`).execute(db);
    const plan = rows.map(({ detail }) => detail).join('\n');
    expect(plan).toContain(`INDEX ${index}`);
    expect(plan).not.toMatch(/SCAN|TEMP B-TREE/);
  }
});

it('events announce a question and its answer without their words', async () => {
  const dataDir = openFolder();
  const running = await startPlatform({ data: { directory: dataDir, synchronous: 'normal' } });
  const [sender, agent] = [await running.join({ name: 'sender' }), await running.join({ name: 'agent' })];
  const send = (from: typeof sender, to: typeof sender, body: unknown) =>
    running.call('POST', `/workspaces/${to.id}/a2a`, {
      token: from.token,
      body,
      headers: { 'x-timeout': '0' },
    });
  const sent = await send(sender, agent, say('go', 'm'));
  const questions = [{ id: 'q', kind: 'approval', text: 'the secret plan', from: 'user' }];
  await send(agent, sender, say('may I?', 'r', { in_reply_to: 'm', questions }));
  const body = { decision: 'approve', text: 'the secret word' };
  const answered = await running.call('POST', `/workspaces/${agent.id}/questions/q/answer`, { body });
  expect(answered.status).toBe(200);
  await running.platform.close();
  const file = new DatabaseSync(join(dataDir, 'platform.db'));
  const events = file
    .prepare(
      "select event_type, workspace_id, payload from events where event_type like 'QUESTION%' order by seq",
    )
    .all();
  file.close();
  const activityId = sent.body.activity_id;
  expect(events.map(({ payload, ...event }) => ({ ...event, payload: JSON.parse(String(payload)) }))).toEqual(
    [
      {
        event_type: 'QUESTION_ASKED',
        workspace_id: agent.id,
        payload: { question_id: 'q', activity_id: activityId, kind: 'approval', from: 'user' },
      },
      {
        event_type: 'QUESTION_ANSWERED',
        workspace_id: agent.id,
        payload: { question_id: 'q', activity_id: activityId, decision: 'approve' },
      },
    ],
  );
});
