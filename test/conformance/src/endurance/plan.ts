import type { QuestionToAsk } from '@molecule-ai/core';

/** The messages of a run. The same seed gives the same plan; what happens when is up to the processes. */

/** How the agent of the target treats a message, and thereby how it ends. */
export const ACTS = {
  answer: 'answered',
  /** Takes so long that a kill often interrupts it. */
  slow: 'answered',
  /** Answers by `context.reply`, and goes on working. */
  reply: 'answered',
  /** Fails once and is retried. */
  flaky: 'answered',
  /** Asks its sender for words, and answers when it has them. */
  ask: 'answered',
  /** Asks for an approval, which only the operator may give. */
  approve: 'answered',
  silent: 'unanswered',
  /** `MessageFailure`; a JSON-RPC error of the push agent. */
  fail: 'failed',
  /** Returns something that is not an answer: a dead letter at once. The push agent responds with 500. */
  invalid: 'failed',
  /** Throws on each of its five attempts, which takes a minute and a half. */
  throw: 'failed',
  /** Works until its sender cancels it. */
  cancel: 'canceled',
  /** Works past the deadline of its sender. */
  expire: 'expired',
} as const;

export type Act = keyof typeof ACTS;

export const SENDERS = ['sender-1', 'sender-2', 'operator'] as const;
export const TARGETS = ['long-poll', 'poll', 'push'] as const;

export type SenderName = (typeof SENDERS)[number];
export type TargetName = (typeof TARGETS)[number];

/** How the sender learns the end: it waits in the call, it asks later, or it waits for nothing. */
export type Ask = 'held' | 'later' | 'never';

export interface PlannedMessage {
  readonly id: string;
  readonly sender: SenderName;
  readonly target: TargetName;
  readonly act: Act;
  readonly ask: Ask;
  readonly workMs: number;
}

/** Messages that one sender sends to one target, each after the one before it was accepted. */
export interface Lane {
  /** One conversation whose order is checked; null when each message starts a conversation of its own. */
  readonly contextId: string | null;
  readonly messages: readonly PlannedMessage[];
}

/** Numbers from 0 to 1, the same for the same seed. */
export type RandomSource = () => number;

/** Mulberry32. */
export function seededRandom(seed: number): RandomSource {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pick<T>(random: RandomSource, from: readonly [T, ...T[]]): T {
  return from[Math.floor(random() * from.length)] ?? from[0];
}

const ORDERED: readonly [Act, ...Act[]] = ['answer', 'answer', 'answer', 'slow', 'silent', 'fail', 'reply'];
const FREE: readonly [Act, ...Act[]] = [
  ...ORDERED,
  'answer',
  'answer',
  'flaky',
  'ask',
  'approve',
  'invalid',
  'cancel',
  'expire',
];
const ASKS: readonly [Ask, ...Ask[]] = ['held', 'later', 'never'];
/** Long enough for the retries of `throw` to be a small part of the run. */
const MESSAGES_WITH_THROW = 1_000;

/** Spreads `count` messages over two lanes for each pair of a sender and a target. */
export function planMessages(count: number, random: RandomSource): readonly Lane[] {
  const lanes: { contextId: string | null; messages: PlannedMessage[] }[] = [];
  for (const sender of SENDERS) {
    for (const target of TARGETS) {
      for (const contextId of [`${sender}-to-${target}`, null]) lanes.push({ contextId, messages: [] });
    }
  }
  const pairs = SENDERS.flatMap((sender) => TARGETS.map((target) => ({ sender, target })));
  for (let n = 0; n < count; n += 1) {
    const lane = lanes[n % lanes.length];
    const pair = pairs[Math.floor((n % lanes.length) / 2)];
    if (lane === undefined || pair === undefined) continue;
    const isThrow = count >= MESSAGES_WITH_THROW && lane.contextId === null && lane.messages.length === 1;
    const chosen = isThrow ? 'throw' : pick(random, lane.contextId === null ? FREE : ORDERED);
    const act = actOf(pair.target, chosen);
    // Nobody who waits for nothing cancels.
    const ask = act === 'cancel' || pair.sender === 'operator' ? 'later' : pick(random, ASKS);
    const workMs = Math.floor(random() * (act === 'slow' ? 400 : 20));
    lane.messages.push({ id: `m-${n}`, ...pair, act, ask, workMs });
  }
  return lanes;
}

/** A plain server has no `context.reply`, and no retries of its own. */
function actOf(target: TargetName, act: Act): Act {
  if (target !== 'push') return act;
  if (act === 'reply') return 'answer';
  return act === 'throw' ? 'invalid' : act;
}

/** The question that an agent asks about a message; undefined for one that it can answer at once. */
export function questionOf({ id, act }: Order): (QuestionToAsk & { readonly id: string }) | undefined {
  if (act === 'ask') return { id: `about-${id}`, kind: 'text', text: 'In which words?', from: 'sender' };
  if (act === 'approve') return { id: `about-${id}`, kind: 'approval', text: 'May I?', from: 'user' };
  return undefined;
}

/** The message that a question is about. */
export function messageOf(questionId: string): string {
  return questionId.slice('about-'.length);
}

/** What the text of a message asks its agent to do. */
export interface Order {
  readonly id: string;
  readonly act: Act;
  readonly workMs: number;
}

export function orderText({ id, act, workMs }: PlannedMessage): string {
  return JSON.stringify({ id, act, workMs } satisfies Order);
}

export function readOrder(text: string): Order {
  return JSON.parse(text) as Order;
}
