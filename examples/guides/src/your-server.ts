// #region express
import { createRemoteAgent, type RemoteAgentClient } from '@molecule-ai/core';
import type { Express } from 'express';

/** Adds an agent to a server of Express that exists already. `client` is `new RemoteAgentClient()`. */
export async function joinExpress(app: Express, client: RemoteAgentClient, labId: string) {
  const agent = createRemoteAgent({ client, onMessage: ({ text }) => `The shop has read: ${text}` });

  app.get('/health', (_request, response) => {
    response.json({ server: 'up', agent: agent.health() });
  });

  // A route that asks a peer. The call is cancelled when the browser goes away.
  app.get('/ask', async (request, response) => {
    const leaving = new AbortController();
    response.once('close', () => leaving.abort());
    const reply = await client.callPeer(labId, String(request.query.q), {
      signal: leaving.signal,
      timeoutMs: 30_000,
    });
    response.json({ status: reply.status, text: reply.text }); // words of the peer: show them as text, never as HTML
  });

  await agent.start({ wait: false }); // the server works while the platform is away
  return agent;
}

// #endregion express

// #region fastify
import type { FastifyInstance } from 'fastify';

/** The same for Fastify, which ends the agent with the server. */
export async function joinFastify(app: FastifyInstance, client: RemoteAgentClient) {
  const agent = createRemoteAgent({ client, onMessage: ({ text }) => `The shop has read: ${text}` });
  app.get('/health', () => ({ server: 'up', agent: agent.health() }));
  app.addHook('onClose', async () => {
    await agent.stop();
    await client.close();
  });
  await agent.start({ wait: false });
  return agent;
}

// #endregion fastify

// #region end
import type { Server } from 'node:http';
import type { RemoteAgent } from '@molecule-ai/core';

/** Ends the server of Express, the agent and its client, in this order. */
export function endOnSigterm(server: Server, agent: RemoteAgent, client: RemoteAgentClient): void {
  process.once('SIGTERM', async () => {
    server.close(); // no new requests
    await agent.stop(); // waits for running handlers, 30 s at most
    await client.close();
  });
}
// #endregion end
