import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { openAgent, openFolder, openPlatform } from '../../test/resources-of-test.ts';
import type { RunningPlatform } from '../../test/running-platform.ts';
import { answerJson, answerText, eventually, say } from '../../test/scripted-agent.ts';

interface Member {
  readonly id: string;
  readonly token: string;
}

let counter = 0;
const newId = () => `d-${++counter}`;

const send = (running: RunningPlatform, from: Member, to: Member, messageId: string, timeout = '0') =>
  running.call('POST', `/workspaces/${to.id}/a2a`, {
    token: from.token,
    body: say(`text of ${messageId}`, messageId),
    headers: { 'x-timeout': timeout },
  });

const getStatus = async (running: RunningPlatform, from: Member, messageId: string) =>
  (await running.call('GET', `/workspaces/${from.id}/messages/${messageId}`, { token: from.token })).body;

const unacknowledged = async (running: RunningPlatform, of: Member) =>
  (await running.call('GET', `/workspaces/${of.id}/activity?unacknowledged=true`, { token: of.token })).body;

const beat = (running: RunningPlatform, of: Member) =>
  running.call('POST', '/registry/heartbeat', { token: of.token, body: { workspace_id: of.id } });

describe('a platform that stops during a push', () => {
  it('pushes the message again after its restart, with the same message id', async () => {
    const dataDir = openFolder();
    const agent = await openAgent((call) => {
      if (agent.calls.length > 1) answerText(call, 'second time');
    });
    const first = await openPlatform({ memory: false, dataDir });
    const asker = await first.join({ name: 'asker' });
    const target = await first.join({ name: 'target', url: `${agent.url}/rpc` });
    const messageId = newId();
    await send(first, asker, target, messageId);
    await agent.called(1);
    await first.platform.close();
    const second = await openPlatform({ memory: false, dataDir });
    await agent.called(2);
    const answered = await eventually(async () => {
      const found = await getStatus(second, asker, messageId);
      return found.state === 'answered' ? found : undefined;
    });
    expect(answered.answer.result.text).toContain('second time');
    expect(agent.calls.map((call) => call.body.params.message.messageId)).toEqual([messageId, messageId]);
    expect(await unacknowledged(second, asker)).toMatchObject([{ in_reply_to: messageId }]);
  });
});

describe('a backlog that a stopped platform left', () => {
  it('is pushed with the concurrency of its agent', async () => {
    const dataDir = openFolder();
    const agent = await openAgent(() => {});
    const first = await openPlatform({ memory: false, dataDir });
    const asker = await first.join({ name: 'asker' });
    const concurrency = { max_concurrent_tasks: 4 };
    const target = await first.join({ name: 'target', url: `${agent.url}/rpc`, ...concurrency });
    const ids = Array.from({ length: 10 }, newId);
    for (const id of ids) await send(first, asker, target, id);
    await agent.called(10);
    await first.platform.close();
    await openPlatform({ memory: false, dataDir });
    // None of them is answered, so as many as these are under way at the same time, and no more.
    await agent.called(14);
    const answered = agent.calls.slice(10);
    for (const call of answered) answerText(call, 'ok');
    await agent.called(18);
    const again = agent.calls.slice(10).map((call) => call.body.params.message.messageId);
    expect(again.sort()).toEqual(ids.slice(0, 8).sort());
  });
});

