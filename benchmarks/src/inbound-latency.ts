import { createRemoteAgent } from '@molecule-ai/core';
import type { Figure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { startOrganisation } from './organisation.ts';
import { quantile } from './statistics.ts';

/** Measures the time from sending a message to the start of the handler of a long-polling agent. */
export async function benchInboundLatency(options: BenchmarkOptions): Promise<Figure[]> {
  const organisation = await startOrganisation();
  const sentAt = new Map<string, number>();
  const samples: number[] = [];
  try {
    const receiver = await organisation.join('receiver');
    const sender = await organisation.join('sender');
    const agent = createRemoteAgent({
      client: receiver,
      delivery: 'long-poll',
      onMessage: (message) => {
        const sent = sentAt.get(message.text);
        if (sent !== undefined) samples.push(performance.now() - sent);
        return 'ok';
      },
    });
    await agent.start();
    for (let index = 0; index < options.messages; index += 1) {
      const text = `message ${index}`;
      sentAt.set(text, performance.now());
      const reply = await sender.callPeer(receiver.workspaceId, text);
      if (reply.text !== 'ok') throw new Error(`wrong answer: ${reply.status}`);
    }
    await agent.stop();
  } finally {
    await organisation.close();
  }
  const p50 = quantile(samples, 0.5);
  return [
    {
      name: 'send to handler by long-poll, p50',
      value: `${p50.toFixed(2)} ms (p95 ${quantile(samples, 0.95).toFixed(2)} ms, ${samples.length} messages)`,
      target: 'under 10 ms',
      met: p50 < 10,
    },
  ];
}
