import { MessageFailure } from '@molecule-ai/core';
import { type AgentScript, completed, type ManualClock } from '@molecule-tests/harness';
import { describe, expect } from 'vitest';
import { valueAt } from './harness/http.ts';
import { inbox, type Member, onboard, send } from './harness/members.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import { DELIVERIES, type Handler, startTestAgent } from './harness/test-agent.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const MODES = [...DELIVERIES, { delivery: 'push' }] as const;
type Mode = (typeof MODES)[number]['delivery'];

const ENDS = ['answered', 'unanswered', 'failed', 'canceled', 'expired'] as const;
type End = (typeof ENDS)[number];

/** What the row of an end on the feed of its sender says; null for an end without a row. */
const ROWS: Readonly<Record<End, { readonly text: string; readonly code: unknown } | null>> = {
  answered: { text: 'It is done.', code: undefined },
  unanswered: null,
  failed: {
    text: 'There is no such invoice.',
    code: 'no_such_invoice',
  },
  canceled: null,
  expired: { text: '', code: 'message_expired' },
};

const LIFETIME_MS = 10_000;

/** Ends each message as its text says; a message that its sender ends is handled until then. */
const handler: Handler = ({ text }, { signal }) => {
  if (text === 'answered') return 'It is done.';
  if (text === 'unanswered') return undefined;
  if (text === 'failed') {
    throw new MessageFailure('There is no such invoice.', { code: 'no_such_invoice' });
  }
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
};

/** The same for an agent with a server. */
const script: AgentScript = (request) => {
  const end = valueAt(request.body, 'params', 'message', 'parts', 0, 'text');
  const body = (more: object) => ({ kind: 'json', body: { jsonrpc: '2.0', id: 1, ...more } }) as const;
  if (valueAt(request.body, 'method') === 'tasks/cancel') return body({ result: null });
  if (end === 'answered') return { kind: 'json', body: completed(request, 'It is done.') };
  if (end === 'unanswered') {
    return body({ result: { kind: 'task', id: 't', status: { state: 'completed' } } });
  }
  if (end === 'failed') {
    const data = { code: 'no_such_invoice' };
    return body({ error: { code: -32000, message: 'There is no such invoice.', data } });
  }
  return { kind: 'never' };
};

interface Target {
  readonly platform: RunningPlatform;
  readonly clock: ManualClock;
  readonly id: string;
  /** How many messages the agent got. */
  received(): number;
}

async function startTarget(environment: TestEnvironment, mode: Mode): Promise<Target> {
  if (mode !== 'push') {
    const started = await startTestAgent(environment, { delivery: mode, onMessage: handler });
    const { platform, clock, member, handled } = started;
    return { platform, clock, id: member.id, received: () => handled.length };
  }
  const platform = await environment.platform({
    clock: 'manual',
    security: { allowAgentNetworks: ['127.0.0.0/8'] },
  });
  const { url, requests } = await environment.scriptedAgent({ script });
  const { id } = await onboard(platform, { url });
  const received = () => requests.filter(({ body }) => valueAt(body, 'method') === 'message/send').length;
  return { platform, clock: platform.clock, id, received };
}

async function rowFor(sender: Member, messageId: string) {
  return (await inbox(sender)).find((row) => row.in_reply_to === messageId);
}

onEachDatabase('each end', (environment) => {
  describe.each(MODES)('by $delivery', ({ delivery }) => {
    for (const end of ENDS) {
      verifies('ends.reach-the-sender', `${end}: held call, later question, feed`, async () => {
        const { platform, clock, id, received } = await startTarget(environment, delivery);
        const peer = await onboard(platform);
        const sender = environment.client(platform, peer);
        const metadata = () =>
          end === 'expired' ? { deadline: new Date(clock.now() + LIFETIME_MS).toISOString() } : {};
        const until = (condition: () => boolean | Promise<boolean>) =>
          clock.advanceUntil(condition, { stepMs: 500, limitMs: 60_000 });

        let isComplete = false;
        const call = sender
          .callPeer(id, end, { messageId: 'held', timeoutMs: 300_000, metadata: metadata() })
          .finally(() => {
            isComplete = true;
          });
        await until(() => received() === 1);
        if (end === 'canceled') await sender.cancelTask('held');
        await until(() => isComplete);
        expect(await call).toMatchObject({ status: end, messageId: 'held' });
        expect((await sender.getMessage('held')).status).toBe(end);
        expect(await rowFor(peer, 'held')).toBeUndefined();

        await send(peer.caller, id, end, { messageId: 'absent', metadata: metadata() });
        await until(() => received() === 2);
        if (end === 'canceled') await sender.cancelTask('absent');
        await until(async () => (await sender.getMessage('absent')).status === end);
        const expected = ROWS[end];
        if (expected === null) {
          await clock.advance(60_000);
          expect(await inbox(peer)).toEqual([]);
          return;
        }
        await until(async () => (await rowFor(peer, 'absent')) !== undefined);
        const row = await rowFor(peer, 'absent');
        expect(valueAt(row, 'data', 'text')).toContain(expected.text);
        expect(valueAt(row, 'request_body', 'params', 'message', 'metadata', 'code')).toEqual(expected.code);
        expect(await inbox(peer)).toHaveLength(1);
      });
    }
  });
});
