import { extractAnswerText, type JsonValue, StreamedAnswer } from '@molecule-ai/protocol';
import { describe, expect, it } from 'vitest';
import { AgentClientDouble } from '../../../test/agent-stage.ts';
import { type ArrivalStage, arrivalStage, type PushOptions, pushOf } from '../../../test/arrival-stage.ts';
import { EventStream, type SentEvent, textIn } from '../../../test/event-stream.ts';
import { ISSUER, TestSigner } from '../../../test/peer-tokens.ts';
import type { HandlerContext, RemoteAgentOptions } from '../../agent/agent-options.ts';
import { ApiError } from '../../errors/api-error.ts';
import { MessageFailure } from '../../errors/message-failure.ts';
import { MemoryInboundStore } from '../stores/inbound-store.ts';

type Options = Partial<RemoteAgentOptions<AgentClientDouble>>;

/** A handler that the test runs step by step. */
class Script {
  contexts: HandlerContext<AgentClientDouble>[] = [];
  #ends: ((end: () => unknown) => void)[] = [];

  readonly handler = async (
    _message: unknown,
    context: HandlerContext<AgentClientDouble>,
  ): Promise<never> => {
    this.contexts.push(context);
    const end = await new Promise<() => unknown>((resolve, reject) => {
      this.#ends.push(resolve);
      context.signal.addEventListener('abort', () => reject(context.signal.reason));
    });
    return (await end()) as never;
  };

  get context(): HandlerContext<AgentClientDouble> {
    const context = this.contexts.at(-1);
    if (context === undefined) throw new Error('The handler has not begun.');
    return context;
  }

  /** Ends the latest run. */
  end(end: () => unknown = () => undefined): void {
    this.#ends.at(-1)?.(end);
  }
}

async function scripted(options: Options = {}, client?: AgentClientDouble) {
  const script = new Script();
  const stage = await arrivalStage({ onMessage: script.handler, ...options }, client);
  return { script, ...stage };
}

async function openStream(
  stage: Pick<ArrivalStage, 'open' | 'client'>,
  id: string,
  options: PushOptions = {},
): Promise<EventStream> {
  const response = await stage.open(pushOf(id, { method: 'message/stream', ...options }), options);
  expect(response.headers.get('content-type'), await peek(response)).toBe('text/event-stream');
  await stage.client.flushPromises();
  return new EventStream(response);
}

/** The stream of one message, with a token of the platform or of a peer. */
async function streamOf(use: string, options: Options = {}) {
  const client = new AgentClientDouble();
  client.capabilities = new Set(['acknowledge', 'questions']);
  const signer = await TestSigner.start(client.clock);
  client.issuer = ISSUER;
  client.keys = await signer.jwks();
  const stage = await scripted({ ...options, inboundAuth: 'peer-tokens', inboundSecret: undefined }, client);
  const headers = { authorization: `Bearer ${await signer.token({ use })}` };
  const events = await openStream(stage, 'one', { headers });
  return { ...stage, events, headers };
}

async function peek(response: Response): Promise<string> {
  return response.headers.get('content-type') === 'application/json' ? response.clone().text() : '';
}

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
    const stage = await scripted({ isStarted: false } as Options);
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

describe('the stream of a direct message', () => {
  const direct = (options: Options = {}) => streamOf('direct', options);

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
