import { Pool } from 'undici';
import { type Figure, ratioFigure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { startPlatform } from './servers/start-platform.ts';
import { startProcess } from './servers/start-process.ts';
import { compareThroughput } from './throughput.ts';

/**
 * Compares a peer call through the platform (authentication, hierarchy, durable row, push, answer) with a minimal reverse
 * proxy on the same two hops; the platform once with and once without a disk flush per commit. The caller is undici in
 * all cases, and each server is a process.
 */
export async function benchProxiedCall(options: BenchmarkOptions): Promise<Figure[]> {
  const agent = await startProcess('agent-server');
  const bare = await startProcess('reverse-proxy', [agent.url]);
  const barePool = new Pool(bare.url, { connections: 64 });
  const platforms = [await startCalls('full', agent.url), await startCalls('normal', agent.url)];
  const figures: Figure[] = [];
  try {
    for (const inFlight of [1, 16, 64]) {
      const [peer, ...ours] = await compareThroughput(
        [{ name: 'bare reverse proxy', run: () => send(barePool, '/', undefined) }, ...platforms],
        { inFlight, ...options },
      );
      if (peer === undefined) throw new Error('no measurement');
      for (const each of ours) {
        const title = `proxied call (${each.name}) : bare proxy, ${inFlight} in flight`;
        figures.push(ratioFigure(title, each, peer, 1 / 3));
      }
    }
  } finally {
    await barePool.close();
    for (const platform of platforms) await platform.close();
    await bare.close();
    await agent.close();
  }
  return figures;
}

/** Starts a platform with a caller and a target agent. `run` is one call. */
export async function startCalls(synchronous: 'full' | 'normal', agentUrl: string) {
  const platform = await startPlatform(synchronous);
  const caller = await platform.join('caller');
  const target = await platform.join('target', agentUrl);
  const pool = new Pool(platform.url, { connections: 64 });
  return {
    name: `synchronous: ${synchronous}`,
    pid: platform.pid,
    run: () => send(pool, `/workspaces/${target.id}/a2a`, caller.token),
    close: async () => {
      await pool.close();
      await platform.close();
    },
  };
}

async function send(pool: Pool, path: string, token: string | undefined): Promise<void> {
  const messageId = crypto.randomUUID();
  const response = await pool.request({
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
        message: {
          role: 'user',
          messageId,
          parts: [{ kind: 'text', type: 'text', text: 'How far is the moon?' }],
        },
      },
    }),
  });
  const body = (await response.body.json()) as { result?: { parts?: { text: string }[] } };
  if (response.statusCode !== 200 || body.result?.parts?.[0]?.text?.includes('answer of the peer') !== true) {
    throw new Error(`wrong answer: HTTP ${response.statusCode} ${JSON.stringify(body).slice(0, 300)}`);
  }
}