describe('a queued message', () => {
  it('is kept while its agent is paused, and delivered in order after the resume', async () => {
    const running = await openPlatform();
    const agent = await openAgent((call) => answerText(call, 'ok'));
    const asker = await running.join({ name: 'asker' });
    const target = await running.join({ name: 'target', url: `${agent.url}/rpc` });
    const messages = () => agent.calls.filter((call) => call.body.method === 'message/send');
    await running.call('POST', `/workspaces/${target.id}/pause`);
    const ids = [newId(), newId(), newId(), newId()];
    for (const id of ids) {
      expect(await send(running, asker, target, id, '30')).toMatchObject({
        status: 202,
        body: { held: true },
      });
    }
    expect(await getStatus(running, asker, ids[0] ?? '')).toMatchObject({
      state: 'queued',
      held: true,
      attempts: 0,
    });
    expect(messages()).toEqual([]);
    await running.call('POST', `/workspaces/${target.id}/resume`);
    await beat(running, target);
    await eventually(() => messages().length >= ids.length);
    expect(messages().map((call) => call.body.params.message.messageId)).toEqual(ids);
    const rows = await eventually(async () => {
      const found = await unacknowledged(running, asker);
      return found.length === 4 ? found : undefined;
    });
    expect(rows.map((row: { in_reply_to: string }) => row.in_reply_to)).toEqual(ids);
  });

  it('is kept until the first register, and drained up to max_concurrent_tasks at a time', async () => {
    const running = await openPlatform();
    let underWay = 0;
    let most = 0;
    const agent = await openAgent((call) => {
      underWay += 1;
      most = Math.max(most, underWay);
      setImmediate(() => {
        underWay -= 1;
        answerText(call, 'ok');
      });
    });
    const asker = await running.join({ name: 'asker' });
    const body = { name: 'target', url: `${agent.url}/rpc`, max_concurrent_tasks: 2 };
    const target = await running.create(body);
    for (let n = 0; n < 6; n += 1)
      expect((await send(running, asker, target, newId(), '30')).status).toBe(202);
    await running.call('POST', '/registry/register', { token: target.token, body: { id: target.id } });
    await agent.called(6);
    expect(most).toBeLessThanOrEqual(2);
  });

  it('appears on the feed when its agent changes to polling', async () => {
    const running = await openPlatform();
    const asker = await running.join({ name: 'asker' });
    const target = await running.create({ name: 'target', url: 'http://127.0.0.1:1/rpc' });
    const messageId = newId();
    await send(running, asker, target, messageId);
    const register = { id: target.id, delivery_mode: 'poll' };
    await running.call('POST', '/registry/register', { token: target.token, body: register });
    expect(await unacknowledged(running, target)).toMatchObject([
      { message_id: messageId, delivery_state: 'pending' },
    ]);
  });

  it('fails when its target is removed, and its sender gets the failure', async () => {
    const running = await openPlatform();
    const asker = await running.join({ name: 'asker' });
    const target = await running.join({ name: 'target' });
    const messageId = newId();
    await send(running, asker, target, messageId);
    const heldId = newId();
    const held = send(running, asker, target, heldId, '30');
    await eventually(async () => (await unacknowledged(running, target)).length === 2);
    await running.call('DELETE', `/workspaces/${target.id}`);
    expect(await held).toMatchObject({
      status: 410,
      body: { code: 'workspace_removed', message_id: heldId },
    });
    expect(await getStatus(running, asker, messageId)).toMatchObject({
      state: 'failed',
      error: { code: 'workspace_removed' },
    });
    const rows = await unacknowledged(running, asker);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ in_reply_to: messageId, status: 'error', source_id: target.id });
  });
});

