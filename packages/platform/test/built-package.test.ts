import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openFolder } from './resources-of-test.ts';

/** A program that embeds the built package. */
const PROGRAM = `
import { registerHooks } from 'node:module';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
const loaded = [];
registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
process.umask(0);
const dataDir = process.argv[1];
const { createPlatform } = await import('@molecule-ai/platform');
const platform = await createPlatform({
  mode: 'dev',
  server: { port: 0, publicUrl: 'http://localhost:8080' },
  data: { directory: dataDir },
});
const call = async (method, path, body, token) => {
  const headers = token === undefined ? {} : { authorization: 'Bearer ' + token };
  const response = await fetch(platform.url + path, { method, headers, body: body && JSON.stringify(body) });
  return response.json();
};
const onboard = async (more) => {
  const { id, connection } = await call('POST', '/workspaces', { name: 'agent', external: true });
  const token = connection.auth_token;
  await call('POST', '/registry/register', { id, workspace_id: id, agent_card: { name: 'agent' }, ...more }, token);
  return { id, token };
};
const asking = await onboard({ delivery_mode: 'poll' });
const asked = await onboard({ delivery_mode: 'push', url: 'http://127.0.0.1:9' });
const modes = Object.fromEntries(
  readdirSync(dataDir).map((name) => [name, (statSync(join(dataDir, name)).mode & 0o777).toString(8)]),
);
const hasJose = () => loaded.some((url) => /[\\\\/]jose[\\\\/]/.test(url));
const before = hasJose();
const { peer_token: token } = await call('GET', '/registry/discover/' + asked.id, undefined, asking.token);
console.log(JSON.stringify({ modes, jose: [loaded.length > 0, before, typeof token, hasJose()] }));
await platform.close();
process.exit();
`;

it('an embedding program gets private files, no warning of Node, and jose only with the first token', {
  timeout: 60_000,
}, () => {
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const dataDir = join(openFolder(), 'data');
  const args = ['--input-type=module', '-e', PROGRAM, dataDir];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({
    modes: {
      'operator-key': '600',
      'platform.db': '600',
      'platform.db-shm': '600',
      'platform.db-wal': '600',
      'platform.lock': '600',
      'platform.lock-journal': '600',
    },
    jose: [true, false, 'string', true],
  });
});
