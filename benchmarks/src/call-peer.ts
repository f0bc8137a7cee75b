import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RemoteAgentClient } from '@molecule-ai/core';
import { Pool } from 'undici';
import { type Figure, ratioFigure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { requireSameRequest } from './same-request.ts';
import { startProcess } from './servers/start-process.ts';
import { compareThroughput } from './throughput.ts';

const SELF = '0b6f0e0a-6f0b-4c27-9d0e-5c1f2f6f5b01';
const PEER = '0b6f0e0a-6f0b-4c27-9d0e-5c1f2f6f5b02';
const TOKEN = 'k3Jd9aQxk3Jd9aQxk3Jd9aQxk3Jd9aQxk3Jd9aQxk3J';
const QUESTION = 'How far is the moon?';
const ANSWER = 'the answer of the peer';

/** Compares `callPeer` with undici sending the very same request and parsing the same JSON, both to a minimal server. */
export async function benchCallPeer(options: BenchmarkOptions): Promise<Figure[]> {
  const server = await startProcess('agent-server');
  const stateDirectory = mkdtempSync(join(tmpdir(), 'molecule-bench-'));
  const client = new RemoteAgentClient({
    workspaceId: SELF,
    platformUrl: server.url,
    authToken: TOKEN,
    storage: { directory: stateDirectory },
  });
  const pool = new Pool(server.url, { connections: 64 });
  const call = async () => {
    const reply = await client.callPeer(PEER, QUESTION);
    if (reply.text !== ANSWER) throw new Error('wrong answer');
  };
  const figures: Figure[] = [];
  try {
    await requireSameRequest(server.url, call, () => callRaw(pool, server.url));
    for (const inFlight of [1, 16, 64]) {
      const [ours, raw] = await compareThroughput(
        [
          { name: 'callPeer', run: call },
          { name: 'undici', run: () => callRaw(pool, server.url) },
        ],
        { inFlight, ...options },
      );
      if (ours === undefined || raw === undefined) throw new Error('no measurement');
      figures.push(ratioFigure(`callPeer : raw undici, ${inFlight} in flight`, ours, raw, 0.9));
    }
  } finally {
    await client.close();
    await pool.close();
    await server.close();
    rmSync(stateDirectory, { recursive: true, force: true });
  }
  return figures;
}

async function callRaw(pool: Pool, origin: string): Promise<void> {
  const messageId = crypto.randomUUID();
  const response = await pool.request({
    method: 'POST',
    path: `/workspaces/${PEER}/a2a`,
    headers: {
      'user-agent': 'molecule-sdk-ts/0.0.0',
      origin,
      'x-workspace-id': SELF,
      'x-source-workspace-id': SELF,
      accept: 'application/json',
      authorization: `Bearer ${TOKEN}`,
      prefer: 'molecule-compact',
      'x-timeout': '24',
      'content-type': 'application/json',
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
