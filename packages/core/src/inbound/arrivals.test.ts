import { describe, expect, it } from 'vitest';
import { AgentClientDouble, Gate } from '../../test/agent-stage.ts';
import { arrivalStage } from '../../test/arrival-stage.ts';
import { MessageFailure } from '../errors/message-failure.ts';
import { MemoryInboundStore } from './inbound-store.ts';

/** A store whose writes can be held, and fail. */
class DiskDouble extends MemoryInboundStore {
  isWritable = true;
  #held: Promise<void> | undefined;

  /** Holds writes until the returned promise is resolved. */
  hold(): PromiseWithResolvers<void> {
    const held = Promise.withResolvers<void>();
    this.#held = held.promise;
    return held;
  }

  override async append(lines: readonly string[]): Promise<void> {
    await this.#write();
    await super.append(lines);
  }

  override async replace(lines: readonly string[]): Promise<void> {
    await this.#write();
    await super.replace(lines);
  }

  async #write(): Promise<void> {
    await this.#held;
    if (!this.isWritable) throw new Error('No.');
  }
}

/** A store that writes without waiting. */
class WritingStore extends MemoryInboundStore {
  /** The calls since the last {@link take}. */
  #calls: string[] = [];
  fails: 'write' | 'flush' | null = null;

  take(): string[] {
    return this.#calls.splice(0);
  }

  write(lines: readonly string[]): void {
    this.#calls.push('write');
    if (this.fails === 'write') throw new Error('No.');
    void super.append(lines);
  }

  async flush(): Promise<void> {
    this.#calls.push('flush');
    if (this.fails !== null) throw new Error('No.');
  }

  override async replace(lines: readonly string[]): Promise<void> {
    this.#calls.push('replace');
    if (this.fails !== null) throw new Error('No.');
    await super.replace(lines);
  }
}

describe('a message that a request brings, with a store that writes without waiting', () => {
  it('is written with its attempt before its handler runs, and takes one flush with its answer and its neighbours', async () => {
    const store = new WritingStore();
    const stored: string[] = [];
    const stage = await arrivalStage({
      store,
      onMessage: async ({ id }) => {
        stored.push((await store.load()).filter((line) => line.includes(id)).join());
        return 'done';
      },
    });
    await (await stage.push('row-0')).response;
    store.take();
    await Promise.all(['row-1', 'row-2'].map(async (row) => (await stage.push(row)).response));
    expect(store.take().filter((call) => call !== 'write')).toEqual(['flush']);
    for (const lines of stored.slice(1)) expect(lines).toMatch(/"arrived":.*"progress":{"attempts":1}/);
    expect((await store.load()).join()).toMatch(/"ended":.*"row-1".*"ended":.*"row-2"/);
  });

  it('is refused before its handler runs when it cannot be written, and taken when it can', async () => {
    const store = new WritingStore();
    const stage = await arrivalStage({ store, onMessage: () => 'done' });
    await (await stage.push('row-0')).response;
    store.fails = 'write';
    for (const _repeat of [1, 2])
      expect(await (await stage.push('row-1')).response).toMatchObject({ status: 503 });
    expect(stage.events.filter((event) => event.endsWith('row-1'))).toEqual([]);
    store.fails = null;
    expect(await (await stage.push('row-1')).response).toMatchObject({ status: 200 });
  });

  it('has an end also when the flush fails; before that no response says that it was accepted', async () => {
    const store = new WritingStore();
    const gate = new Gate();
    let handled = 0;
    const stage = await arrivalStage({
      store,
      onMessage: (message, context) => {
        handled += 1;
        return message.id === 'row-0' ? 'done' : gate.handler(message, context);
      },
    });
    await (await stage.push('row-0')).response;
    store.fails = 'flush';
    const early = { headers: { 'x-timeout': '0' } };
    expect(await (await stage.push('row-1', early)).response).toMatchObject({ status: 503 });
    const { response } = await stage.push('row-1');
    gate.open();
    expect(await response).toMatchObject({ status: 200, body: { result: { kind: 'message' } } });
    store.fails = null;
    expect(await (await stage.push('row-1')).response).toMatchObject({ status: 200 });
    expect(handled).toBe(2);
  });
});

