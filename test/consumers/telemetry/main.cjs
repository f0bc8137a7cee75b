// An agent that answers one message, on a platform in the same process. Writes what set-up.cjs recorded.
const { createRemoteAgent, MemoryInboundStore, RemoteAgentClient } = require('@molecule-ai/core');
const { OperatorClient } = require('@molecule-ai/core/operator');
const { createTestPlatform } = require('@molecule-ai/platform/testing');
const { asUser, recorded } = require('./set-up.cjs');

async function main() {
  const platform = await createTestPlatform();
  const workspace = await platform.createWorkspace('greeter');
  const client = new RemoteAgentClient({ ...platform, ...workspace });
  const store = new MemoryInboundStore();
  const agent = createRemoteAgent({ client, store, onMessage: () => 'done' });
  await agent.start();
  const operator = new OperatorClient(platform);
  const sent = asUser(() => operator.sendMessage(workspace.workspaceId, 'hello'));
  const { text } = await platform.clock.advanceUntilSettled(sent);
  await platform.clock.settle();
  const { version } = globalThis[Symbol.for('opentelemetry.js.api.1')] ?? {};
  process.stdout.write(JSON.stringify({ text, version, ...(await recorded()) }));
  await agent.stop();
  await Promise.all([client.close(), operator.close()]);
  await platform.close();
}

main().catch((error) => {
  throw error;
});
