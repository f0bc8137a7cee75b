import type { HandlerContext, InboundMessage, MessageHandler, RemoteAgentClient } from '@molecule-ai/core';
import type { Figure } from '../figure.ts';
import { median } from '../statistics.ts';

const OVERHEAD_TARGET_MS = 0.1;
const CALLS_PER_ROUND = 70;
const WARM_UP_CALLS = 300;

/** One of two ways to do the same. */
export type Contender = () => Promise<unknown>;
/** What is done, without the adapter and with it. */
export type Pair = readonly [name: string, bare: Contender, ours: Contender];

/** What is measured while a message is handled: with a message and a context of a real run. */
export interface Handled {
  readonly client: RemoteAgentClient;
  /** Its answers come from memory: what is left is the cost of the adapter. */
  readonly peerId: string;
  readonly message: InboundMessage;
  readonly context: HandlerContext;
}

/** Alternates the two call by call, because what else the machine does takes more than what is measured; medians count. */
export async function compare(rounds: number, [name, bare, ours]: Pair): Promise<Figure> {
  const times: { bareMs: number; oursMs: number }[] = [];
  for (let call = 0; call < WARM_UP_CALLS + rounds * CALLS_PER_ROUND; call += 1) {
    const bareMs = await timeOf(bare);
    const oursMs = await timeOf(ours);
    if (call >= WARM_UP_CALLS) times.push({ bareMs, oursMs });
  }
  const before = median(times.map(({ bareMs }) => bareMs));
  const after = median(times.map(({ oursMs }) => oursMs));
  const more = median(times.map(({ bareMs, oursMs }) => oursMs - bareMs));
  return {
    name,
    value: `${more.toFixed(3)} ms more (${after.toFixed(3)} : ${before.toFixed(3)} ms, ${(after / before).toFixed(1)} times)`,
    target: `at most ${OVERHEAD_TARGET_MS} ms more`,
    met: more <= OVERHEAD_TARGET_MS,
  };
}

/** Each call is another message of another conversation. */
export function onNewMessages(handler: MessageHandler, { message, context }: Handled): Contender {
  return async () => {
    const id = crypto.randomUUID();
    // The journal of one message would have those of thousands.
    const once: HandlerContext['once'] = (_key, work) => Promise.resolve().then(work);
    return handler({ ...message, id, conversationId: id }, Object.create(context, { once: { value: once } }));
  };
}

async function timeOf(contender: Contender): Promise<number> {
  const start = performance.now();
  await contender();
  return performance.now() - start;
}
