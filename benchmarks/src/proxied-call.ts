import { Pool } from 'undici';
import { type Figure, ratioFigure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { startPlatformProcess } from './servers/start-platform.ts';
import { startProcess } from './servers/start-process.ts';
import { compareThroughput } from './throughput.ts';

/**
 * A peer call end to end through the platform (auth, hierarchy, durable row, push, answer) against a bare
 * reverse proxy on the same two hops. The caller is raw undici on both sides, each server its own process.
 */
export async function benchProxiedCall(options: BenchmarkOptions): Promise<Figure[]> {
  const agent = await startProcess('agent-server');
  const bare = await startProcess('reverse-proxy', agent.url);
  const platform = await startPlatformProcess();
  const figures: Figure[] = [];
  const barePool = new Pool(bare.url, { connections: 64 });
  const platformPool = new Pool(platform.url, { connections: 64 });
  try {
    const caller = await platform.join('caller');
    const target = await platform.join('target', agent.url);
    for (const inFlight of [1, 16, 64]) {
      const [ours, peer] = await compareThroughput(
        [
          {
            name: 'platform',
            run: () => send(platformPool, `/workspaces/${target.id}/a2a`, caller.token),
          },
          { name: 'bare reverse proxy', run: () => send(barePool, '/', undefined) },
        ],
        { inFlight, ...options },
      );
      if (ours === undefined || peer === undefined) throw new Error('nothing was measured');
      const detail = `${Math.round(ours.perSecond)}/s against ${Math.round(peer.perSecond)}/s`;
      figures.push(
        ratioFigure(
          `proxied call : bare proxy, ${inFlight} in flight`,
          ours.perSecond / peer.perSecond,
          1 / 3,
          detail,
        ),
      );
    }
  } finally {
    await barePool.close();
    await platformPool.close();
    await platform.close();
    await bare.close();
    await agent.close();
  }
  return figures;
}

async function send(pool: Pool, path: string, token: string | undefined): Promise<void> {
  const messageId = crypto.randomUUID();
  const answer = await pool.request({
    method: 'POST',
    path,
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: messageId,
      method: 'message/send',
      params: {
        message: { role: 'user', messageId, parts: [{ kind: 'text', type: 'text', text: 'How far is the moon?' }] },
      },
    }),
  });
  const body = (await answer.body.json()) as { result?: { parts?: { text: string }[] } };
  if (answer.statusCode !== 200 || body.result?.parts?.[0]?.text?.includes('answer of the peer') !== true) {
    throw new Error(`wrong answer: HTTP ${answer.statusCode} ${JSON.stringify(body).slice(0, 300)}`);
  }
}
