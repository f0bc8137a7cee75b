import { describe, expect, it } from 'vitest';
import { PEER } from '../../../test/agent-ids.ts';
import { AgentClientDouble, Gate, messageOf } from '../../../test/agent-stage.ts';
import { arrivalStage } from '../../../test/arrival-stage.ts';
import { MessageFailure } from '../../errors/message-failure.ts';
import { MemoryInboundStore } from '../stores/inbound-store.ts';

/** The types of the stored lines. */
async function storedTypes(store: MemoryInboundStore): Promise<string[]> {
  return (await store.load()).map((line) => JSON.parse(line).type);
}

describe('a message that a request brings', () => {
  it('is answered by the response, and is stored before its handler runs', async () => {
    const store = new MemoryInboundStore();
    const gate = new Gate();
    const before: string[][] = [];
    const stage = await arrivalStage({
      store,
      onMessage: async (message, context) => {
        before.push(await storedTypes(store));
        return gate.handler(message, context);
      },
    });
    const { response } = await stage.push('row-1');
    expect(before[0]).toContain('arrived');
    gate.open();
    const { status, body } = await response;
    expect(status).toBe(200);
    expect(body).toMatchObject({
      jsonrpc: '2.0',
      id: 'rpc-row-1',
      result: {
        kind: 'message',
        role: 'agent',
        contextId: 'context-row-1',
        parts: [{ kind: 'text', text: 'done' }],
      },
    });
    expect(stage.client.replies).toEqual([]);
    await stage.agent.stop();
    expect(await storedTypes(store)).not.toContain('arrived');
    expect(stage.client.outcomes).toEqual([]);
  });

  it('is not handled when a call has returned what it says; the platform gets a task without an answer', async () => {
    const store = new MemoryInboundStore();
    const stage = await arrivalStage({ store });
    stage.client.returned.add('message-row-1');
    for (const _repeat of [1, 2]) {
      const { status, body } = await (await stage.push('row-1')).response;
      expect([status, body.result.status.state]).toEqual([200, 'completed']);
      expect(body.result).toMatchObject({ kind: 'task', id: 'row-1', metadata: { state: 'unanswered' } });
    }
    await (await stage.push('row-2')).response;
    expect(stage.events.filter((event) => event.startsWith('message'))).toEqual(['message row-2']);
    expect(JSON.stringify(await store.load())).not.toContain('row-1');
  });

  it('takes two writes: with its first attempt, and with its answer; that it is finished is in the next one', async () => {
    const writes: string[][] = [];
    class ListingStore extends MemoryInboundStore {
      override async append(lines: readonly string[]): Promise<void> {
        writes.push(lines.map((line) => JSON.parse(line).type));
        await super.append(lines);
      }
    }
    const stage = await arrivalStage({ store: new ListingStore() });
    await (await stage.push('row-0')).response;
    writes.length = 0;
    await (await stage.push('row-1')).response;
    await (await stage.push('row-2')).response;
    const first = ['finished', 'arrived', 'progress'];
    expect(writes).toEqual([first, ['progress', 'kept-end'], first, ['progress', 'kept-end']]);
  });

  it('is answered through the platform when the outcome is stored', async () => {
    const stored = Promise.withResolvers<void>();
    let isHeld = false;
    class SlowStore extends MemoryInboundStore {
      override async append(lines: readonly string[]): Promise<void> {
        if (isHeld) await stored.promise;
        await super.append(lines);
      }
    }
    const gate = new Gate();
    const stage = await arrivalStage({ store: new SlowStore(), onMessage: gate.handler });
    const { response } = await stage.push('row-1', { headers: { 'x-timeout': '0' } });
    expect(await response).toMatchObject({ status: 202 });
    isHeld = true;
    gate.open();
    await stage.client.flushPromises();
    expect(stage.client.replies).toEqual([]);
    stored.resolve();
    await stage.client.flushPromises();
    expect(stage.client.replies).toEqual(['row-1: done']);
  });

  it('is parsed like a row of the feed', async () => {
    const stage = await arrivalStage();
    const { response } = await stage.push('row-1', {
      metadata: { peer_name: 'Ann', peer_role: 'tester', agent_card_url: 'https://p/card' },
    });
    await response;
    const seen: unknown[] = [];
    const other = await arrivalStage({ onMessage: (message) => void seen.push(message) });
    await (await other.push('row-2', { metadata: { peer_name: 'Ann', source: 'peer_agent' } })).response;
    expect(seen).toMatchObject([
      {
        id: 'row-2',
        messageId: 'message-row-2',
        contextId: 'context-row-2',
        method: 'message/send',
        source: 'peer_agent',
        sourceId: PEER,
        peerId: PEER,
        text: 'text of row-2',
        peerName: 'Ann',
        conversationId: expect.stringMatching(/^[0-9a-f]{32}$/),
        expectsAnswer: true,
        seq: null,
        raw: { id: 'row-2', request_body: { method: 'message/send' } },
      },
    ]);
  });

  it('ends in the response however its handler ends', async () => {
    const ends: Record<string, () => unknown> = {
      silent: () => undefined,
      failing: () => {
        throw new MessageFailure('The disk is full.', { code: 'disk_full' });
      },
      wrong: () => 42,
    };
    const stage = await arrivalStage({ onMessage: (message) => ends[message.id]?.() as never });
    const bodies = await Promise.all(
      Object.keys(ends).map(async (id) => (await (await stage.push(id)).response).body),
    );
    expect(bodies).toMatchObject([
      {
        result: {
          kind: 'task',
          id: 'silent',
          status: { state: 'completed' },
          metadata: { state: 'unanswered' },
        },
      },
      { error: { code: -32000, message: 'The disk is full.', data: { code: 'disk_full' } } },
      { error: { code: -32000, data: { code: 'invalid_answer' } } },
    ]);
    expect(bodies[0].result.status.message).toBeUndefined();
    expect(stage.client.outcomes).toEqual([]);
    expect(stage.agent.health().deadLetters).toBe(1);
  });

  it('is accepted when the time of its request is over: its answer is sent through the platform', async () => {
    const gate = new Gate();
    const stage = await arrivalStage({ onMessage: gate.handler });
    const { response } = await stage.push('row-1', { headers: { 'x-timeout': '3' } });
    await stage.client.clock.advance(3_000);
    expect(await response).toMatchObject({
      status: 202,
      body: { queued: true, activity_id: 'row-1', message_id: 'message-row-1' },
    });
    gate.open();
    await stage.client.flushPromises();
    expect(stage.client.replies).toEqual(['row-1: done']);
  });

  it('reports an end without an answer by an outcome when its request no longer waits', async () => {
    const client = new AgentClientDouble();
    client.capabilities = new Set(['acknowledge', 'outcomes']);
    const stage = await arrivalStage({ onMessage: () => undefined }, client);
    await (await stage.push('row-1', { headers: { 'x-timeout': '0' } })).response;
    await stage.client.clock.advance(1_000);
    expect(client.outcomes).toEqual([{ activityId: 'row-1', outcome: 'unanswered' }]);
  });

  it('is handled when the caller closes the connection', async () => {
    const gate = new Gate();
    const stage = await arrivalStage({ onMessage: gate.handler });
    const left = new AbortController();
    const { response } = await stage.push('row-1', { signal: left.signal });
    left.abort();
    await response.catch(() => {});
    expect(gate.signals[0]?.aborted).toBe(false);
    gate.open();
    await stage.client.flushPromises();
    expect(stage.client.replies).toEqual(['row-1: done']);
  });
});

