import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RemoteAgentClient } from '@molecule-ai/core';
import { Pool } from 'undici';
import { publishedClient, requestOfSdk } from './a2a-sdk-client.ts';
import { type Figure, ratioFigure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { requireSameRequest } from './same-request.ts';
import { startProcess } from './servers/start-process.ts';
import { compareThroughput } from './throughput.ts';

const SELF = '0b6f0e0a-6f0b-4c27-9d0e-5c1f2f6f5b01';
const PEER = '0b6f0e0a-6f0b-4c27-9d0e-5c1f2f6f5b02';
const TOKEN = `${'k3Jd9aQx'.repeat(40)}`;
const QUESTION = 'How far is the moon?';
const ANSWER = 'the answer of the peer';

/** Compares direct calls to a minimal server with undici sending the very same request, and with the client of the A2A SDK. */
export async function benchDirectCall(options: BenchmarkOptions): Promise<Figure[]> {
  const server = await startProcess('agent-server');
  const platform = await startDirectory(server.url);
  const stateDirectory = mkdtempSync(join(tmpdir(), 'molecule-bench-'));
  const client = new RemoteAgentClient({
    workspaceId: SELF,
    platformUrl: platform.url,
    authToken: 'k3Jd9aQxk3Jd9aQxk3Jd9aQxk3Jd9aQxk3Jd9aQxk3J',
    storage: { directory: stateDirectory },
  });
  const pool = new Pool(server.url, { connections: 64 });
  const published = await publishedClient(server.url);
  const call = async () => {
    const reply = await client.callPeer(PEER, QUESTION);
    if (reply.text !== ANSWER || reply.via !== 'direct') throw new Error('wrong answer');
  };
  const figures: Figure[] = [];
  try {
    await client.heartbeat();
    await requireSameRequest(server.url, call, () => callRaw(pool));
    for (const inFlight of [1, 16, 64]) {
      const [ours, raw, sdk] = await compareThroughput(
        [
          { name: 'direct call', run: call },
          { name: 'undici', run: () => callRaw(pool) },
          {
            name: 'A2A SDK',
            run: async () => {
              const result = await published.sendMessage(requestOfSdk(QUESTION));
              const [part] = 'parts' in result ? result.parts : [];
              if (part?.content?.value !== ANSWER) throw new Error('wrong answer');
            },
          },
        ],
        { inFlight, ...options },
      );
      if (ours === undefined || raw === undefined || sdk === undefined) throw new Error('no measurement');
      figures.push(
        ratioFigure(`direct call : raw undici, ${inFlight} in flight`, ours, raw, 0.85),
        ratioFigure(`direct call : A2A SDK 1.3, ${inFlight} in flight`, ours, sdk, 1),
      );
    }
  } finally {
    await client.close();
    await pool.close();
    await platform.close();
    await server.close();
    rmSync(stateDirectory, { recursive: true, force: true });
  }
  return figures;
}

/** A platform that only says where the peer is: it is asked once in several minutes. */
async function startDirectory(peerUrl: string): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    const found = {
      id: PEER,
      url: peerUrl,
      name: 'peer',
      peer_token: TOKEN,
      peer_token_expires_at: new Date(Date.now() + 300_000).toISOString(),
    };
    const body = request.url?.startsWith('/registry/discover/') ? found : { status: 'ok' };
    const headers = {
      'content-type': 'application/json',
      'x-molecule-capabilities': 'peer-tokens,message-dedupe',
    };
    response.writeHead(200, headers).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function callRaw(pool: Pool): Promise<void> {
  const messageId = crypto.randomUUID();
  const response = await pool.request({
    method: 'POST',
    path: '/',
    headers: {
      'content-type': 'application/json',
      'user-agent': 'molecule-sdk-ts/0.0.0',
      accept: 'application/json',
      authorization: `Bearer ${TOKEN}`,
      'x-timeout': '24',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: messageId,
      method: 'message/send',
      params: {
        message: {
          kind: 'message',
          role: 'user',
          messageId,
          parts: [{ kind: 'text', type: 'text', text: QUESTION }],
          contextId: messageId,
        },
      },
    }),
  });
  const body = (await response.body.json()) as { result: { parts: { text: string }[] } };
  if (body.result.parts[0]?.text !== ANSWER) throw new Error('wrong answer');
}