describe('a message that a request brings', () => {
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

  it('is answered through the platform when the outcome is stored', async () => {
    const store = new DiskDouble();
    const gate = new Gate();
    const stage = await arrivalStage({ store, onMessage: gate.handler });
    const { response } = await stage.push('row-1', { headers: { 'x-timeout': '0' } });
    expect(await response).toMatchObject({ status: 202 });
    const disk = store.hold();
    gate.open();
    await stage.client.flushPromises();
    expect(stage.client.replies).toEqual([]);
    disk.resolve();
    await stage.client.flushPromises();
    expect(stage.client.replies).toEqual(['row-1: done']);
  });

  it('is not handled, and no response says anything about it, before it is stored', async () => {
    const store = new DiskDouble();
    const stage = await arrivalStage({ store, onMessage: () => 'done' });
    await (await stage.push('row-0')).response;
    for (const isWritable of [true, false]) {
      const row = `row-${isWritable}`;
      const disk = store.hold();
      const responses: unknown[] = [];
      const sent = [
        stage.push(row),
        stage.push(row, { headers: { 'x-timeout': '0' } }),
        stage.post({ jsonrpc: '2.0', id: 1, method: 'tasks/get', params: { id: row } }),
      ].map(async (sending) => {
        const received = await sending;
        const { status, body } = await ('response' in received ? received.response : received);
        responses.push([status, body.result?.status?.state ?? body.result?.kind ?? body.error?.code]);
      });
      await stage.client.flushPromises();
      expect(responses).toEqual([]);
      expect(stage.events).not.toContain(`message ${row}`);
      store.isWritable = isWritable;
      disk.resolve();
      await Promise.all(sent);
      const isRefused = [
        [200, -32001],
        [503, -32000],
        [503, -32000],
      ];
      const isTaken = [
        [200, 'message'],
        [200, 'working'],
        [202, undefined],
      ];
      expect(responses.toSorted()).toEqual(isWritable ? isTaken : isRefused);
    }
    expect(stage.events.filter((event) => event.endsWith('row-false'))).toEqual([]);
    expect(stage.client.replies).toEqual([]);
  });

  it('has its end in every response when that is stored, also when the time of its request is over meanwhile', async () => {
    const store = new DiskDouble();
    const gate = new Gate();
    const stage = await arrivalStage({
      store,
      onMessage: async (message, context) =>
        message.id === 'row-none'
          ? void (await gate.handler(message, context))
          : gate.handler(message, context),
    });
    for (const row of ['row-none', 'row-text']) {
      const { response } = await stage.push(row, { headers: { 'x-timeout': '5' } });
      const disk = store.hold();
      gate.open();
      await stage.client.flushPromises();
      await stage.client.clock.advance(10_000);
      const repeat = await stage.push(row);
      const responses = [response, repeat.response];
      expect(await Promise.race([...responses, 'none yet'])).toBe('none yet');
      disk.resolve();
      for (const each of responses) expect(await each).toMatchObject({ status: 200 });
      expect((await store.load()).join('')).toContain(`"row":"${row}"`);
    }
    expect(stage.client.replies).toEqual([]);
  });
});

describe('a repeat', () => {
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

  it('is one that cannot store the message: it is as if it had not come', async () => {
    const store = new DiskDouble();
    const stage = await arrivalStage({ store });
    store.isWritable = false;
    for (const _repeat of [1, 2]) expect(await (await stage.push('row-1')).response).toMatchObject(refused);
    expect(stage.events.filter((event) => event.endsWith('row-1'))).toEqual([]);
    store.isWritable = true;
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
