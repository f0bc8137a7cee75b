import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RemoteAgentClient } from '@molecule-ai/core';
import { Pool } from 'undici';
import { type Figure, ratioFigure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { startProcess } from './servers/start-process.ts';
import { compareThroughput } from './throughput.ts';

const SELF = '0b6f0e0a-6f0b-4c27-9d0e-5c1f2f6f5b01';
const PEER = '0b6f0e0a-6f0b-4c27-9d0e-5c1f2f6f5b02';

/** Compares `callPeer` with undici sending and parsing the same JSON, both to a minimal server. */
export async function benchCallPeer(options: BenchmarkOptions): Promise<Figure[]> {
  const server = await startProcess('agent-server');
  const stateDirectory = mkdtempSync(join(tmpdir(), 'molecule-bench-'));
  const client = new RemoteAgentClient({
    workspaceId: SELF,
    platformUrl: server.url,
    authToken: 'k3Jd9aQxk3Jd9aQxk3Jd9aQxk3Jd9aQxk3Jd9aQxk3J',
    stateDirectory,
  });
  const pool = new Pool(server.url, { connections: 64 });
  const figures: Figure[] = [];
  try {
    for (const inFlight of [1, 16, 64]) {
      const [ours, raw] = await compareThroughput(
        [
          {
            name: 'callPeer',
            run: async () => {
              const reply = await client.callPeer(PEER, 'How far is the moon?');
              if (reply.text !== 'the answer of the peer') throw new Error('wrong answer');
            },
          },
          { name: 'undici', run: () => callRaw(pool) },
        ],
        { inFlight, ...options },
      );
      if (ours === undefined || raw === undefined) throw new Error('no measurement');
      const detail = `${Math.round(ours.perSecond)}/s against ${Math.round(raw.perSecond)}/s`;
      figures.push(
        ratioFigure(
          `callPeer : raw undici, ${inFlight} in flight`,
          ours.perSecond / raw.perSecond,
          0.85,
          detail,
        ),
      );
    }
  } finally {
    await client.close();
    await pool.close();
    await server.close();
    rmSync(stateDirectory, { recursive: true, force: true });
  }
  return figures;
}

async function callRaw(pool: Pool): Promise<void> {
  const messageId = crypto.randomUUID();
  const response = await pool.request({
    method: 'POST',
    path: `/workspaces/${PEER}/a2a`,
    headers: {
      'content-type': 'application/json',
      authorization: 'Bearer k3Jd9aQxk3Jd9aQxk3Jd9aQxk3Jd9aQxk3Jd9aQxk3J',
      'x-workspace-id': SELF,
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
          parts: [{ kind: 'text', type: 'text', text: 'How far is the moon?' }],
        },
      },
    }),
  });
  const body = (await response.body.json()) as { result: { parts: { text: string }[] } };
  if (body.result.parts[0]?.text !== 'the answer of the peer') throw new Error('wrong answer');
}
