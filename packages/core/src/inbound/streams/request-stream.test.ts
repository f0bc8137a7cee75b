import { extractAnswerText, type JsonValue, StreamedAnswer } from '@molecule-ai/protocol';
import { describe, expect, it } from 'vitest';
import { pushOf } from '../../../test/arrival-stage.ts';
import { EventStream, type SentEvent, textIn } from '../../../test/event-stream.ts';
import { openStream, type StreamStageOptions, scripted, streamOf } from '../../../test/stream-stage.ts';

/** What the platform makes of the events. */
function collected(events: readonly SentEvent[]): JsonValue {
  const answer = new StreamedAnswer(1_000_000);
  for (const event of events) {
    if (typeof event !== 'string') answer.add({ jsonrpc: '2.0', id: 1, result: event });
  }
  return answer.response?.result ?? null;
}

describe('the stream of a pushed message', () => {
  it('has the form of A2A 1.0 when it is opened by SendStreamingMessage', async () => {
    const stage = await scripted({ onMessage: () => 'at once' });
    const events = await (await openStream(stage, 'one', { method: 'SendStreamingMessage' })).rest();
    expect(events).toMatchObject([
      { task: { id: 'one', status: { state: 'TASK_STATE_WORKING' } } },
      { artifactUpdate: { artifact: { parts: [{ text: 'at once' }] }, append: false } },
      { statusUpdate: { taskId: 'one', status: { state: 'TASK_STATE_COMPLETED' } } },
    ]);
    expect(JSON.stringify(events)).not.toMatch(/"(kind|type|final)"/);
  });

  it('is a JSON response when the message is not accepted', async () => {
    const stage = await scripted({ isStarted: false } as StreamStageOptions);
    const refused = await stage.post(pushOf('one', { method: 'message/stream' }));
    expect([refused.status, refused.body.error.data.code]).toEqual([503, 'not_accepting']);
    const unauthorized = await stage.post(pushOf('one', { method: 'message/stream' }), {
      headers: { authorization: 'Bearer wrong' },
    });
    expect(unauthorized.status).toBe(401);
  });

  it('is read by a repeat from the beginning, while it is made and afterwards, and by tasks/resubscribe', async () => {
    const stage = await scripted();
    const first = await openStream(stage, 'one');
    await stage.script.context.stream('Hel');
    expect([await first.next(), await first.next()]).toMatchObject([{ kind: 'task' }, { append: false }]);
    const repeat = await openStream(stage, 'one');
    const subscribe = { jsonrpc: '2.0', id: 1, method: 'tasks/resubscribe', params: { id: 'one' } };
    const subscribed = new EventStream(await stage.open(subscribe));
    expect(textIn([await repeat.next(), await repeat.next()])).toBe('Hel');
    await stage.script.context.stream('lo');
    stage.script.end();
    const rest = [await repeat.rest(), await first.rest(), await subscribed.rest()];
    expect(rest.map((events) => textIn(events))).toEqual(['lo', 'lo', 'Hello']);
    const later = await (await openStream(stage, 'one')).rest();
    const again = await new EventStream(await stage.open({ ...subscribe, method: 'SubscribeToTask' })).rest();
    const texts = [later, again].map((events) => extractAnswerText({ result: collected(events) }));
    expect(texts).toEqual(['Hello', 'Hello']);
    expect(stage.script.contexts).toHaveLength(1);
  });

  it('has a comment every 15 s, and goes on for the platform however long nothing is said', async () => {
    const stage = await scripted({ limits: { handlerTimeoutMs: null } });
    const events = await openStream(stage, 'one');
    await events.next();
    for (let count = 0; count < 25; count += 1) {
      const next = events.next();
      await stage.client.clock.advance(15_000);
      expect(await next).toBe(': keep-alive');
    }
    stage.script.end(() => 'at last');
    expect(textIn(await events.rest())).toBe('at last');
  });
});

describe('a handler whose text has left', () => {
  it('is retried when a reader took none of it within two seconds', async () => {
    const stage = await scripted();
    await stage.open(pushOf('one', { method: 'message/stream' }));
    await stage.client.flushPromises();
    const { context } = stage.script;
    await context.stream('x');
    stage.script.end(() => {
      throw new Error('No.');
    });
    await stage.client.clock.advance(2_999);
    expect(stage.script.contexts).toHaveLength(1);
    await stage.client.clock.advance(1);
    expect(stage.script.contexts).toHaveLength(2);
  });

  it('is retried when none has', async () => {
    const stage = await scripted();
    const events = await openStream(stage, 'one');
    await events.next();
    stage.script.end(() => {
      throw new Error('No.');
    });
    await stage.client.clock.advance(1_000);
    await stage.script.context.stream('again');
    stage.script.end();
    expect(textIn(await events.rest())).toBe('again');
  });
});

describe('the stream of a direct message', () => {
  const direct = (options: StreamStageOptions = {}) => streamOf('direct', options);

  it('asks its sender with the task', async () => {
    const question = { kind: 'text', text: 'Which one?', from: 'sender' } as const;
    const { events, client } = await direct({
      onMessage: () => ({ text: 'Hm. Which one?', questions: [question] }),
      onAnswer: () => null,
    });
    const all = await events.rest();
    expect(all.at(-1)).toMatchObject({
      status: {
        state: 'input-required',
        message: { parts: [{ text: 'Hm. Which one?' }], metadata: { questions: [{ text: 'Which one?' }] } },
      },
      final: true,
      metadata: { message_id: 'message-one', state: 'input_required' },
    });
    expect([textIn(all), client.asked.length]).toEqual(['Hm. Which one?', 1]);
    expect(extractAnswerText({ result: collected(all) as never })).toBe('Hm. Which one?');
  });

  it('ends as working after five minutes without text; the answer is sent through the platform', async () => {
    const { events, client, script } = await direct({ limits: { handlerTimeoutMs: null } });
    await events.next();
    await script.context.stream('a');
    await events.next();
    const seen: SentEvent[] = [];
    const reading = (async () => {
      for (let event = await events.next(); event !== null; event = await events.next()) seen.push(event);
    })();
    await client.clock.advance(299_999);
    expect(new Set(seen)).toEqual(new Set([': keep-alive']));
    await client.clock.advance(1);
    await reading;
    expect(seen.at(-1)).toMatchObject({
      status: { state: 'working' },
      final: true,
      metadata: { state: 'delivered' },
    });
    script.end(() => 'bc');
    await client.flushPromises();
    expect(client.replies).toEqual([expect.stringMatching(/: abc$/)]);
  });
});
