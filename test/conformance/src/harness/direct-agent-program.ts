// The program of `direct-crash.test.ts`: an agent with a server (PORT) whose handler has one effect and answers, or a caller (TARGET).
import { A2AServer, createRemoteAgent, deriveMessageId, RemoteAgentClient } from '@molecule-ai/core';

const log = (event: string, facts: object = {}) =>
  void process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
const { PORT, TARGET, HANGS } = process.env;

if (TARGET === undefined) {
  const client = new RemoteAgentClient({ reportedUrl: `http://127.0.0.1:${PORT}` });
  const agent = createRemoteAgent({
    client,
    delivery: 'push',
    onMessage: async ({ text }, { once, attempt }) => {
      log('handling', { text, attempt });
      await once('effect', async () => {
        log('effect', { text });
      });
      log('stored', { text });
      if (HANGS === 'yes') await new Promise(() => {});
      return `done: ${text}`;
    },
  });
  const server = new A2AServer({ agent, port: Number(PORT) });
  await server.start();
  await agent.start();
  log('online');
} else {
  const client = new RemoteAgentClient();
  await client.register();
  const messageId = deriveMessageId(client.workspaceId, 'the one call');
  log('calling', { messageId });
  const { status, via, text } = await client.callPeer(TARGET, 'work', { messageId, timeoutMs: 60_000 });
  log('returned', { status, via, text });
  await client.close();
}
