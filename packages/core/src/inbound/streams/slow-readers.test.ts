import { describe, expect, it } from 'vitest';
import { pushOf } from '../../../test/arrival-stage.ts';
import { EventStream, textIn } from '../../../test/event-stream.ts';
import { openStream, scripted, streamOf } from '../../../test/stream-stage.ts';
import { ApiError } from '../../errors/api-error.ts';

describe('a reader that does not read', () => {
  it('is closed after 30 s; the handler waits for 5 s, and its answer is sent through the platform', async () => {
    const stage = await scripted();
    const response = await stage.open(pushOf('one', { method: 'message/stream' }));
    await stage.client.flushPromises();
    const { context } = stage.script;
    await context.stream('x'.repeat(60_000));
    let isReleased = false;
    const held = context.stream('x'.repeat(60_000)).then(() => {
      isReleased = true;
    });
    await stage.client.clock.advance(4_999);
    expect(isReleased).toBe(false);
    await stage.client.clock.advance(1);
    await held;
    await stage.client.clock.advance(25_000);
    stage.script.end();
    await stage.client.flushPromises();
    expect(stage.client.replies).toEqual([`one: ${'x'.repeat(120_000)}`]);
    await expect(response.text()).rejects.toThrow('did not read');
  });

  it.each([
    ['direct', 'is closed when it was behind for five minutes'],
    ['push', 'goes on, because the platform reads as fast as it can'],
  ])('but takes a piece now and then (%s) %s', async (use) => {
    const stage = await streamOf(use, { handlerTimeoutMs: null });
    stage.script.end(() => 'x'.repeat(20 * 64 * 1024));
    await stage.client.flushPromises();
    let pieces = 0;
    const read = async () => {
      for (; (await stage.events.next()) !== null; pieces += 1) await stage.client.clock.advance(29_000);
    };
    if (use === 'push') await read();
    else await expect(read()).rejects.toThrow('did not read');
    expect(pieces).toBe(use === 'push' ? 22 : 12);
  });

  it('counts as a request until it has gone', async () => {
    const { createInboundHandler } = await import('../../inbound-http/inbound-handler.ts');
    const stage = await scripted();
    const handler = createInboundHandler(stage.agent, { maxConcurrentRequests: 1 });
    const post = (id: string, method: string): Promise<Response> =>
      handler(
        new Request('https://agent.test/', {
          method: 'POST',
          headers: { authorization: 'Bearer a-secret-of-28-characters-ok' },
          body: JSON.stringify(pushOf(id, { method })),
        }),
      );
    await post('one', 'message/stream');
    expect((await post('two', 'message/send')).status).toBe(429);
    await stage.client.clock.advance(30_000);
    const events = new EventStream(await post('two', 'message/stream'));
    expect((await post('one', 'message/send')).status).toBe(429);
    await events.cancel();
    const last = new EventStream(await post('two', 'message/stream'));
    await stage.client.flushPromises();
    stage.script.end(() => 'done');
    expect(textIn(await last.rest())).toBe('done');
    expect((await post('two', 'message/send')).status).toBe(200);
  });
});

describe('an answer over the size of a request', () => {
  const LARGE = 'x'.repeat(2 * 1024 * 1024);
  const tooLarge = () =>
    new ApiError('413', {
      code: 'payload_too_large',
      status: 413,
      method: 'POST',
      path: '/workspaces/x/a2a',
    });

  it('whose reader has left is the response when it comes back, for more than a minute', async () => {
    const stage = await streamOf('direct');
    stage.client.replyFailure = tooLarge;
    await stage.events.cancel();
    stage.script.end(() => LARGE);
    await stage.client.clock.advance(70_000);
    const again = await openStream(stage, 'one', stage);
    const rest = again.rest();
    await stage.client.clock.advance(64_000);
    const events = await rest;
    expect([textIn(events).length, events.at(-1).metadata.state]).toEqual([LARGE.length, 'answered']);
    expect([stage.client.replies, stage.script.contexts.length]).toEqual([[], 1]);
  });

  it('whose reader does not come back fails the message: its sender gets a message, and the dead letter is small', async () => {
    const stage = await streamOf('direct');
    stage.client.replyFailure = (text) => (text.length > 1e6 ? tooLarge() : null);
    await stage.events.cancel();
    stage.script.end(() => LARGE);
    await stage.client.clock.advance(90_000);
    expect(stage.client.replies).toEqual([
      expect.stringMatching(/: The agent failed to handle this message\.$/),
    ]);
    const [letter] = await stage.agent.listDeadLetters();
    expect(letter).toMatchObject({ stage: 'reply', attempts: 5, errorCode: 'agent_answer_too_large' });
    const later = await (await openStream(stage, 'one', stage)).rest();
    expect(later.at(-1)).toMatchObject({ data: { code: 'agent_answer_too_large' } });
  });
});
