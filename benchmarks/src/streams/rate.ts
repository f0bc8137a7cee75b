import { createParser } from 'eventsource-parser';
import { Pool } from 'undici';
import { publishedClient, requestOfSdk } from '../a2a-sdk-client.ts';
import { type Figure, ratioFigure } from '../figure.ts';
import type { BenchmarkOptions } from '../options.ts';
import type { DeltaPlan } from '../servers/deltas.ts';
import { startProcess } from '../servers/start-process.ts';
import { type Contender, compareThroughput, ratioOf, type Throughput } from '../throughput.ts';
import { startStreamPeers } from './stream-peers.ts';

const PLAN: DeltaPlan = { count: 200, length: 20, gapMs: 0 };
const TEXT = JSON.stringify(PLAN);

/**
 * Compares whole streams of the same deltas, one in each turn of the event loop: `streamPeer` and `A2AServer` with a token verified
 * and the message on disk; undici, `JSON.parse` and a server of `node:http`; client and server of the A2A SDK.
 */
export async function benchStreamRate(options: BenchmarkOptions): Promise<Figure[]> {
  const peers = await startStreamPeers('push');
  const bare = await startProcess('event-server');
  const sdk = await startProcess('a2a-sdk-agent');
  const pool = new Pool(bare.url, { connections: 64 });
  const published = await publishedClient(sdk.url);
  const [peerId = ''] = peers.agentIds;
  const pieces = { count: 0, streams: 0 };
  const contenders: Contender[] = [
    {
      name: 'streamPeer',
      run: async () => {
        const text = new ReadText();
        const stream = peers.client.streamPeer(peerId, TEXT);
        for await (const piece of stream) text.add(piece);
        if ((await stream.reply()).via !== 'direct') throw new Error('the stream was not direct');
        pieces.count += text.check().pieces;
        pieces.streams += 1;
      },
    },
    { name: 'node:http', run: () => readBare(pool) },
    {
      name: 'A2A SDK 1.3',
      run: async () => {
        const text = new ReadText();
        for await (const { payload } of published.sendMessageStream(requestOfSdk(TEXT))) {
          if (payload?.$case !== 'artifactUpdate') continue;
          const content = payload.value.artifact?.parts[0]?.content;
          text.add(content?.$case === 'text' ? content.value : '');
        }
        text.check();
      },
    },
  ];
  try {
    const figures: Figure[] = [];
    for (const inFlight of [1, 16]) {
      Object.assign(pieces, { count: 0, streams: 0 });
      const measured = await compareThroughput(contenders, { ...options, inFlight });
      const perPiece = (pieces.streams * PLAN.count) / pieces.count;
      figures.push(...figuresOf(measured, `${inFlight} at a time`, perPiece));
    }
    return figures;
  } finally {
    await pool.close();
    await sdk.close();
    await bare.close();
    await peers.close();
  }
}

function figuresOf([ours, bare, sdk]: readonly Throughput[], at: string, perPiece: number): Figure[] {
  if (ours === undefined || bare === undefined || sdk === undefined) throw new Error('no measurement');
  const rate = (of: Throughput) => {
    const deltas = `${Math.round(of.perSecond * PLAN.count)} deltas/s`;
    return of === ours ? `${deltas}, ${perPiece.toFixed(1)} in a piece,` : deltas;
  };
  const name = (other: Throughput) => `streams : ${other.name}, ${at}`;
  return [
    ratioFigure(name(sdk), ours, sdk, 1, rate),
    { name: name(bare), value: `${ratioOf(ours, bare).toFixed(2)} (${rate(ours)} against ${rate(bare)})` },
  ];
}

interface BareEvent {
  readonly result: {
    readonly kind: string;
    readonly artifact?: { readonly parts: readonly [{ readonly text: string }] };
  };
}

async function readBare(pool: Pool): Promise<void> {
  const id = crypto.randomUUID();
  const parts = [{ kind: 'text', text: TEXT }];
  const message = { kind: 'message', role: 'user', messageId: id, contextId: id, parts };
  const response = await pool.request({
    method: 'POST',
    path: '/',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id, method: 'message/stream', params: { message } }),
  });
  const text = new ReadText();
  const parser = createParser({
    onEvent: ({ data }) => text.add((JSON.parse(data) as BareEvent).result.artifact?.parts[0].text ?? ''),
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body) parser.feed(decoder.decode(chunk as Buffer, { stream: true }));
  text.check();
}

/** What one reader has read. */
class ReadText {
  #length = 0;
  pieces = 0;

  add(piece: string): void {
    this.#length += piece.length;
    if (piece !== '') this.pieces += 1;
  }

  check(): this {
    const expected = PLAN.count * PLAN.length;
    if (this.#length !== expected) throw new Error(`read ${this.#length} of ${expected} characters`);
    return this;
  }
}
