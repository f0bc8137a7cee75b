import { extractAnswerText, type JsonValue, StreamedAnswer } from '@molecule-ai/protocol';
import { describe, expect, it } from 'vitest';
import { AgentClientDouble } from '../../../test/agent-stage.ts';
import { arrivalStage, pushOf } from '../../../test/arrival-stage.ts';
import { EventStream, type SentEvent, textIn } from '../../../test/event-stream.ts';
import { openStream, type StreamStageOptions, scripted, streamOf } from '../../../test/stream-stage.ts';
import { MessageFailure } from '../../errors/message-failure.ts';
import { MemoryInboundStore } from '../stores/inbound-store.ts';

/** What the platform makes of the events. */
function collected(events: readonly SentEvent[]): JsonValue {
  const answer = new StreamedAnswer(1_000_000);
  for (const event of events) {
    if (typeof event !== 'string') answer.add({ jsonrpc: '2.0', id: 1, result: event });
  }
  return answer.response?.result ?? null;
}

describe('the stream of a pushed message', () => {
  it('has the text as the handler streams it, and becomes the response that would have come at once', async () => {
    const stage = await scripted();
    const response = await stage.open(pushOf('one', { method: 'message/stream' }));
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    const events = new EventStream(response);
    const task = await events.next();
    expect(task).toMatchObject({
      kind: 'task',
      id: 'one',
      contextId: 'context-one',
      status: { state: 'working' },
      metadata: { message_id: 'message-one', state: 'delivered' },
    });
    await stage.client.flushPromises();
    const seen = [task];
    for (const character of 'Hello') {
      await stage.script.context.stream(character);
      const event = await events.next();
      expect(event.artifact.parts).toEqual([{ kind: 'text', type: 'text', text: character }]);
      seen.push(event);
    }
    const data = { kind: 'data', data: { a: 1 } };
    stage.script.end(() => ({ text: ', world', parts: [data], metadata: { b: 2 } }));
    seen.push(...(await events.rest()));
    expect(textIn(seen)).toBe('Hello, world');
    expect(seen.at(-1)).toMatchObject({
      kind: 'status-update',
      status: { state: 'completed' },
      final: true,
      metadata: { message_id: 'message-one', state: 'answered' },
    });
    const { body } = await stage.post(pushOf('one'));
    expect(collected(seen)).toEqual({
      ...body.result,
      parts: [{ kind: 'text', type: 'text', text: 'Hello, world' }, data],
    });
    expect([body.result.metadata, stage.script.contexts.length]).toEqual([{ b: 2 }, 1]);
    expect(stage.client.replies).toEqual([]);
  });

  it.each(['message/stream', 'message/sendSubscribe'])('is opened by %s', async (method) => {
    const stage = await scripted({ onMessage: () => 'at once' });
    const events = await (await openStream(stage, 'one', { method })).rest();
    expect(events.map(({ kind }) => kind)).toEqual(['task', 'artifact-update', 'status-update']);
    expect(textIn(events)).toBe('at once');
  });

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
    const stage = await scripted({ handlerTimeoutMs: null });
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

  it('asks as its response at once would', async () => {
    const client = new AgentClientDouble();
    client.capabilities = new Set(['acknowledge', 'questions']);
    const question = { kind: 'approval', text: 'Deploy?', from: 'user' } as const;
    const stage = await scripted({ onMessage: () => ({ text: '', questions: [question] }) }, client);
    const events = await (await openStream(stage, 'one')).rest();
    const { body } = await stage.post(pushOf('one'));
    expect(collected(events)).toEqual(body.result);
    expect(body.result).toMatchObject({ kind: 'message', metadata: { questions: [{ text: 'Deploy?' }] } });
  });
});

