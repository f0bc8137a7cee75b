import { describe, expect, it } from 'vitest';
import { PEER, SELF } from '../../test/agent-ids.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { inboundMessage } from '../../test/memory-feed.ts';
import { stage } from '../../test/test-client.ts';
import { currentMessage, runHandling, toCurrentMessage } from './current-message.ts';

const answer = {
  body: {
    jsonrpc: '2.0',
    id: '1',
    result: { kind: 'message', role: 'agent', messageId: 'a', parts: [{ kind: 'text', text: 'yes' }] },
  },
};
const notified = { body: { status: 'sent', activity_id: SELF } };

const message = (change: Parameters<typeof inboundMessage>[0], workspaceId = SELF) =>
  toCurrentMessage(inboundMessage(change), { workspaceId, attempt: 1 });

const metadataOf = ({ body }: { readonly body: unknown }) =>
  (body as { params: { message: { metadata?: unknown } } }).params.message.metadata;

describe('the current message', () => {
  it('is there in everything that the handler calls, and nowhere else', async () => {
    expect(currentMessage()).toBeUndefined();
    const seen: unknown[] = [];
    const one = message({ id: 'row-1' });
    await Promise.all([
      runHandling(one, new AbortController().signal, async () => {
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(currentMessage());
        await runHandling(message({ id: 'row-3' }), new AbortController().signal, async () => {});
        seen.push(currentMessage());
      }),
      runHandling(message({ id: 'row-2' }), new AbortController().signal, async () => {
        queueMicrotask(() => seen.push(currentMessage()?.activityId));
      }),
    ]);
    expect(seen.filter((each) => each === one)).toHaveLength(2);
    expect(seen).toContain('row-2');
    expect(currentMessage()).toBeUndefined();
  });

  it('is plain data', () => {
    const metadata = { trace_id: 'trace-1', deadline: '2026-11-02T10:00:00+01:00' };
    const current = message({ id: 'row-1', contextId: 'c', conversationId: 'd', metadata });
    expect(structuredClone(current)).toEqual({
      workspaceId: SELF,
      activityId: 'row-1',
      messageId: 'message-of-row-1',
      contextId: 'c',
      conversationId: 'd',
      source: 'peer_agent',
      sourceId: PEER,
      traceId: 'trace-1',
      traceparent: '',
      tracestate: '',
      deadline: '2026-11-02T09:00:00.000Z',
      attempt: 1,
      inReplyTo: '',
      hops: 1,
      path: [],
    });
    expect(Object.isFrozen(current)).toBe(true);
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    expect(message({ id: 'row-1', raw: { traceparent } })).toMatchObject({ traceparent, tracestate: '' });
    expect(message({ id: 'row-1', raw: { traceparent: 'nonsense' } }).traceparent).toBe('');
    const plain = message({ id: 'row-1', source: 'canvas_user', sourceId: 'user' });
    expect(plain).toMatchObject({ sourceId: '', deadline: null, traceId: message({ id: 'row-1' }).traceId });
    expect(plain.traceId).not.toBe(message({ id: 'row-2' }).traceId);
    expect(message({ id: 'row-1', raw: { trace_id: 'of the row' } }).traceId).toBe('of the row');
  });
});