describe('an agent that stays unreachable', () => {
  it('uses all attempts; then the message is a dead letter and its sender is notified', async () => {
    const clock = new ManualClock();
    const running = await openPlatform({ clock });
    const agent = await openAgent(({ response }) => answerJson(response, {}, 503));
    const asker = await running.join({ name: 'asker' });
    const target = await running.join({ name: 'target', url: `${agent.url}/rpc` });
    const messageId = newId();
    expect((await send(running, asker, target, messageId, '25')).status).toBe(202);
    const attempts = (count: number) => async () => {
      const found = await getStatus(running, asker, messageId);
      return found.attempts === count && agent.calls.length === count && found.state === 'queued';
    };
    for (const [count, delay] of [1_250, 5_000, 20_000].entries()) {
      await eventually(attempts(count + 1));
      await beat(running, target);
      clock.advance(delay);
    }
    await eventually(attempts(4));
    for (let passed = 0; passed < 80_000; passed += 20_000) {
      await beat(running, target);
      clock.advance(20_000);
    }
    const failed = await eventually(async () => {
      const found = await getStatus(running, asker, messageId);
      return found.state === 'failed' ? found : undefined;
    });
    expect(failed).toMatchObject({
      attempts: 5,
      error: { code: 'agent_error', status: '503', delivered: false },
    });
    expect(agent.calls).toHaveLength(5);
    expect(await unacknowledged(running, asker)).toMatchObject([{ in_reply_to: messageId, status: 'error' }]);
    const [row] = (await running.call('GET', `/workspaces/${target.id}/activity`)).body;
    expect(row).toMatchObject({
      status: 'error',
      delivery_state: 'failed',
      error_detail: expect.stringContaining('503'),
    });
  });

  it('keeps its messages without heartbeats, until it is back', async () => {
    const clock = new ManualClock();
    const running = await openPlatform({ clock, maxAttempts: 1, livenessStaleAfterMs: 90_000 });
    let isUp = false;
    const agent = await openAgent((call) => (isUp ? answerText(call, 'back') : call.response.destroy()));
    const asker = await running.join({ name: 'asker' });
    const target = await running.join({ name: 'target', url: `${agent.url}/rpc` });
    clock.advance(70_000);
    await beat(running, asker);
    const messageId = newId();
    expect((await send(running, asker, target, messageId)).status).toBe(202);
    await agent.called(1);
    await eventually(async () => (await getStatus(running, asker, messageId)).attempts === 0);
    clock.advance(90_000);
    await eventually(
      async () => (await running.call('GET', `/workspaces/${target.id}`)).body.status === 'offline',
    );
    isUp = true;
    await beat(running, target);
    await eventually(async () => (await getStatus(running, asker, messageId)).state === 'answered');
  });

  it('has a name that resolves to a private address: the connection is refused, the message stays', async () => {
    const running = await openPlatform({
      allowAgentNetworks: [],
      resolve: async () => [{ address: '127.0.0.1' }],
    });
    const agent = await openAgent((call) => answerText(call, 'must not happen'));
    const asker = await running.join({ name: 'asker' });
    const url = `http://agent.example.test:${agent.port}/rpc`;
    const target = await running.join({ name: 'target', url });
    const messageId = newId();
    expect((await send(running, asker, target, messageId, '10')).status).toBe(202);
    expect(await getStatus(running, asker, messageId)).toMatchObject({ state: 'queued', attempts: 1 });
    expect(agent.calls).toHaveLength(0);
  });
});

describe('a lease', () => {
  it('is renewed during the push, so that no other process takes the message', async () => {
    const clock = new ManualClock();
    const running = await openPlatform({ clock, leaseMs: 3_000, drainEveryMs: 1_000 });
    const agent = await openAgent(() => {});
    const asker = await running.join({ name: 'asker' });
    const target = await running.join({ name: 'target', url: `${agent.url}/rpc` });
    const messageId = newId();
    const held = send(running, asker, target, messageId, '300');
    const call = await agent.called(1);
    for (let passed = 0; passed < 12; passed += 1) {
      clock.advance(1_000);
      await getStatus(running, asker, messageId);
    }
    answerText(call, 'took its time');
    expect((await held).status).toBe(200);
    expect(agent.calls).toHaveLength(1);
  });
});

describe('stopping', () => {
  it('responds to held callers with 202 and keeps their messages', async () => {
    const dataDir = openFolder();
    const first = await openPlatform({ memory: false, dataDir });
    const asker = await first.join({ name: 'asker' });
    const poller = await first.join({ name: 'poller' });
    const messageId = newId();
    const held = send(first, asker, poller, messageId, '300');
    await eventually(async () => (await unacknowledged(first, poller)).length === 1);
    const path = `/workspaces/${asker.id}/activity?unacknowledged=true&wait=60`;
    const reading = first.call('GET', path, { token: asker.token });
    await first.call('GET', '/health', { token: null });
    await first.platform.close();
    expect((await held).status).toBe(202);
    expect(await reading).toMatchObject({ status: 200, body: [] });
    const second = await openPlatform({ memory: false, dataDir });
    expect(await getStatus(second, asker, messageId)).toMatchObject({ state: 'queued' });
  });
});
