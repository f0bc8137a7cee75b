const { createRemoteAgent, RemoteAgentClient, silentLogger } = require('@molecule-ai/core');
const { OperatorClient } = require('@molecule-ai/core/operator');
const { chaos, moleculeMatchers, temporaryState } = require('@molecule-ai/core/testing');
const { createTestPlatform } = require('@molecule-ai/platform/testing');

expect.extend(moleculeMatchers);

test('handles each message once, although the network loses one request of three', async () => {
  const platform = await createTestPlatform();
  const workspace = await platform.createWorkspace('counter');
  const state = temporaryState();
  const dispatcher = chaos(platform.connection.dispatcher, { seed: 7, clock: platform.clock });
  const client = new RemoteAgentClient({
    ...platform,
    ...workspace,
    ...state,
    connection: { ...platform.connection, dispatcher },
    logger: silentLogger,
  });
  let booked = 0;
  const onMessage = ({ text }, { once }) => once('book', () => `${text}: number ${++booked}`);
  const agent = createRemoteAgent({ client, onMessage });
  await agent.start();

  dispatcher.rules = [
    { fault: 'drop', probability: 0.2 }, // the platform has the request, its response is lost
    { fault: 'drop', lost: 'connection', probability: 0.1 },
    { fault: 'status', status: 429, retryAfterSeconds: 3, path: '/workspaces/*', probability: 0.1 },
  ];
  const operator = new OperatorClient(platform);
  const sent = [1, 2, 3, 4, 5].map((n) => operator.sendMessage(workspace.workspaceId, `ticket ${n}`));
  await platform.clock.advance(20 * 60_000);
  for (const { messageId } of await Promise.all(sent)) {
    const reply = await operator.waitForAnswer(workspace.workspaceId, messageId);
    expect(reply).toBeAnswered(/^ticket \d: number \d$/);
  }
  expect(booked).toBe(5);
  expect(dispatcher.hits({ fault: 'drop' })).toBeGreaterThan(5);

  dispatcher.rules = [];
  await platform.clock.advanceUntil(() => agent.health().ok);

  await agent.stop();
  await Promise.all([client.close(), operator.close()]);
  await platform.close();
  state.remove();
});
