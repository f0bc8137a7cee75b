import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { type Figure, ratioFigure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { startPlatform } from './servers/start-platform.ts';
import { startProcess } from './servers/start-process.ts';
import { compareThroughput, type Throughput } from './throughput.ts';

/**
 * Compares a peer call through the platform (authentication, hierarchy, durable row, push, answer) with a minimal reverse
 * proxy on the same two hops, and with one that appends the request and the answer to a file and flushes it before it passes them on: what
 * this disk allows any proxy that loses no accepted call. The platform runs once with and once without a flush of its commits. The
 * caller is undici in all cases, and each server is a process.
 */
export async function benchProxiedCall(options: BenchmarkOptions): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'molecule-bench-'));
  const agent = await startProcess('agent-server');
  const proxies = [
    await startProxy('bare proxy', [agent.url]),
    await startProxy('proxy with two flushes', [agent.url, join(folder, 'calls.jsonl')]),
  ];
  const platforms = [await startCalls('full', agent.url), await startCalls('normal', agent.url)];
  const figures: Figure[] = [];
  try {
    for (const inFlight of [1, 16, 64]) {
      const measured = await compareThroughput([...proxies, ...platforms], { inFlight, ...options });
      const [bare, flushing, full, normal] = measured;
      if (bare === undefined || flushing === undefined || full === undefined || normal === undefined) {
        throw new Error('no measurement');
      }
      const against = (ours: Throughput, other: Throughput, target: number) => {
        const title = `proxied call (${ours.name}) : ${other.name}, ${inFlight} in flight`;
        return ratioFigure(title, ours, other, target);
      };
      figures.push(against(full, bare, 1 / 3), against(full, flushing, 1 / 2), against(normal, bare, 1 / 3));
    }
  } finally {
    for (const contender of [...platforms, ...proxies]) await contender.close();
    await agent.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return figures;
}

async function startProxy(name: string, args: readonly string[]) {
  const proxy = await startProcess('reverse-proxy', args);
  const pool = new Pool(proxy.url, { connections: 64 });
  return {
    name,
    run: () => send(pool, '/', undefined),
    close: async () => {
      await pool.close();
      await proxy.close();
    },
  };
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