describe('a repeat', () => {
  it('waits in place of the first while the message is handled, and gets the same answer afterwards', async () => {
    const gate = new Gate();
    const stage = await arrivalStage({ onMessage: gate.handler });
    const [one, two] = [await stage.push('row-1'), await stage.push('row-1')];
    gate.open();
    const [first, second] = [await one.response, await two.response];
    const third = await (await stage.push('row-1')).response;
    expect([first.status, first.body.status]).toEqual([202, 'queued']);
    expect([second.status, second.body.result.kind, third.body]).toEqual([200, 'message', second.body]);
    expect([gate.signals.length, stage.client.replies]).toEqual([1, []]);
  });

  it('gets the same answer after a restart', async () => {
    const store = new MemoryInboundStore();
    const first = await arrivalStage({ store });
    const { body } = await (await first.push('row-1')).response;
    await first.agent.stop();
    const second = await arrivalStage({ store, onMessage: () => 'another' });
    expect((await (await second.push('row-1')).response).body).toEqual(body);
  });

  it('on the feed is given the answer through the platform, without being handled again', async () => {
    const stage = await arrivalStage({ delivery: 'long-poll' });
    await (await stage.push('row-1')).response;
    await stage.client.deliver('row-1');
    await stage.client.clock.advance(1_000);
    expect(stage.client.replies).toEqual(['row-1: echo row-1']);
    expect(stage.events.filter((event) => event === 'message row-1')).toHaveLength(1);
    expect(stage.client.acknowledged).toEqual(['row-1']);
  });

  it('on the feed of a message that ended without an answer is reported', async () => {
    const client = new AgentClientDouble();
    client.capabilities = new Set(['acknowledge', 'outcomes']);
    const stage = await arrivalStage(
      {
        delivery: 'long-poll',
        onMessage: () => {
          throw new MessageFailure('No.', { code: 'no' });
        },
      },
      client,
    );
    await (await stage.push('row-1')).response;
    await stage.client.deliver('row-1');
    await stage.client.clock.advance(1_000);
    expect(client.outcomes).toEqual([
      { activityId: 'row-1', outcome: 'failed', error: { message: 'No.', code: 'no' } },
    ]);
  });

  it('of a message that was read from the feed waits for its end, which the platform gets as well', async () => {
    const gate = new Gate();
    const stage = await arrivalStage({ delivery: 'long-poll', onMessage: gate.handler });
    await stage.client.deliver('row-1');
    const { response } = await stage.push('row-1');
    gate.open();
    await stage.client.flushPromises();
    expect((await response).body).toMatchObject({ result: { parts: [{ text: 'done' }] } });
    expect([stage.client.replies, gate.signals.length]).toEqual([['row-1: done'], 1]);
  });

  it('is told when its answer is no longer kept', async () => {
    const stage = await arrivalStage({ delivery: 'long-poll', onMessage: () => 'done' });
    await stage.client.deliver('row-1');
    await stage.client.clock.advance(1_000);
    const { status, body } = await (await stage.push('row-1')).response;
    expect([status, body.error.data.code]).toEqual([410, 'answer_expired']);
  });
});

