import { createServer } from 'node:http';
import { createRemoteAgent, MoleculeError, RemoteAgentClient } from '@molecule-ai/core';

const client = new RemoteAgentClient({ agentCard: { name: 'counter' } });
const agent = createRemoteAgent({
  client,
  onMessage: (message) => `words: ${message.text.split(/\s+/).length}`,
});
agent.on('dead-letter', ({ id }, { error }) => console.error(`given up: ${id}`, error)); // or an alarm of yours
process.once('SIGTERM', () => agent.stop()); // what the supervisor sends

const probe = createServer((_request, response) => {
  const health = agent.health();
  response.writeHead(health.ok ? 200 : 503, { 'content-type': 'application/json' });
  response.end(JSON.stringify(health));
});
probe.listen(Number(process.env.PROBE_PORT ?? 9100), '127.0.0.1');

/** 78: another start would end in the same way. */
const EXIT_CODES = { stopped: 0, paused: 0, superseded: 0, removed: 78, revoked: 78 };
const FINAL = ['unauthorized', 'workspace_removed'];
try {
  await agent.start({ wait: false }); // the probe responds while the platform is down
  process.exitCode = EXIT_CODES[await agent.closed];
} catch (error) {
  process.exitCode = MoleculeError.isInstance(error) && FINAL.includes(error.code) ? 78 : 1; // it is in the log
}
probe.close();
await client.close();
