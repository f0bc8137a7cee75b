import { describe, expect, it } from 'vitest';
import { PEER, SELF } from '../../test/agent-ids.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { inboundMessage } from '../../test/memory-feed.ts';
import { STREAMING, streaming } from '../../test/streamed-response.ts';
import { type ClientStage, stage } from '../../test/test-client.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { runHandling, toCurrentMessage } from './current-message.ts';

async function streamingStage(clock?: ManualClock): Promise<ClientStage> {
  const s = await stage([], { clock });
  s.server.routes.set('GET /health', { headers: STREAMING, body: { status: 'ok' } });
  const canceled = { jsonrpc: '2.0', id: 1, result: { kind: 'task', id: SELF } };
  s.server.routes.set(`POST /workspaces/${SELF}/a2a`, { headers: STREAMING, body: canceled });
  return s;
}

const handled = (metadata: Record<string, string> = {}) =>
  toCurrentMessage(inboundMessage({ id: 'row-1', metadata }), { workspaceId: SELF, attempt: 1 });

const cancels = ({ server }: ClientStage) =>
  server.requests.filter(({ rawBody }) => rawBody.includes('tasks/cancel'));

describe('streamPeer in a handler', () => {
  it('names the message that is handled', async () => {
    await using s = await streamingStage();
    s.server.script(streaming((out) => out.begin('yes').end()));
    const current = handled();
    const { signal } = new AbortController();
    const stream = await runHandling(current, signal, async () => s.client.streamPeer(PEER, 'hello'));
    expect(await stream.reply()).toMatchObject({ text: 'yes' });
    expect(s.server.last.body).toMatchObject({
      params: {
        message: {
          metadata: { parent_message_id: 'message-of-row-1', hops: 2, trace_id: current.traceId },
        },
      },
    });
  });

  it('ends with its signal, and cancels the message unless the handler runs again with the same id', async () => {
    await using s = await streamingStage();
    s.server.script(streaming((out) => void out.begin('one')));
    const run = async (messageId?: string) => {
      const controller = new AbortController();
      const reason = new MoleculeError('stop', { code: 'agent_stopped' });
      await runHandling(handled(), controller.signal, async () => {
        const read = async () => {
          for await (const _piece of s.client.streamPeer(PEER, 'hello', { messageId }))
            controller.abort(reason);
        };
        await expect(read()).rejects.toBe(reason);
      });
    };
    await run('m-1');
    await run();
    await s.client.close();
    expect(cancels(s)).toHaveLength(1);
    expect(cancels(s)[0]?.rawBody).not.toContain('"m-1"');
  });

  it('ends at the deadline of the message', async () => {
    const clock = new ManualClock();
    await using s = await streamingStage(clock);
    s.server.script(streaming((out) => void out.begin('one')));
    const deadline = new Date(clock.now() + 60_000).toISOString();
    const { signal } = new AbortController();
    await runHandling(handled({ deadline }), signal, async () => {
      const iterator = s.client.streamPeer(PEER, 'hello')[Symbol.asyncIterator]();
      expect((await iterator.next()).value).toBe('one');
      const next = iterator.next();
      await clock.advance(60_001);
      expect(await next).toMatchObject({ done: true, value: { status: 'queued' } });
      const before = s.server.requests.length;
      const late = s.client.streamPeer(PEER, 'hello');
      await expect(late.reply()).rejects.toMatchObject({ code: 'message_expired' });
      expect(s.server.requests).toHaveLength(before);
    });
    await s.client.close();
    expect(cancels(s)).toEqual([]);
  });
});