describe('an agent that does not accept messages', () => {
  const refused = { status: 503, body: { error: { data: { code: 'not_accepting', retry_after: 5 } } } };

  it('is one that has not started, is paused or has stopped', async () => {
    const store = new MemoryInboundStore();
    const stage = await arrivalStage({ store, isStarted: false });
    const early = await (await stage.push('row-1')).response;
    // The platform pushes what it has stored a moment before the agent runs.
    expect([early.status, early.body.error.data]).toEqual([503, { code: 'not_accepting', retry_after: 1 }]);
    await stage.agent.start();
    stage.client.onHeartbeat = () => ({ paused: true, workspaceStatus: 'paused' });
    stage.agent.inbound.stateChanged('paused');
    await stage.client.flushPromises();
    const { headers, ...response } = await (await stage.push('row-2')).response;
    expect(response).toMatchObject(refused);
    expect(headers.get('retry-after')).toBe('5');
    await stage.agent.stop();
    expect(await (await stage.push('row-3')).response).toMatchObject(refused);
    expect((await store.load()).join('')).not.toContain('row-');
  });

  it('is one that has as many messages as it reads ahead; repeats are accepted', async () => {
    const gate = new Gate();
    const stage = await arrivalStage({ onMessage: gate.handler, concurrency: 1, readAhead: 1 });
    const { response } = await stage.push('row-1');
    expect(await (await stage.push('row-2')).response).toMatchObject(refused);
    const repeat = await stage.push('row-1');
    gate.open();
    expect((await response).status).toBe(202);
    expect((await repeat.response).body.result.parts).toMatchObject([{ text: 'done' }]);
    const next = await stage.push('row-2');
    gate.open();
    expect(await next.response).toMatchObject({ status: 200 });
  });

  it('is one that cannot store the message: it is as if it had not come', async () => {
    let works = true;
    class FickleStore extends MemoryInboundStore {
      override async append(lines: readonly string[]): Promise<void> {
        if (!works) throw new Error('No.');
        await super.append(lines);
      }
      override async replace(lines: readonly string[]): Promise<void> {
        if (!works) throw new Error('No.');
        await super.replace(lines);
      }
    }
    const stage = await arrivalStage({ store: new FickleStore() });
    works = false;
    expect(await (await stage.push('row-1')).response).toMatchObject(refused);
    expect(stage.events).not.toContain('message row-1');
    works = true;
    expect(await (await stage.push('row-1')).response).toMatchObject({ status: 200 });
  });

  it('gives the requests of unfinished messages a response when it stops, and handles them when it starts', async () => {
    const store = new MemoryInboundStore();
    const gate = new Gate();
    const stage = await arrivalStage({ store, onMessage: gate.handler });
    const { response } = await stage.push('row-1');
    await stage.agent.stop({ timeoutMs: 0 });
    expect(await response).toMatchObject(refused);
    const seen: string[] = [];
    const next = await arrivalStage({ store, onMessage: ({ id }) => void seen.push(id) });
    expect(seen).toEqual(['row-1']);
    await next.agent.stop();
  });
});

