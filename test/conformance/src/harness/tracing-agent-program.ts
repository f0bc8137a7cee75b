// The program of `traces-processes.test.ts`: an agent that passes each message on to NEXT, or answers it. With SERVES=yes it has a
// server of its own and gets pushes.
import { A2AServer, createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { createInboundHandler, type InboundHandler } from '@molecule-ai/core/inbound';

const { NEXT, VIA, SERVES } = process.env;
let handler: InboundHandler = async () => new Response(null, { status: 503 });
const server = SERVES === 'yes' ? new A2AServer({ port: 0, handler: (request) => handler(request) }) : null;
await server?.start();
const client = new RemoteAgentClient(server === null ? {} : { reportedUrl: server.url });
const agent = createRemoteAgent({
  client,
  delivery: server === null ? 'long-poll' : 'push',
  onMessage: async () => {
    if (NEXT === undefined) return 'done';
    const { text, via } = await client.callPeer(NEXT, 'go on', VIA === 'proxy' ? { via: VIA } : {});
    return `${via}, ${text}`;
  },
});
if (server !== null) handler = createInboundHandler(agent);
await agent.start();
process.stdout.write(`${JSON.stringify({ event: 'online' })}\n`);
