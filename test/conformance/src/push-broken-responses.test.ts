import { type AddressInfo, createServer } from 'node:net';
import { expect } from 'vitest';
import { onboard, send } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const RESPONSES = [
  'SSH-2.0-OpenSSH_9.6\r\n',
  `HTTP/1.1 200 OK\r\n${'x-filler: x\r\n'.repeat(5_000)}`,
  'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
];

onEachDatabase('push to agents that break the rules of HTTP', (environment) => {
  verifies('client.delivered-unknown', 'broken response', async () => {
    const platform = await environment.platform({
      security: { allowAgentNetworks: ['127.0.0.0/8'] },
      limits: { maxAttempts: 1 },
    });
    const sender = await onboard(platform);
    for (const [index, response] of RESPONSES.entries()) {
      const server = createServer((socket) => {
        socket.on('error', () => {}).once('data', () => socket.end(response));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      environment.onCleanup(() => void server.close());
      const { port } = server.address() as AddressInfo;
      const target = await onboard(platform, { url: `http://127.0.0.1:${port}/a2a` });
      const messageId = `m-${index}`;
      await send(sender.caller, target.id, 'hello', { messageId });
      const { body } = await sender.caller.get(`/workspaces/${sender.id}/messages/${messageId}?wait=20`);
      expect([response.slice(0, 60), body]).toMatchObject([
        response.slice(0, 60),
        { state: 'failed', error: { code: 'agent_unreachable', delivered: 'unknown' } },
      ]);
    }
  });
});
