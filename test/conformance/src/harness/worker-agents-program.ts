// The program of `heartbeat-worker.test.ts`: an agent for each of AGENTS, the first one of the ES modules of core, the second one of its
// CommonJS build. They send heartbeats while they run, then while the event loop is blocked, and are stopped one after the other.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import * as esm from '@molecule-ai/core';

const { AGENTS = '[]', HEARTBEATS_URL = '', DEFAULT_CA } = process.env;
const log = (event: string, facts: object = {}) =>
  void process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
process.on('worker', (worker) => {
  log('worker started');
  worker.once('exit', () => log('worker ended'));
});
if (DEFAULT_CA !== undefined)
  setDefaultCACertificates([...getCACertificates(), readFileSync(DEFAULT_CA, 'utf8')]);

const require = createRequire(import.meta.url);
const copies: readonly (typeof esm)[] = [esm, require('@molecule-ai/core')];
const running = (JSON.parse(AGENTS) as esm.RemoteAgentClientOptions[]).map((options, at) => {
  const { RemoteAgentClient, createRemoteAgent } = copies[at] ?? esm;
  const client = new RemoteAgentClient(options);
  const agent = createRemoteAgent({
    client,
    presence: { heartbeatIntervalMs: 1_000 },
    onMessage: () => 'done',
  });
  return { id: client.workspaceId, agent, client };
});
const heartbeatsUrl = () => {
  const url = new URL(HEARTBEATS_URL);
  for (const { id } of running) url.searchParams.append('id', id);
  return url.href;
};
// Its response is written by the time that this process runs again.
const FETCH = 'fetch(process.argv[1]).then(async (response) => process.stdout.write(await response.text()))';

try {
  for (const { agent } of running) await agent.start();
  log('started', { copies: new Set(copies.map(({ RemoteAgentClient }) => RemoteAgentClient)).size });
  await fetch(heartbeatsUrl()).then((response) => response.text());
  const health = () => running.map(({ agent }) => agent.health());
  log('running', {
    heartbeats: health().map(({ heartbeats }) => heartbeats),
    ok: health().map(({ ok }) => ok),
  });
  if (health().every(({ heartbeats }) => heartbeats === 'worker')) {
    while (running.length > 0) {
      const counts = execFileSync(process.execPath, ['-e', FETCH, heartbeatsUrl()], { encoding: 'utf8' });
      log('blocked', JSON.parse(counts));
      await stop();
    }
  }
} catch (error) {
  const { code, hint } = error as esm.MoleculeError;
  log('failed', { code, hint, message: String(error) });
}
while (running.length > 0) await stop();
log('stopped');

async function stop(): Promise<void> {
  const first = running.shift();
  await first?.agent.stop();
  await first?.client.close();
}
