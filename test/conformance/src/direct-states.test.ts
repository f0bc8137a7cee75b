import {
  createRemoteAgent,
  type InboundDelivery,
  MemoryInboundStore,
  parseActivityRow,
} from '@molecule-ai/core';
import type { AgentRequest, AgentScript } from '@molecule-tests/harness';
import { completed, ManualClock } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { PLATFORM_BEARER, stageDirect } from './harness/direct-stage.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

type Inbox = Parameters<InboundDelivery['run']>[0]['inbox'];

interface Sent {
  readonly params: { readonly message: { readonly metadata?: { hops?: number; path?: unknown } } };
}

type Reaction = Awaited<ReturnType<AgentScript>>;

const methodOf = ({ body }: AgentRequest) => (body as { method?: string }).method;

function task(state: string, own: string, more: { text?: string; code?: string } = {}): Reaction {
  const message = more.text && { role: 'agent', messageId: 'x', parts: [{ kind: 'text', text: more.text }] };
  const result = {
    kind: 'task',
    id: 'm-1',
    contextId: 'c-1',
    status: { state, timestamp: '2026-11-02T09:00:00.000Z', ...(message ? { message } : {}) },
    metadata: { message_id: 'm-1', state: own, ...(more.code ? { code: more.code } : {}) },
  };
  return { kind: 'json', body: { jsonrpc: '2.0', id: 'm-1', result } };
}

const UNKNOWN: Reaction = {
  kind: 'json',
  body: { jsonrpc: '2.0', id: 'm-1', error: { code: -32001, message: 'no such task' } },
};

/** Accepts messages, and responds to questions about them. */
function working(asked: (method: string | undefined, count: number) => Reaction): AgentScript {
  let count = 0;
  return (request) => {
    const method = methodOf(request);
    if (method === 'message/send') return task('working', 'delivered');
    count += 1;
    return asked(method, count);
  };
}

const STILL = task('working', 'delivered');
const ANSWERED = task('completed', 'answered', { text: 'at last' });

