import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createRemoteAgent, type HandlerAnswer, RemoteAgentClient, silentLogger } from '@molecule-ai/core';
import type { Stage } from './stage.ts';
import { charging, clearDeadLetters, printDeadLetters, replaceTokens } from './upkeep.ts';

/** The program of the page in a process of its own, and the functions for its upkeep. */
export async function checkRunningAnAgent(stage: Stage): Promise<void> {
  await checkProgram(stage);
  await checkDeadLetters(stage);
  await checkTokens(stage);
  const { agent, operator } = stage;
  const charges: string[] = [];
  const charge = charging(async (order, key) => `${charges.push(`${order} ${key}`)}`);
  const till = await agent('till', async (message, context) => {
    const answer = await charge(message, context);
    if (context.attempt === 1) throw new Error('interrupted after the charge');
    return answer;
  });
  assert.equal((await operator.sendMessage(till.id, 'coffee')).text, 'Charged, receipt 1.');
  assert.equal(charges.length, 1);
  console.log('✓ operating: an effect is done once, though its handler ran twice');
}

async function checkProgram({ platform, operator, folder, program }: Stage): Promise<void> {
  const { id, authToken } = await operator.createWorkspace({ name: 'counter' });
  const port = await freePort();
  const environment = {
    MOLECULE_PLATFORM_URL: platform.url,
    MOLECULE_WORKSPACE_ID: id,
    MOLECULE_WORKSPACE_TOKEN: authToken ?? '',
    MOLECULE_STATE_DIR: join(folder, 'running-an-agent'),
    PROBE_PORT: String(port),
  };
  const unreachable = program('running-an-agent', {
    ...environment,
    MOLECULE_PLATFORM_URL: 'http://127.0.0.1:9',
  });
  await until(port, 503, 'platform-unreachable');
  unreachable.signal('SIGTERM');
  assert.equal((await unreachable.exit).code, 0);
  const first = program('running-an-agent', environment);
  await until(port, 200, 'running');
  assert.equal((await operator.sendMessage(id, 'a b')).text, 'words: 2');
  first.signal('SIGTERM');
  assert.equal((await first.exit).code, 0);
  console.log('✓ operating: the probe says how the agent is; SIGTERM ends it');

  await operator.deleteWorkspace(id);
  assert.equal((await program('running-an-agent', environment).exit).code, 78);
  console.log('✓ operating: the start for a removed workspace has an exit code of its own');
}

async function checkDeadLetters({ member, operator, folder, onEnd }: Stage): Promise<void> {
  const lines: string[] = [];
  let answer: unknown = 42;
  const logger = { ...silentLogger, error: (_fields: object, text: string) => void lines.push(text) };
  const { id, client } = await member('failing', { logger });
  const failing = createRemoteAgent({ client, onMessage: () => answer as HandlerAnswer });
  onEnd(() => failing.stop());
  await failing.start();
  const { code, messageId } = await operator.sendMessage(id, 'first');
  assert.equal(code, 'invalid_answer');
  assert.match(lines.join('\n'), /^A message was given up/m);
  await printDeadLetters(join(folder, id));
  answer = 'mended';
  await clearDeadLetters(failing, 'invalid_answer');
  assert.equal(failing.health().deadLetters, 0);
  assert.equal((await operator.getMessage(id, messageId)).status, 'failed'); // its end stays
  const { rows } = await operator.listActivity(id, { direction: 'out' });
  assert.ok(rows.some(({ text }) => text === 'mended'));
  console.log('✓ operating: a dead letter is listed from outside, and handled again');
}

async function checkTokens({ platform, operator, folder }: Stage): Promise<void> {
  const { id: workspaceId, authToken } = await operator.createWorkspace({ name: 'tokens' });
  const storage = { directory: join(folder, 'tokens') };
  const settings = { platformUrl: platform.url, workspaceId, storage, logger: silentLogger };
  await using first = new RemoteAgentClient({ ...settings, authToken });
  await first.register();
  await first.rotateToken();
  // The environment still has the old one.
  await using second = new RemoteAgentClient({ ...settings, authToken });
  await second.register();
  const replaced = await replaceTokens(operator, workspaceId);
  await assert.rejects(second.heartbeat(), { code: 'unauthorized' });
  await using third = new RemoteAgentClient({ ...settings, authToken: replaced });
  await third.register();
  console.log('✓ operating: tokens are rotated by the agent, and replaced by the operator');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Asks the probe until it responds so. */
async function until(port: number, status: number, word: string): Promise<void> {
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    const text = (await response?.text()) ?? '';
    if (response?.status === status && text.includes(word)) return;
    await new Promise(setImmediate);
  }
}
