import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { openFolder, openPlatform } from '../../test/resources-of-test.ts';

const HOSTILE = 'left\0 \ud800 \udfff right';

it('stores every text in a form that SQLite and Postgres return unchanged', async () => {
  const dataDir = openFolder();
  const { platform, call, create, join: onboard } = await openPlatform({ data: { directory: dataDir } });
  const [caller, target] = [await onboard(), await create()];
  const post = (token: string, path: string, body: object) => call('POST', path, { token, body });
  const message = (messageId: string) => ({
    method: 'message/send',
    params: { message: { messageId, parts: [{ kind: 'text', text: HOSTILE }], metadata: { a: HOSTILE } } },
  });
  const card = { name: HOSTILE, more: { [HOSTILE]: HOSTILE } };
  await post(target.token, '/registry/register', { id: target.id, agent_card: card });
  await post(target.token, '/registry/heartbeat', {
    workspace_id: target.id,
    agent_card: { ...card, version: HOSTILE },
  });
  const headers = { 'x-timeout': '0' };
  const path = `/workspaces/${target.id}/a2a`;
  const sent = await call('POST', path, { token: caller.token, headers, body: message('m1') });
  await post(target.token, `/workspaces/${target.id}/activity/ack`, {
    outcomes: [{ activity_id: sent.body.activity_id, outcome: 'failed', error: { message: HOSTILE } }],
  });
  await post(target.token, `/workspaces/${target.id}/notify`, { message: HOSTILE });
  await post(target.token, `/workspaces/${target.id}/activity`, {
    activity_type: 'agent_log',
    request_body: { [HOSTILE]: HOSTILE },
    response_body: HOSTILE,
  });
  await platform.close();

  const database = new DatabaseSync(join(dataDir, 'platform.db'));
  const tables = database.prepare(`select name from sqlite_master where type = 'table'`).all();
  let texts = 0;
  for (const { name } of tables) {
    for (const row of database.prepare(`select * from "${name}"`).all()) {
      for (const [column, value] of Object.entries(row)) {
        if (typeof value !== 'string') continue;
        texts += 1;
        expect(value, `${name}.${column}`).not.toContain('\0');
        // What the driver replaces; the platform writes U+FFFD itself only into what it derives.
        const isDerived = ['summary', 'error_detail'].includes(column);
        if (!isDerived) expect(value, `${name}.${column}`).not.toContain('\ufffd');
      }
    }
  }
  database.close();
  expect(texts).toBeGreaterThan(100);
});
