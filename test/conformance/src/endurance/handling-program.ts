// An agent that reads its feed and treats each message as its text says. It is killed and started again.
import { setTimeout as sleep } from 'node:timers/promises';
import { createRemoteAgent, MessageFailure, PollDelivery, RemoteAgentClient } from '@molecule-ai/core';
import { note } from './journal.ts';
import { messageOf, questionOf, readOrder } from './plan.ts';
import { work } from './work.ts';

const client = new RemoteAgentClient();
const agent = createRemoteAgent({
  client,
  delivery: process.env.DELIVERY === 'poll' ? new PollDelivery({ intervalMs: 1_000 }) : 'long-poll',
  concurrency: 32,
  presence: { heartbeatIntervalMs: 5_000, reconnectSpreadMs: 1_000 },
  limits: { stopTimeoutMs: 5_000 },
  onAnswer: (answer) => {
    if (answer.kind === 'late') return;
    const [question] = answer.questions;
    const id = messageOf(question?.id ?? '');
    // An approval of somebody else must not count.
    if (question?.decision === null || question?.by === 'operator') note('done', { id });
    return `answer ${id}`;
  },
  onMessage: async (message, { attempt, reply, signal }) => {
    const order = readOrder(message.text);
    const { id, act } = order;
    note('run', { id, attempt });
    if (act === 'reply') {
      await reply(`answer ${id}`);
      note('done', { id });
    }
    await work(order, message.metadata.deadline, signal);
    switch (act) {
      case 'reply':
        return undefined;
      case 'ask':
      case 'approve':
        return { text: '', questions: [questionOf(order)].filter((question) => question !== undefined) };
      case 'silent':
        note('done', { id });
        return undefined;
      case 'fail':
        throw new MessageFailure(`failure ${id}`, { code: 'as_ordered' });
      case 'invalid':
        return 42 as never;
      case 'throw':
        throw new Error('as ordered');
      case 'flaky':
        if (attempt === 1) throw new Error('the first attempt fails');
        break;
      default:
    }
    if (!signal.aborted) note('done', { id });
    return `answer ${id}`;
  },
});
process.once('SIGTERM', () => agent.stop());
await agent.start();
note('online');
await agent.closed;
await client.close();
// Handlers that ignore their signal may still sleep.
await sleep(0);
process.exit(0);
