import { describe, expect, it } from 'vitest';
import { PEER, SELF } from '../../test/agent-ids.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { inboundMessage } from '../../test/memory-feed.ts';
import { stage } from '../../test/test-client.ts';
import { runHandling, toCurrentMessage } from './current-message.ts';

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

describe('a message that is sent in a handler', () => {
  it('is not waited for beyond the deadline', async () => {
    const clock = new ManualClock();
    await using s = await stage(answer, { connection: { clock } });
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
