import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { OperatorClient } from '@molecule-ai/core/operator';
import { ProgramProcess, startPlatformProcess } from '@molecule-tests/harness';

const PROGRAM = fileURLToPath(new URL('./blocking-program.ts', import.meta.url));
const POLL_MS = 200;

export interface HeartbeatRunOptions {
  readonly folder: string;
  /** How long a handler burns CPU, in milliseconds. */
  readonly burnMs: number;
  /** How long the agent's process is stopped with SIGSTOP, in milliseconds. */
  readonly suspendMs: number;
  readonly heartbeatIntervalMs: number;
  /** After this time the blocked agent is reported as wedged, in milliseconds. */
  readonly maxBlockMs: number;
  /** After this time without a heartbeat the platform reports an agent as offline, in milliseconds. */
  readonly staleAfterMs: number;
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface HeartbeatRunResult {
  /** Longest time between two heartbeats while the handler burned CPU, in milliseconds. */
  readonly largestGapMs: number;
  readonly heartbeats: number;
  /** The statuses of the workspace while the handler burned CPU. */
  readonly burning: readonly string[];
  /** The statuses of the workspace from the suspension to the answer after it. */
  readonly suspended: readonly string[];
  /** Largest lag of the event loop that a heartbeat reported, in milliseconds. */
  readonly largestLagMs: number;
  /** What the agent handled, in order. */
  readonly handled: readonly string[];
}

/** An agent whose event loop is blocked, and whose process is suspended and resumed. */
export async function runHeartbeats(options: HeartbeatRunOptions): Promise<HeartbeatRunResult> {
  const { folder, burnMs, suspendMs, onProgress, signal } = options;
  const platform = await startPlatformProcess({
    folder,
    dataDirectory: join(folder, 'data'),
    arguments: ['--dev', '--log-level', 'error'],
    environment: { REMOTE_LIVENESS_STALE_AFTER: String(options.staleAfterMs / 1_000) },
    signal,
  });
  const proxy = await startProxy(platform.url);
  const operator = new OperatorClient({ platformUrl: platform.url, operatorKey: platform.operatorKey });
  let agent: ProgramProcess | undefined;
  try {
    const { id, authToken } = await operator.createWorkspace({ name: 'Blocked' });
    agent = new ProgramProcess({
      name: 'agent',
      program: PROGRAM,
      folder,
      environment: {
        MOLECULE_PLATFORM_URL: proxy.url,
        MOLECULE_WORKSPACE_ID: id,
        MOLECULE_WORKSPACE_TOKEN: authToken ?? '',
        MOLECULE_STATE_DIR: join(folder, 'state'),
        HEARTBEAT_INTERVAL_MS: String(options.heartbeatIntervalMs),
        MAX_BLOCK_MS: String(options.maxBlockMs),
      },
    });
    await agent.waitForEvent('online', signal);
    const send = (text: string) => post(`${platform.url}/workspaces/${id}/a2a`, platform.operatorKey, text);
    const status = async () => (await operator.getWorkspace(id)).status;

    onProgress(`the handler burns CPU for ${burnMs / 1_000} s`);
    const burning = new StatusLog(status);
    const from = performance.now();
    await send(`burn ${burnMs}`);
    const isBurnt = () => performance.now() - from > burnMs + 1_000;
    await burning.until((seen) => isBurnt() && seen === 'online', signal);
    const times = proxy.heartbeats.map(({ at }) => at);
    const beats = times.filter((at) => at >= from);
    const before = times.findLast((at) => at < from) ?? from;
    const largestGapMs = Math.max(...gapsOf([before, ...beats, performance.now()]));
    onProgress(`the largest gap between heartbeats was ${(largestGapMs / 1_000).toFixed(1)} s`);

    onProgress(`the process is suspended for ${suspendMs / 1_000} s`);
    const suspended = new StatusLog(status);
    agent.signal('SIGSTOP');
    const stoppedAt = performance.now();
    await send('burn 0');
    await suspended.until((seen) => performance.now() - stoppedAt > suspendMs && seen === 'offline', signal);
    agent.signal('SIGCONT');
    const { log } = agent;
    await suspended.until((seen) => {
      const isHandled = log.entries.some(({ event, text }) => event === 'handling' && text === 'burn 0');
      return isHandled && seen === 'online';
    }, signal);
    onProgress('the process runs again');
    return {
      largestGapMs,
      heartbeats: proxy.heartbeats.length,
      largestLagMs: Math.max(...proxy.heartbeats.map(({ lagMs }) => lagMs)),
      burning: burning.statuses,
      suspended: suspended.statuses,
      handled: log.entries.filter(({ event }) => event === 'handling').map(({ text }) => String(text)),
    };
  } finally {
    await agent?.kill();
    await operator.close();
    await platform.process.kill();
    await proxy.close();
  }
}

/** What of it must not happen; `maxGapMs` is the longest time that may lie between two heartbeats. */
export function heartbeatOffences(
  { largestGapMs, burning, suspended, handled }: HeartbeatRunResult,
  { burnMs, maxBlockMs, maxGapMs }: { burnMs: number; maxBlockMs: number; maxGapMs: number },
): readonly string[] {
  const whileBurning = maxBlockMs < burnMs ? 'online,degraded,online' : 'online';
  const expected = [`burn ${burnMs}`, 'burn 0'];
  return [
    ...(largestGapMs <= maxGapMs ? [] : [`${Math.round(largestGapMs)} ms lay between two heartbeats`]),
    ...(burning.join() === whileBurning
      ? []
      : [`while the handler ran the workspace was ${burning.join(', ')}`]),
    ...(suspended.join() === 'online,offline,online'
      ? []
      : [`with the suspension the workspace was ${suspended.join(', ')}`]),
    ...(handled.join() === expected.join() ? [] : [`handled: ${handled.join(', ')}`]),
  ];
}

/** The statuses of the workspace, without repetitions. */
class StatusLog {
  readonly statuses: string[] = [];
  readonly #status: () => Promise<string>;

