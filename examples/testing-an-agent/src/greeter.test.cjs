const { createRemoteAgent, MemoryInboundStore, RemoteAgentClient } = require('@molecule-ai/core');
const { OperatorClient } = require('@molecule-ai/core/operator');
const { createTestPlatform } = require('@molecule-ai/platform/testing');

let platform;
beforeEach(async () => {
  platform = await createTestPlatform();
});
afterEach(() => platform.close());

test('answers what waited for it', async () => {
  const workspace = await platform.createWorkspace('greeter');
  const operator = new OperatorClient(platform);
  const { status, messageId } = await operator.sendMessage(workspace.workspaceId, 'hello');
  expect(status).toBe('queued'); // nobody is there yet

  const client = new RemoteAgentClient({ ...platform, ...workspace });
  const onMessage = ({ text }) => `You said ${text}.`;
  const agent = createRemoteAgent({ client, store: new MemoryInboundStore(), onMessage });
  await agent.start();
  await platform.clock.settle();
  expect(await operator.waitForAnswer(workspace.workspaceId, messageId)).toMatchObject({
    text: 'You said hello.',
  });

  await agent.stop();
  await Promise.all([client.close(), operator.close()]);
});
