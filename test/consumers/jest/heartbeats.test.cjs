const { execFileSync } = require('node:child_process');
const { createRemoteAgent, MemoryInboundStore, RemoteAgentClient } = require('@molecule-ai/core');

const { HEARTBEATS_URL } = process.env;

test('heartbeats come from the worker, also while the event loop is blocked', async () => {
  const client = new RemoteAgentClient();
  const store = new MemoryInboundStore();
  const agent = createRemoteAgent({
    client,
    store,
    presence: { heartbeatIntervalMs: 1_000 },
    onMessage: () => 'done',
  });
  await agent.start();
  await fetch(HEARTBEATS_URL).then((response) => response.text());
  expect(agent.health()).toMatchObject({ ok: true, heartbeats: 'worker' });

  const program = 'fetch(process.argv[1]).then(({ status }) => process.stdout.write(String(status)))';
  const status = execFileSync(process.execPath, ['-e', program, HEARTBEATS_URL], { encoding: 'utf8' });
  expect(status).toBe('200');

  await agent.stop();
  await client.close();
}, 60_000);