  constructor(status: () => Promise<string>) {
    this.#status = status;
  }

  /** Looks again and again until `isOver` of the status that was noted last. */
  async until(isOver: (status: string) => boolean, signal: AbortSignal): Promise<void> {
    for (;;) {
      const status = await this.#status();
      if (this.statuses.at(-1) !== status) this.statuses.push(status);
      if (isOver(status)) return;
      await sleep(POLL_MS, undefined, { signal });
    }
  }
}

function gapsOf(times: readonly number[]): number[] {
  return times.slice(1).map((at, index) => at - (times[index] ?? at));
}

/** Passes requests on, and notes when heartbeats come and which lag they report. */
async function startProxy(target: string) {
  const heartbeats: { readonly at: number; readonly lagMs: number }[] = [];
  const server = createServer((incoming, response) => {
    if (incoming.url === '/registry/heartbeat') {
      const at = performance.now();
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => heartbeats.push({ at, lagMs: lagOf(Buffer.concat(chunks).toString()) }));
    }
    const headers = { ...incoming.headers, host: new URL(target).host };
    const outgoing = request(target + incoming.url, { method: incoming.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heartbeats,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Sends a message as a user, and does not wait for its answer. */
async function post(url: string, operatorKey: string, text: string): Promise<void> {
  const messageId = text.replace(' ', '-');
  const message = { kind: 'message', messageId, role: 'user', parts: [{ kind: 'text', text }] };
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${operatorKey}`,
      'content-type': 'application/json',
      'x-timeout': '1',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'message/send', params: { message } }),
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
}

function lagOf(heartbeat: string): number {
  const { runtime_metadata } = JSON.parse(heartbeat) as { runtime_metadata?: { event_loop_lag_ms?: number } };
  return runtime_metadata?.event_loop_lag_ms ?? 0;
}