onEachDatabase('the state of direct messages', { onDisk: true }, (environment) => {
  verifies('client.queued-is-no-error', 'working', async () => {
    const clock = new ManualClock(Date.now());
    const { client, peerId, peer, proxied } = await stageDirect(environment, {
      client: { connection: { clock } },
      script: working((_method, count) => (count <= 3 ? STILL : ANSWERED)),
    });
    const reply = await client.callPeer(peerId, 'hello', { messageId: 'm-1' });
    expect(reply).toMatchObject({ status: 'queued', via: 'direct', messageId: 'm-1', text: '' });
    expect(await client.getMessage('m-1')).toMatchObject({ status: 'queued', via: 'direct' });
    let isOver = false;
    const waited = client.waitForAnswer('m-1').finally(() => {
      isOver = true;
    });
    await clock.advanceUntil(() => isOver, { limitMs: 20_000, stepMs: 250 });
    expect(await waited).toMatchObject({ status: 'answered', via: 'direct', text: 'at last', peerId });
    expect(peer.requests.map(methodOf)).toEqual(['message/send', ...Array(4).fill('tasks/get')]);
    expect(new Set(peer.requests.map(({ headers }) => headers.authorization))).toEqual(
      new Set(['Bearer peer-token-1']),
    );
    expect(JSON.stringify(peer.requests)).not.toContain(PLATFORM_BEARER);
    expect(proxied()).toEqual([]);
  });

  verifies('client.queued-is-no-error', 'every other end is a status', async () => {
    for (const [state, own, status] of [
      ['completed', 'unanswered', 'unanswered'],
      ['failed', 'failed', 'failed'],
      ['canceled', 'canceled', 'canceled'],
      ['failed', 'expired', 'expired'],
      ['input-required', 'input_required', 'input-required'],
    ] as const) {
      const end = task(state, own, { text: 'because', code: 'disk_full' });
      const { client, peerId } = await stageDirect(environment, { script: working(() => end) });
      await client.callPeer(peerId, 'hello', { messageId: 'm-1' });
      expect(await client.waitForAnswer('m-1')).toMatchObject({ status, via: 'direct', code: 'disk_full' });
    }
  });

  verifies('direct.late-answer', 'late answer', async () => {
    const { client, peerId, peer, arrive } = await stageDirect(environment, { script: working(() => STILL) });
    await client.callPeer(peerId, 'hello', { messageId: 'm-1' });
    const waited = client.waitForAnswer('m-1');
    await peer.received(2);
    arrive({ inReplyTo: 'm-1', text: 'yes [/A2A_RESULT_FROM_PEER]' });
    arrive({ inReplyTo: 'm-2', text: 'something else' });
    expect((await client.fetchInbound()).map(({ inReplyTo }) => inReplyTo)).toEqual(['m-2']);
    // A marker without the other one is text.
    expect(await waited).toMatchObject({
      status: 'answered',
      via: 'direct',
      text: 'yes [/A2A_RESULT_FROM_PEER]',
    });
    expect((await client.fetchInbound()).map(({ inReplyTo }) => inReplyTo)).toEqual(['m-2']);
  });

  verifies('direct.late-answer', 'other ends, and one that nobody waits for', async () => {
    const { client, peerId, peer, arrive } = await stageDirect(environment, { script: working(() => STILL) });
    await client.callPeer(peerId, 'hello', { messageId: 'm-1' });
    const metadata = { molecule_end: { state: 'failed', code: 'disk_full' } };
    arrive({ inReplyTo: 'm-1', text: 'The disk is full.', metadata });
    expect(await client.fetchInbound()).toMatchObject([{ inReplyTo: 'm-1', text: 'The disk is full.' }]);
    const waited = client.waitForAnswer('m-1');
    await peer.received(2);
    await client.fetchInbound();
    expect(await waited).toMatchObject({ status: 'failed', code: 'disk_full', text: 'The disk is full.' });
  });

  verifies('direct.late-answer', 'through a delivery of the application', async () => {
    const { client, peerId, peer, arrive } = await stageDirect(environment, { script: working(() => STILL) });
    const opened = Promise.withResolvers<Inbox>();
    const handled: string[] = [];
    const agent = createRemoteAgent({
      client,
      delivery: {
        name: 'by hand',
        expectedSilenceMs: Number.POSITIVE_INFINITY,
        run: async ({ inbox }, signal) => {
          opened.resolve(inbox);
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        },
      },
      store: new MemoryInboundStore(),
      onMessage: () => null,
      onAnswer: ({ message }) => void handled.push(message.text),
    });
    await agent.start();
    const inbox = await opened.promise;
    await client.callPeer(peerId, 'hello', { messageId: 'm-1' });
    const waited = client.waitForAnswer('m-1');
    await peer.received(2);
    const [late, other] = ['m-1', 'm-2'].map((inReplyTo) =>
      parseActivityRow(arrive({ inReplyTo, text: `to ${inReplyTo}` })),
    );
    if (!late || !other) throw new Error('no message');
    expect([inbox.accept(late), inbox.accept(late)]).toEqual([false, false]);
    expect(await waited).toMatchObject({ status: 'answered', via: 'direct', text: 'to m-1' });
    expect(inbox.accept(other)).toBe(true);
    await agent.stop();
    expect(handled).toEqual(['to m-2']);
  });

  verifies('client.queued-is-no-error', 'peer gone', async () => {
    for (const script of [working(() => UNKNOWN), working(() => ({ kind: 'hang-up' }) as const)]) {
      const { client, peerId, arrive } = await stageDirect(environment, { script });
      await client.callPeer(peerId, 'hello', { messageId: 'm-1' });
      expect(await client.getMessage('m-1')).toMatchObject({ status: 'queued', via: 'direct' });
      expect(await client.waitForAnswer('m-1', { timeoutMs: 0 })).toMatchObject({ status: 'queued' });
      arrive({ inReplyTo: 'm-1', text: 'late' });
      expect(await client.waitForAnswer('m-1')).toMatchObject({ status: 'answered', text: 'late' });
    }
  });

  verifies('direct.cancel', 'cancel', async () => {
    const script = working(() => task('canceled', 'canceled'));
    const { client, peerId, peer, proxied } = await stageDirect(environment, { script });
    await client.callPeer(peerId, 'hello', { messageId: 'm-1' });
    expect(await client.cancelTask('m-1')).toMatchObject({ status: 'canceled', via: 'direct' });
    expect(peer.requests[1]?.body).toMatchObject({ method: 'tasks/cancel', params: { id: 'm-1' } });
    peer.react(() => ({ kind: 'hang-up' }));
    await expect(client.cancelTask('m-1')).rejects.toMatchObject({ code: 'connection_failed' });
    expect(proxied()).toEqual([]);
  });

  verifies('direct.cancel', 'by the abort of a call', async () => {
    const { client, peerId, peer, proxied } = await stageDirect(environment, {
      script: () => ({ kind: 'never' }),
    });
    const abort = new AbortController();
    const call = client.callPeer(peerId, 'hello', { messageId: 'm-1', signal: abort.signal });
    const failed = expect(call).rejects.toThrow('enough');
    await peer.received(1);
    peer.react((request) => ({ kind: 'json', body: completed(request, 'canceled') }));
    abort.abort(new Error('enough'));
    await failed;
    const requests = await peer.received(2);
    expect(requests[1]?.body).toMatchObject({ method: 'tasks/cancel', params: { id: 'm-1' } });
    expect(requests[1]?.headers.authorization).toBe('Bearer peer-token-1');
    expect(proxied()).toEqual([]);
  });

  verifies('loops.circles-end', 'path', async () => {
    const { client, peerId, peer, arrive } = await stageDirect(environment, { script: working(() => STILL) });
    let sent = 0;
    let refused: unknown;
    const ended = Promise.withResolvers<void>();
    const opened = Promise.withResolvers<Inbox>();
    const send = async () => {
      sent += 1;
      await client.callPeer(peerId, 'go on', { messageId: `m-${sent}` });
      const late = parseActivityRow(arrive({ inReplyTo: `m-${sent}`, text: 'late' }));
      if (late !== null) (await opened.promise).accept(late);
    };
    const agent = createRemoteAgent({
      client,
      delivery: {
        name: 'by hand',
        expectedSilenceMs: Number.POSITIVE_INFINITY,
        run: async ({ inbox }, signal) => {
          opened.resolve(inbox);
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        },
      },
      store: new MemoryInboundStore(),
      onMessage: () => null,
      onAnswer: async () => {
        try {
          await send();
        } catch (error) {
          refused = error;
          ended.resolve();
        }
      },
    });
    await agent.start();
    await send();
    await ended.promise;
    await agent.stop();
    expect(refused).toMatchObject({ code: 'loop_detected', message: expect.stringMatching(/^Not sent/) });
    expect([sent, peer.requests.length]).toEqual([502, 501]);
    const metadata = peer.requests.map(({ body }) => (body as Sent).params.message.metadata);
    expect(metadata[0]).toBeUndefined();
    // An answer adds no hop.
    expect(new Set(metadata.slice(1).map((each) => JSON.stringify([each?.hops, each?.path])))).toEqual(
      new Set(['[1,[]]']),
    );
  });
});
