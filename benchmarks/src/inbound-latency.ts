import {
  A2AServer,
  createRemoteAgent,
  PollDelivery,
  type RemoteAgentClient,
  type RemoteAgentOptions,
} from '@molecule-ai/core';
import type { Figure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { type Organisation, startOrganisation } from './organisation.ts';
import { freePort } from './servers/free-port.ts';
import { quantile } from './statistics.ts';

/** The shortest that an agent accepts, and the pause for 30 s after a message whatever its interval is. */
const POLL_INTERVAL_MS = 1_000;
/** Of the median, by the name of the way. */
const LIMITS_MS: Readonly<Record<string, number>> = { push: 3, 'long-poll': 5 };
const SHARE_OF_POLL = 1 / 8;

interface Receiver {
  readonly name: string;
  /** From the call of the sender to the start of the handler, in milliseconds. */
  readonly samples: number[];
  send(text: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Measures the time from sending a message to the start of its handler, for each way in which an agent receives. Messages
 * follow each other; those to the polling agent at random times, fewer and meanwhile.
 */
export async function benchInboundLatency({ messages }: BenchmarkOptions): Promise<Figure[]> {
  const organisation = await startOrganisation();
  const receivers: Receiver[] = [];
  try {
    const sender = await organisation.join('sender');
    const start = async (name: string, delivery: RemoteAgentOptions['delivery']) => {
      const receiver = await startReceiver(organisation, sender, { name, delivery });
      receivers.push(receiver);
      return receiver;
    };
    const push = await start('push', 'push');
    const longPoll = await start('long-poll', 'long-poll');
    const poll = await start(
      `poll every ${POLL_INTERVAL_MS} ms`,
      new PollDelivery({ intervalMs: POLL_INTERVAL_MS }),
    );
    for (let index = 0; index < messages; index += 1) {
      await push.send(`pushed ${index}`);
      await longPoll.send(`held ${index}`);
    }
    const polled = Array.from({ length: Math.ceil(messages * SHARE_OF_POLL) }, async (_, index) => {
      await new Promise((resolve) => setTimeout(resolve, index * 400 + Math.random() * POLL_INTERVAL_MS));
      await poll.send(`polled ${index}`);
    });
    await Promise.all(polled);
  } finally {
    for (const receiver of receivers) await receiver.close();
    await organisation.close();
  }
  return receivers.map(figureOf);
}

function figureOf({ name, samples }: Receiver): Figure {
  const [p50, p99] = [quantile(samples, 0.5), quantile(samples, 0.99)];
  const figure = {
    name: `send to handler by ${name}, p50`,
    value: `${p50.toFixed(2)} ms (p99 ${p99.toFixed(2)} ms, ${samples.length} messages)`,
  };
  const limitMs = LIMITS_MS[name];
  return limitMs === undefined ? figure : { ...figure, target: `under ${limitMs} ms`, met: p50 < limitMs };
}

async function startReceiver(
  organisation: Organisation,
  sender: RemoteAgentClient,
  { name, delivery }: { readonly name: string; readonly delivery: RemoteAgentOptions['delivery'] },
): Promise<Receiver> {
  const port = await freePort();
  const url = delivery === 'push' ? { url: `http://127.0.0.1:${port}` } : {};
  const client = await organisation.join(name, url);
  const sentAt = new Map<string, number>();
  const samples: number[] = [];
  const agent = createRemoteAgent({
    client,
    delivery,
    onMessage: ({ text }) => {
      samples.push(performance.now() - (sentAt.get(text) ?? Number.NaN));
      return 'ok';
    },
  });
  const server = delivery === 'push' ? new A2AServer({ agent, port }) : undefined;
  await server?.start();
  await agent.start();
  return {
    name,
    samples,
    send: async (text) => {
      sentAt.set(text, performance.now());
      const reply = await sender.callPeer(client.workspaceId, text, { via: 'proxy' });
      if (reply.text !== 'ok') throw new Error(`wrong answer: ${reply.status}`);
    },
    close: async () => {
      await agent.stop();
      await server?.stop();
    },
  };
}
