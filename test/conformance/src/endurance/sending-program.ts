// An agent that sends its part of the plan, and takes what arrives on its feed about it. It is killed and started again.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { JournalReader, note } from './journal.ts';
import type { Lane } from './plan.ts';
import { Sending } from './sending.ts';

interface SenderPlan {
  readonly lanes: readonly Lane[];
  readonly targetIds: Readonly<Record<string, string>>;
}

const LIST_EVERY_MS = 1_000;

const { lanes, targetIds } = JSON.parse(readFileSync(process.env.PLAN ?? '', 'utf8')) as SenderPlan;
const client = new RemoteAgentClient();
const stopping = new AbortController();
const { signal } = stopping;
const sending = new Sending({
  lanes,
  targetIds,
  note,
  signal,
  earlier: new JournalReader(process.env.JOURNAL ?? '').readNew(),
  client: {
    call: (targetId, text, options) => client.callPeer(targetId, text, options),
    send: (targetId, text, options) => client.sendToPeer(targetId, text, options),
    waitForAnswer: (_, messageId, timeoutMs) => client.waitForAnswer(messageId, { timeoutMs, signal }),
    cancel: async (_, messageId) => void (await client.cancelTask(messageId)),
  },
});

const agent = createRemoteAgent({
  client,
  presence: { heartbeatIntervalMs: 5_000, reconnectSpreadMs: 1_000 },
  limits: { stopTimeoutMs: 5_000 },
  onMessage: () => null,
  onAnswer: async ({ message: { id: rowId, inReplyTo, metadata, text } }, { attempt }) => {
    const state = typeof metadata.state === 'string' ? metadata.state : 'answered';
    if (state === 'input_required') return sending.answerQuestion(inReplyTo);
    note('row', { id: inReplyTo, rowId, attempt });
    sending.noteEnd('feed', inReplyTo, state, { code: metadata.code ?? null, text });
  },
});
process.once('SIGTERM', () => {
  stopping.abort();
  void agent.stop();
});
await agent.start();
note('online');
const listing = listEnds();
await sending.run();
await agent.closed;
await listing;
await client.close();

/** What nobody waits for and no row reports, an `unanswered` message, is found in the list of what was sent. */
async function listEnds(): Promise<void> {
  const nobodyWaits = new Set(
    lanes.flatMap(({ messages }) => messages.filter(({ ask }) => ask === 'never').map(({ id }) => id)),
  );
  const listed = new Set<string>();
  let since: string | undefined;
  while (!signal.aborted) {
    try {
      const { messages } = await client.listMessages({ state: 'ended', since, limit: 200, signal });
      for (const { messageId, state, code } of messages) {
        if (listed.has(messageId) || !nobodyWaits.has(messageId)) continue;
        listed.add(messageId);
        sending.noteEnd('list', messageId, state, { code });
      }
      since = messages[0]?.endedAt ?? since;
    } catch {
      // The platform is down just now.
    }
    await sleep(LIST_EVERY_MS, undefined, { signal }).catch(() => {});
  }
}
