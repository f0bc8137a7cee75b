import { createRemoteAgent } from '@molecule-ai/core';
import type { Figure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { startOrganisation } from './organisation.ts';
import { startCountingProxy } from './servers/counting-proxy.ts';

/** Measures the requests and bytes per minute of an idle agent, through a counting relay. */
export async function benchIdleCost(options: BenchmarkOptions): Promise<Figure[]> {
  const organisation = await startOrganisation();
  const relay = await startCountingProxy(organisation.url);
  try {
    const client = await organisation.join('idle', { platformUrl: relay.url });
    const agent = createRemoteAgent({ client, onMessage: () => undefined });
    await agent.start();
    const before = { ...relay.traffic };
    const start = performance.now();
    await new Promise((resolve) => setTimeout(resolve, options.idleSeconds * 1_000));
    const minutes = (performance.now() - start) / 60_000;
    const after = { ...relay.traffic };
    await agent.stop();
    const perMinute = (key: keyof typeof before) => ((after[key] - before[key]) / minutes).toFixed(1);
    return [
      {
        name: 'idle agent, per minute',
        value: `${perMinute('requests')} requests, ${perMinute('bytesUp')} bytes up, ${perMinute('bytesDown')} bytes down (over ${options.idleSeconds} s)`,
      },
    ];
  } finally {
    await relay.close();
    await organisation.close();
  }
}
