import { describe, expect, it } from 'vitest';
import { AgentClientDouble, Gate } from '../../test/agent-stage.ts';
import { arrivalStage } from '../../test/arrival-stage.ts';
import { MessageFailure } from '../errors/message-failure.ts';
import { MemoryInboundStore } from './inbound-store.ts';

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

  it('is one that cannot store the message: while that goes on, no handler runs', async () => {
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
    const seen: string[] = [];
    const stage = await arrivalStage({ store: new FickleStore(), onMessage: ({ id }) => void seen.push(id) });
    works = false;
    expect(await (await stage.push('row-1')).response).toMatchObject(refused);
    // The first one that cannot be stored may have been handled.
    expect(await (await stage.push('row-2')).response).toMatchObject(refused);
    expect(seen).not.toContain('row-2');
    works = true;
    expect(await (await stage.push('row-2')).response).toMatchObject({ status: 200 });
    expect(await (await stage.push('row-1')).response).toMatchObject({ status: 200 });
    expect(seen.filter((id) => id === 'row-2')).toEqual(['row-2']);
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