describe('after a crash', () => {
  it('a message is handled again from the store; what once() did is not done again', async () => {
    const store = new MemoryInboundStore();
    const effects: string[] = [];
    const never = new Promise<string>(() => {});
    const crashed = await arrivalStage({
      store,
      onMessage: async (message, { once }) => {
        await once('effect', () => void effects.push(message.id));
        return never;
      },
    });
    await crashed.push('row-1');
    const lines = await store.load();
    const survivor = new MemoryInboundStore();
    await survivor.replace(lines);
    const next = await arrivalStage({
      store: survivor,
      onMessage: async (message, { once, attempt }) => {
        await once('effect', () => void effects.push(message.id));
        return `attempt ${attempt}`;
      },
    });
    expect([effects, next.client.replies]).toEqual([['row-1'], ['row-1: attempt 2']]);
  });

  it('a message whose answer was kept is finished; the answer is for the repeat', async () => {
    const store = new MemoryInboundStore();
    const first = await arrivalStage({ store });
    const { body } = await (await first.push('row-1')).response;
    const lines = (await store.load()).filter((line) => JSON.parse(line).type !== 'finished');
    const survivor = new MemoryInboundStore();
    await survivor.replace(lines);
    const next = await arrivalStage({ store: survivor, onMessage: () => 'another' });
    expect(next.client.replies).toEqual([]);
    expect((await (await next.push('row-1')).response).body).toEqual(body);
  });
});

describe('at most once', () => {
  it('a message is finished before its handler runs, which still answers by the response', async () => {
    const store = new MemoryInboundStore();
    const stored: string[] = [];
    const stage = await arrivalStage({
      store,
      atMostOnce: true,
      onMessage: async () => {
        stored.push(...(await storedTypes(store)));
        return 'once';
      },
    });
    const { body } = await (await stage.push('row-1')).response;
    expect(body).toMatchObject({ result: { parts: [{ text: 'once' }] } });
    expect(stored).toContain('finished');
  });
});

it('a message of the feed is handled as before', async () => {
  const stage = await arrivalStage({ delivery: 'long-poll' });
  await stage.client.deliver('row-1');
  expect(stage.client.replies).toEqual([`${messageOf('row-1').id}: echo row-1`]);
});