describe('a handler whose text has left', () => {
  it.each<[string, () => Error, object]>([
    ['throws', () => new Error('secret'), { code: 'handler_failed' }],
    ['ends its message as failed', () => new MessageFailure('No disk.', { code: 'disk' }), { code: 'disk' }],
  ])('and that %s fails the message, without a retry', async (_name, error, data) => {
    const stage = await scripted();
    const events = await openStream(stage, 'one');
    await stage.script.context.stream('Hel');
    await events.next();
    await events.next();
    stage.script.end(() => {
      throw error();
    });
    const rest = await events.rest();
    expect(rest).toEqual([
      expect.objectContaining({ code: -32000, data: { ...data, message_id: 'message-one' } }),
    ]);
    expect(JSON.stringify(rest)).not.toContain('secret');
    await stage.client.clock.advance(200_000);
    expect(stage.script.contexts).toHaveLength(1);
    const { body } = await stage.post(pushOf('one'));
    expect(body.error).toEqual(rest[0]);
  });

  it('and that nobody reads any more is not retried either', async () => {
    const stage = await scripted();
    const events = await openStream(stage, 'one');
    await stage.script.context.stream('Hel');
    await events.next();
    await events.next();
    await events.cancel();
    stage.script.end(() => {
      throw new Error('No.');
    });
    await stage.client.clock.advance(200_000);
    expect(stage.script.contexts).toHaveLength(1);
    expect(stage.events).toContain('dead-letter one');
  });

  it('and that runs into its time limit fails the message too', async () => {
    const stage = await scripted({ handlerTimeoutMs: 10_000 });
    const events = await openStream(stage, 'one');
    await stage.script.context.stream('Hel');
    await events.next();
    await events.next();
    await stage.client.clock.advance(10_000);
    expect(await events.rest()).toMatchObject([{ data: { code: 'timed_out' } }]);
    await stage.client.clock.advance(200_000);
    expect(stage.script.contexts).toHaveLength(1);
  });

  it.each<[string, () => Error, object]>([
    ['throws', () => new Error('secret'), { code: 'handler_failed' }],
    ['ends its message as failed', () => new MessageFailure('No disk.', { code: 'disk' }), { code: 'disk' }],
  ])('directly before it %s is no exception: the reader gets the text first', async (_name, error, data) => {
    let attempts = 0;
    const stage = await arrivalStage({
      onMessage: async function* () {
        attempts += 1;
        yield 'Hel';
        yield 'lo';
        throw error();
      },
    });
    const events = await (await openStream(stage, 'one')).rest();
    expect([textIn(events), events.at(-1)]).toEqual(['Hello', expect.objectContaining({ code: -32000 })]);
    expect(events.at(-1)).toMatchObject({ data });
    await stage.client.clock.advance(200_000);
    expect(attempts).toBe(1);
  });

  it('and whose last value is not a text has sent the texts before it', async () => {
    const stage = await arrivalStage({
      onMessage: async function* () {
        yield 'Hello';
        yield 42 as never;
      },
    });
    const events = await (await openStream(stage, 'one')).rest();
    expect([textIn(events), events.at(-1)]).toMatchObject(['Hello', { data: { code: 'invalid_answer' } }]);
  });

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

  it('is not aborted by a reader that leaves: the answer is sent through the platform', async () => {
    const stage = await scripted();
    const leaving = new AbortController();
    const one = await openStream(stage, 'one');
    await openStream(stage, 'two', { signal: leaving.signal });
    const [first, second] = stage.script.contexts;
    await one.cancel();
    leaving.abort();
    await first?.stream('one');
    await second?.stream('two');
    expect(stage.script.contexts.map(({ signal }) => signal.aborted)).toEqual([false, false]);
    stage.script.end();
    await stage.client.flushPromises();
    expect(stage.client.replies).toEqual(['two: two']);
  });

  it('that is interrupted runs again without pieces; its readers come back for the whole', async () => {
    const store = new MemoryInboundStore();
    const before = await scripted({ store, stopTimeoutMs: 0 });
    const events = await openStream(before, 'one');
    await before.script.context.stream('Hello, w');
    const seen = [await events.next(), await events.next()];
    await before.agent.stop();
    expect(await events.rest()).toEqual([]);
    const after = await scripted({ store });
    const again = await openStream(after, 'one');
    await again.next();
    const pending = again.next();
    await after.script.context.stream('Hello, ');
    await after.client.flushPromises();
    after.script.end(() => 'world');
    const rest = [await pending, ...(await again.rest())];
    expect(textIn(seen)).toBe('Hello, w');
    expect(textIn(rest)).toBe('Hello, world');
    expect(rest.filter(({ kind }) => kind === 'artifact-update')).toHaveLength(1);
  });
});

describe('the stream of a direct message', () => {
  const direct = (options: StreamStageOptions = {}) => streamOf('direct', options);

  it('asks its sender with the task', async () => {
    const question = { kind: 'text', text: 'Which one?', from: 'sender' } as const;
    const { events, client } = await direct({
      onMessage: () => ({ text: 'Hm. Which one?', questions: [question] }),
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
    const { events, client, script } = await direct({ handlerTimeoutMs: null });
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

describe('the card of an agent with a server', () => {
  it('says that it streams, to callers and to the platform, unless it says otherwise itself', async () => {
    const stage = await scripted();
    expect(stage.agent.inbound.card()).toMatchObject({ capabilities: { streaming: true } });
    expect(stage.client.cards).toMatchObject([{ name: 'double', capabilities: { streaming: true } }]);
    const client = new AgentClientDouble();
    client.agentCard = { name: 'double', capabilities: { streaming: false, x: 1 } };
    const quiet = await scripted({}, client);
    expect(quiet.agent.inbound.card()).toMatchObject({ capabilities: { streaming: false, x: 1 } });
    expect(client.cards).toMatchObject([{ capabilities: { streaming: false, x: 1 } }]);
  });
});
