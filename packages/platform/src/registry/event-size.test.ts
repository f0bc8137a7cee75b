import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { openFolder, openPlatform } from '../../test/resources-of-test.ts';

it('events have no copy of a card, and only the beginning of what an agent says of its work', async () => {
  const dataDir = openFolder();
  const running = await openPlatform({ data: { directory: dataDir } });
  const { id, token } = await running.create();
  const long = 'x'.repeat(60_000);
  const card = (version: string) => ({ name: 'agent', version, description: long });
  const post = (path: string, body: object) =>
    running.call('POST', path, { token, body: { id, workspace_id: id, ...body } });
  const beat = { current_task: long, sample_error: long, error_rate: 1 };
  for (const { status } of [
    await post('/registry/register', { agent_card: card('1') }),
    await post('/registry/update-card', { agent_card: card('2') }),
    await post('/registry/heartbeat', { agent_card: card('3'), ...beat }),
  ]) {
    expect(status).toBe(200);
  }
  const [row] = (await running.call('GET', '/workspaces')).body;
  expect(row).toMatchObject({ agent_card: { version: '3' } });
  expect([row.current_task.length, row.last_sample_error.length]).toEqual([1_000, 1_000]);
  const database = new DatabaseSync(join(dataDir, 'platform.db'), { readOnly: true });
  const events = database.prepare('select event_type, length(payload) as size from events').all();
  database.close();
  expect(events.map(({ event_type: type }) => type)).toEqual(
    expect.arrayContaining(['WORKSPACE_ONLINE', 'AGENT_CARD_UPDATED', 'TASK_UPDATED', 'WORKSPACE_DEGRADED']),
  );
  expect(Math.max(...events.map(({ size }) => Number(size)))).toBeLessThan(1_200);
});
