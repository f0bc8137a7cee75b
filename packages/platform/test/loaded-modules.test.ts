import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const SCRIPT = `
import { registerHooks } from 'node:module';
const loaded = [];
registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
const { createPlatform } = await import('@molecule-ai/platform');
const adminToken = 'test-admin-token';
const platform = await createPlatform({
  mode: 'production', memory: true, port: 0, adminToken, secretsEncryptionKey: 'k'.repeat(32),
  publicUrl: 'https://molecule.example.com', allowAgentNetworks: ['127.0.0.0/8'],
});
const call = async (token, method, path, body) => {
  const headers = { authorization: 'Bearer ' + token, 'content-type': 'application/json' };
  const response = await fetch(platform.url + path, { method, headers, body: body && JSON.stringify(body) });
  return response.json();
};
const join = async (more) => {
  const { id, connection } = await call(adminToken, 'POST', '/workspaces', { name: 'agent', external: true });
  const token = connection.auth_token;
  await call(token, 'POST', '/registry/register', { id, workspace_id: id, agent_card: { name: 'agent' }, ...more });
  return { id, token };
};
const asking = await join({ delivery_mode: 'poll' });
const asked = await join({ delivery_mode: 'push', url: 'http://127.0.0.1:9' });
const isLoaded = () => loaded.some((url) => /[\\\\/]jose[\\\\/]/.test(url));
const before = isLoaded();
const { peer_token: token } = await call(asking.token, 'GET', '/registry/discover/' + asked.id);
console.log(JSON.stringify([loaded.length > 0, before, typeof token, isLoaded()]));
await platform.close();
process.exit();
`;

it('jose is loaded with the first token that is signed, and not with a platform that starts', () => {
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const args = ['--input-type=module', '-e', SCRIPT];
  const output = execFileSync(process.execPath, args, { cwd, encoding: 'utf8' });
  expect(JSON.parse(output)).toEqual([true, false, 'string', true]);
});
