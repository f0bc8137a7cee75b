import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { buildSendMessage } from '@molecule-ai/protocol';
import type { Figure } from '../figure.ts';
import { residentMb } from '../memory.ts';
import type { DeltaPlan } from '../servers/deltas.ts';
import { type StreamPeers, startStreamPeers } from './stream-peers.ts';

/** As many as one workspace may have. */
const READERS = 100;
const LONG: DeltaPlan = { count: 2_048, length: 4_096, gapMs: 0 };
const SHORT: DeltaPlan = { count: 64, length: 4_096, gapMs: 0 };
const SAMPLE_MS = 50;
const POLL_MS = 100;

/**
 * Measures the resident memory of the platform's process with 100 streams open, of which the clients read nothing after the head of
 * the response. Of the one long answer one client reads all: otherwise the platform would not take it from the agent.
 */
export async function benchStreamMemory(): Promise<Figure[]> {
  return [await measure('one answer of 8 MiB', readLong), await measure('100 answers of 256 KiB', readShort)];
}

/** Each with a platform of its own. Resolves when the platform has all of the answers. */
async function measure(
  name: string,
  read: (peers: StreamPeers, connections: Agent) => Promise<void>,
): Promise<Figure> {
  const peers = await startStreamPeers('push');
  const connections = new Agent({ maxSockets: READERS });
  try {
    // Loads what streams need.
    for (let index = 0; index < 20; index += 1)
      await readAll(await open(peers, connections, { plan: SHORT }));
    const before = await residentMb(peers.platform.pid);
    const peak = await peakDuring(peers.platform.pid, read(peers, connections));
    return {
      name: `memory, 100 streams that nobody reads, ${name}`,
      value: `at most ${peak} MB, ${before} MB before`,
    };
  } finally {
    connections.destroy();
    await peers.close();
  }
}

async function readLong(peers: StreamPeers, connections: Agent): Promise<void> {
  const messageId = crypto.randomUUID();
  const first = await open(peers, connections, { plan: LONG, messageId });
  const others = Array.from({ length: READERS - 1 }, () =>
    open(peers, connections, { plan: LONG, messageId }),
  );
  await Promise.all(others);
  const length = await readAll(first);
  if (length < LONG.count * LONG.length) throw new Error(`the answer has only ${length} bytes`);
}

async function readShort(peers: StreamPeers, connections: Agent): Promise<void> {
  const messageIds = Array.from({ length: READERS }, () => crypto.randomUUID());
  await Promise.all(messageIds.map((messageId) => open(peers, connections, { plan: SHORT, messageId })));
  for (const messageId of messageIds) {
    while ((await peers.client.getMessage(messageId)).status !== 'answered') await setTimeout(POLL_MS);
  }
}

interface Message {
  readonly plan: DeltaPlan;
  readonly messageId?: string;
}

/** Asks for a stream. Of its response only the head is read. */
function open(
  peers: StreamPeers,
  agent: Agent,
  { plan, messageId = crypto.randomUUID() }: Message,
): Promise<IncomingMessage> {
  const [agentId] = peers.agentIds;
  const body = { ...buildSendMessage({ messageId, text: JSON.stringify(plan) }), method: 'message/stream' };
  return new Promise((resolve, reject) => {
    const sent = request(`${peers.platform.url}/workspaces/${agentId}/a2a`, {
      method: 'POST',
      agent,
      headers: { authorization: `Bearer ${peers.token}`, 'content-type': 'application/json' },
    });
    sent.on('response', (response) => {
      const isStream = response.headers['content-type']?.startsWith('text/event-stream') === true;
      if (isStream) resolve(response.on('error', () => {}));
      else reject(new Error(`no stream: HTTP ${response.statusCode}`));
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}

/** Resolves with the number of bytes. */
async function readAll(response: IncomingMessage): Promise<number> {
  let length = 0;
  for await (const chunk of response) length += (chunk as Buffer).length;
  return length;
}

async function peakDuring(pid: number, run: Promise<void>): Promise<number> {
  let peak = 0;
  let isRunning = true;
  const sample = async () => {
    for (; isRunning; await setTimeout(SAMPLE_MS)) peak = Math.max(peak, await residentMb(pid));
  };
  const sampling = sample();
  try {
    await run;
  } finally {
    isRunning = false;
    await sampling;
  }
  return Math.max(peak, await residentMb(pid));
}
