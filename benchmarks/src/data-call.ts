import { A2AServer, createRemoteAgent, defineSkill, handleSkill } from '@molecule-ai/core';
import * as z from 'zod';
import { type Figure, ratioFigure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { startOrganisation } from './organisation.ts';
import { freePort } from './servers/free-port.ts';
import { compareThroughput } from './throughput.ts';

/** About 4 KiB of JSON, as an order would be. */
const DATA = {
  items: Array.from({ length: 40 }, (_, at) => ({
    article: `article-${at}`,
    count: at,
    note: 'handle with care, this side up, keep it dry and cool',
  })),
};
const TEXT = JSON.stringify(DATA);
const SCHEMA = z.object({
  items: z.array(z.object({ article: z.string(), count: z.int(), note: z.string() })),
});
const echo = defineSkill({ id: 'echo', input: SCHEMA, output: SCHEMA });
const IN_FLIGHT = 8;

/** Compares a call with data, and one to a skill that both sides check, with a call with a text of the same bytes: the peer sends it back. */
export async function benchDataCall(options: BenchmarkOptions): Promise<Figure[]> {
  const organisation = await startOrganisation();
  const port = await freePort();
  try {
    const sender = await organisation.join('sender');
    const client = await organisation.join('receiver', { url: `http://127.0.0.1:${port}` });
    const agent = createRemoteAgent({
      client,
      delivery: 'push',
      skills: [handleSkill(echo, ({ data }) => ({ data }))],
      onMessage: ({ text, data }) => (data === undefined ? text : { data }),
    });
    const server = new A2AServer({ agent, port });
    await server.start();
    await agent.start();
    const peerId = client.workspaceId;
    const proxied = { via: 'proxy' } as const;
    const check = (count: number | undefined) => {
      if (count !== DATA.items.length) throw new Error('wrong answer');
    };
    const [text, data, skill] = await compareThroughput(
      [
        {
          name: 'text',
          run: async () =>
            check(JSON.parse((await sender.callPeer(peerId, TEXT, proxied)).text).items.length),
        },
        {
          name: 'data',
          run: async () => {
            const reply = await sender.callPeer(peerId, { data: DATA }, proxied);
            check((reply.data as typeof DATA).items.length);
          },
        },
        {
          name: 'skill',
          run: async () =>
            check((await sender.callPeer(peerId, { skill: echo, data: DATA }, proxied)).data?.items.length),
        },
      ],
      { inFlight: IN_FLIGHT, ...options },
    );
    await agent.stop();
    await server.stop();
    if (text === undefined || data === undefined || skill === undefined) throw new Error('no measurement');
    const bytes = `${(TEXT.length / 1024).toFixed(1)} KiB`;
    return [
      ratioFigure(`a call with data : with a text, ${bytes}, ${IN_FLIGHT} in flight`, data, text, 1 / 1.15),
      ratioFigure('a call to a skill with schemas of zod : with a text', skill, text, undefined),
    ];
  } finally {
    await organisation.close();
  }
}
