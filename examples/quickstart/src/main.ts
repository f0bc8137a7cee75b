/** Starts a platform in this process and the README's agent in another, talks to it, and stops it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createPlatform } from '@molecule-ai/platform';

const stateDirectory = await mkdtemp(join(tmpdir(), 'molecule-quickstart-'));
const platform = await createPlatform({ mode: 'dev', server: { port: 0 }, data: { directory: ':memory:' } });
const operator = new OperatorClient({ platformUrl: platform.url, operatorKey: platform.operatorKey });
const { id, authToken } = await operator.createWorkspace({ name: 'echo' });
const agent = spawn(process.execPath, [fileURLToPath(new URL('./agent.js', import.meta.url))], {
  stdio: ['ignore', 'pipe', 'inherit'],
  env: {
    PATH: process.env.PATH,
    MOLECULE_PLATFORM_URL: platform.url,
    MOLECULE_WORKSPACE_ID: id,
    MOLECULE_WORKSPACE_TOKEN: authToken ?? '',
    MOLECULE_STATE_DIR: stateDirectory,
  },
});
const exit = once(agent, 'exit');
try {
  const [line] = await Promise.race([once(createInterface({ input: agent.stdout }), 'line'), exit]);
  assert.equal(line, 'online');
  assert.equal((await operator.getWorkspace(id)).status, 'online');
  console.log('✓ the agent is online');

  const reply = await operator.sendMessage(id, 'hello');
  assert.equal(reply.text, 'echo: hello');
  console.log('✓ it answers');

  agent.kill('SIGINT');
  assert.deepEqual(await exit, [0, null]);
  console.log('✓ it stops on Ctrl-C');
} finally {
  agent.kill('SIGKILL');
  await operator.close();
  await platform.close();
  await rm(stateDirectory, { recursive: true, force: true });
}