describe('a message that is sent in a handler', () => {
  it('names its parent, its trace and the deadline', async () => {
    const clock = new ManualClock();
    await using s = await stage(answer, { clock });
    const deadline = new Date(clock.now() + 10_000).toISOString();
    const current = message({ id: 'row-1', metadata: { deadline } });
    const { signal } = new AbortController();
    await runHandling(current, signal, () => s.client.callPeer(PEER, 'hello'));
    const inherited = {
      parent_message_id: 'message-of-row-1',
      parent_activity_id: current.activityId,
      trace_id: current.traceId,
    };
    const path = { hops: 2, path: [[PEER, SELF]] };
    expect(metadataOf(s.server.last)).toEqual({ ...inherited, ...path, deadline });
    const sooner = new Date(clock.now() + 1_000).toISOString();
    const metadata = { trace_id: 'own', kept: 1, deadline: sooner };
    await runHandling(current, signal, () => s.client.callPeer(PEER, 'hello', { metadata }));
    expect(metadataOf(s.server.last)).toEqual({ ...inherited, ...path, ...metadata });
    const later = { metadata: { deadline: new Date(clock.now() + 60_000).toISOString() } };
    await runHandling(current, signal, () => s.client.callPeer(PEER, 'hello', later));
    expect(metadataOf(s.server.last)).toEqual({ ...inherited, ...path, deadline });
    s.server.script(notified);
    await runHandling(current, signal, () => s.client.notify('done'));
    expect(s.server.last.body).toMatchObject({ metadata: inherited });
    expect(s.server.contractProblems()).toEqual([]);
  });

  it('has no parent outside handlers, nor when another workspace sends it', async () => {
    await using s = await stage(answer);
    await s.client.callPeer(PEER, 'hello');
    expect(metadataOf(s.server.last)).toBeUndefined();
    const others = message({ id: 'row-1', metadata: { trace_id: 't' } }, PEER);
    await runHandling(others, new AbortController().signal, () => s.client.callPeer(PEER, 'hello'));
    expect(metadataOf(s.server.last)).toEqual({ trace_id: 't' });
  });

  it('is not waited for beyond the deadline', async () => {
    const clock = new ManualClock();
    await using s = await stage(answer, { clock });
    const ask = (deadlineMs: number) => {
      const metadata = { deadline: new Date(clock.now() + deadlineMs).toISOString() };
      return runHandling(message({ id: 'row-1', metadata }), new AbortController().signal, () =>
        s.client.callPeer(PEER, 'hello'),
      );
    };
    await ask(3_000);
    expect(s.server.last.headers['x-timeout']).toBe('2');
    await s.client.callPeer(PEER, 'hello', { timeoutMs: 3_600_000 });
    expect(s.server.last.headers['x-timeout']).toBe('300');
    const before = s.server.requests.length;
    await expect(ask(-1)).rejects.toMatchObject({ code: 'message_expired' });
    expect(s.server.requests).toHaveLength(before);
  });

  it('is aborted with the handler, whatever other signal the call has', async () => {
    await using s = await stage('hang');
    for (const method of ['callPeer', 'waitForAnswer', 'notify', 'reply'] as const) {
      const handler = new AbortController();
      const own = new AbortController();
      const calls = {
        callPeer: () => s.client.callPeer(PEER, 'hello', { signal: own.signal }),
        waitForAnswer: () => s.client.waitForAnswer('m-1', { signal: own.signal }),
        notify: () => s.client.notify('hello'),
        reply: () => s.client.reply(inboundMessage({ id: 'row-1' }), 'hello'),
      };
      const seen = s.server.requests.length;
      const call = runHandling<unknown>(message({ id: 'row-1' }), handler.signal, calls[method]);
      call.catch(() => {});
      while (s.server.requests.length === seen) await new Promise((resolve) => setImmediate(resolve));
      const reason = new Error(`${method} is over`);
      handler.abort(reason);
      await expect(call).rejects.toBe(reason);
    }
  });

  it('can be sent after the abort with a signal of its own, when it is for a person', async () => {
    await using s = await stage(notified);
    const aborted = AbortSignal.abort(new Error('stopped'));
    await runHandling(message({ id: 'row-1' }), aborted, async () => {
      await expect(s.client.notify('stopped')).rejects.toThrow('stopped');
      await s.client.notify('stopped', { signal: new AbortController().signal });
      await expect(s.client.callPeer(PEER, 'hello')).rejects.toThrow('stopped');
    });
    expect(s.server.requests).toHaveLength(1);
  });

  it('keeps the parent, and neither signal nor deadline, after the handler has ended', async () => {
    await using s = await stage(answer);
    const handler = new AbortController();
    const ended = Promise.withResolvers<void>();
    let later: Promise<unknown> | undefined;
    const current = message({ id: 'row-1', metadata: { deadline: '2020-01-01T00:00:00Z' } });
    await runHandling(current, handler.signal, async () => {
      later = ended.promise.then(() => s.client.callPeer(PEER, 'hello'));
    });
    handler.abort();
    ended.resolve();
    await later;
    expect(metadataOf(s.server.last)).toEqual({
      parent_message_id: 'message-of-row-1',
      parent_activity_id: 'row-1',
      trace_id: current.traceId,
      hops: 2,
      path: [[PEER, SELF]],
    });
  });
});

describe('the path of a call', () => {
  const OTHER = '11111111-2222-4333-8444-555555555555';

  /** The metadata of a call in the handling of a message. */
  async function metadataIn(change: Partial<Parameters<typeof inboundMessage>[0]>) {
    await using s = await stage(answer);
    const run = () => s.client.callPeer(OTHER, 'hello');
    await runHandling(message({ ...change, id: 'row-1' }), new AbortController().signal, run);
    return metadataOf(s.server.last);
  }

  it('continues that of the message that is handled, as far as its sender named it', async () => {
    expect(await metadataIn({})).toMatchObject({ hops: 2, path: [[PEER, SELF]] });
    const path = [[SELF, PEER]];
    expect(await metadataIn({ metadata: { hops: 2, path } })).toMatchObject({
      hops: 3,
      path: [
        [SELF, PEER],
        [PEER, SELF],
      ],
    });
    const withItself = [...path, [PEER, SELF]];
    expect(await metadataIn({ metadata: { hops: 2, path: withItself } })).toMatchObject({
      hops: 3,
      path: withItself,
    });
    expect(await metadataIn({ metadata: { hops: 7, path: 'none' } })).toMatchObject({
      hops: 8,
      path: [[PEER, SELF]],
    });
  });

  it('begins with a message of a person, and does not grow by an answer', async () => {
    const person = { source: 'canvas_user', sourceId: 'user' } as const;
    expect(await metadataIn({ ...person, metadata: { hops: 5 } })).toMatchObject({ hops: 1, path: [] });
    expect(await metadataIn({ role: 'agent', inReplyTo: 'q-1' })).not.toHaveProperty('hops');
  });

  it('is not part of what people are shown', async () => {
    await using s = await stage(notified);
    const signal = new AbortController().signal;
    await runHandling(message({ id: 'row-1' }), signal, () => s.client.notify('done'));
    expect(s.server.last.body).not.toHaveProperty('metadata.hops');
  });
});
