import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';
import { eventually, say } from '../../test/scripted-agent.ts';

type Joined = { readonly id: string; readonly token: string };

const clock = new ManualClock();
const statements: string[] = [];
let running: RunningPlatform;
let sender: Joined;
let target: Joined;
beforeAll(async () => {
  const onQuery = (text: string) => void statements.push(text);
  running = await startPlatform({ clock, rateLimit: 1_000_000, onQuery });
  [sender, target] = [await running.join({ name: 'sender' }), await running.join({ name: 'target' })];
});
afterAll(() => running.platform.close());

const send = (messageId: string, hold = 0) =>
  running.call('POST', `/workspaces/${target.id}/a2a`, {
    token: sender.token,
    body: say('work', messageId),
    headers: { 'x-timeout': String(hold) },
  });
const cancel = (id: string, { token, path = target.id }: { token?: string; path?: string } = {}) =>
  running.call('POST', `/workspaces/${path}/a2a`, {
    ...(token === undefined ? {} : { token }),
    body: { jsonrpc: '2.0', id: 'c-1', method: 'tasks/cancel', params: { id } },
  });
const control = async (query = '') =>
  (
    await running.call('GET', `/workspaces/${target.id}/activity?only=control${query}`, {
      token: target.token,
    })
  ).body;
const stateOf = async (messageId: string) =>
  (await running.call('GET', `/workspaces/${sender.id}/messages/${messageId}`, { token: sender.token })).body
    .state;

describe('tasks/cancel', () => {
  it('ends a message for its sender, by message id or row id, through either path', async () => {
    const queued = await send('by-message-id');
    expect(await cancel('by-message-id', { token: sender.token })).toMatchObject({
      status: 200,
      body: {
        jsonrpc: '2.0',
        id: 'c-1',
        result: {
          kind: 'task',
          id: queued.body.activity_id ?? queued.body.queue_id,
          status: { state: 'canceled' },
          metadata: { message_id: 'by-message-id', state: 'canceled' },
        },
      },
    });
    expect(await stateOf('by-message-id')).toBe('canceled');
    const other = await send('by-row-id');
    const rowId = other.body.activity_id ?? other.body.queue_id;
    expect((await cancel(rowId, { token: sender.token, path: sender.id })).status).toBe(200);
    expect(await stateOf('by-row-id')).toBe('canceled');
    expect((await cancel('by-row-id', { token: sender.token })).body.result.status.state).toBe('canceled');
  });

  it('releases the call that is held', async () => {
    const held = send('held', 60);
    await eventually(async () => (await stateOf('held')) === 'queued');
    await cancel('held', { token: sender.token });
    expect(await held).toMatchObject({ status: 200, body: { result: { status: { state: 'canceled' } } } });
  });

  it('is refused to everybody but the sender and operators, and stores nothing', async () => {
    const queued = await send('mine');
    const rowId = queued.body.activity_id ?? queued.body.queue_id;
    const other = await running.join();
    for (const reference of ['mine', rowId]) {
      for (const { token } of [other, target]) {
        expect(await cancel(reference, { token })).toMatchObject({
          status: 404,
          body: { error: { code: -32001, data: { code: 'message_not_found' } } },
        });
      }
    }
    expect(await cancel('nothing', { token: sender.token })).toMatchObject({ status: 404 });
    const nameless = { jsonrpc: '2.0', id: 1, method: 'tasks/cancel', params: {} };
    const path = `/workspaces/${target.id}/a2a`;
    expect(await running.call('POST', path, { token: sender.token, body: nameless })).toMatchObject({
      status: 400,
      body: { error: { code: -32602, data: { code: 'invalid_message', field: 'params.id' } } },
    });
    expect(await stateOf('mine')).toBe('queued');
    expect((await cancel(rowId)).status).toBe(200);
    expect(await stateOf('mine')).toBe('canceled');
    const feed = await running.call('GET', `/workspaces/${target.id}/activity?limit=500`);
    const methods = feed.body.map(({ method }: { method: string }) => method);
    expect(new Set(methods)).toEqual(new Set(['message/send']));
  });

  it('changes no message that has ended', async () => {
    const queued = await send('answered');
    const rowId = queued.body.activity_id ?? queued.body.queue_id;
    const before = await control();
    await running.call('POST', `/workspaces/${target.id}/activity/ack`, {
      token: target.token,
      body: { outcomes: [{ activity_id: rowId, outcome: 'unanswered' }] },
    });
    const { body } = await cancel('answered', { token: sender.token });
    expect(body.result).toMatchObject({ status: { state: 'completed' }, metadata: { state: 'unanswered' } });
    expect(await stateOf('answered')).toBe('unanswered');
    expect(await control()).toEqual(before);
  });

  it('wins over a late outcome and a late reply', async () => {
    const queued = await send('late');
    const rowId = queued.body.activity_id ?? queued.body.queue_id;
    await cancel('late', { token: sender.token });
    const ack = await running.call('POST', `/workspaces/${target.id}/activity/ack`, {
      token: target.token,
      body: { outcomes: [{ activity_id: rowId, outcome: 'failed', error: { message: 'no' } }] },
    });
    expect(ack.body.outcomes).toEqual([{ activity_id: rowId, state: 'canceled' }]);
    const parts = [{ kind: 'text', type: 'text', text: 'done' }];
    const metadata = { in_reply_to: 'late' };
    const message = { kind: 'message', role: 'agent', messageId: 'late-reply', parts, metadata };
    const reply = { jsonrpc: '2.0', id: 'late-reply', method: 'message/send', params: { message } };
    const answered = await running.call('POST', `/workspaces/${sender.id}/a2a`, {
      token: target.token,
      body: reply,
    });
    expect(answered).toMatchObject({ status: 200, body: { ignored: true } });
    expect(await stateOf('late')).toBe('canceled');
  });
});

describe('control rows', () => {
  it('name what was canceled, in an order of their own, and are in no feed', async () => {
    const before = (await control()).at(-1)?.seq ?? 0;
    const queued = await send('cancelled-early');
    await cancel('cancelled-early', { token: sender.token });
    const rows = await control(`&since_seq=${before}`);
    expect(rows).toEqual([
      {
        seq: expect.any(Number),
        method: 'cancel_task',
        message_id: 'cancelled-early',
        activity_id: queued.body.activity_id ?? queued.body.queue_id,
      },
    ]);
    expect(await control(`&since_seq=${rows[0].seq}`)).toEqual([]);
    const feed = await running.call('GET', `/workspaces/${target.id}/activity?type=a2a_receive`, {
      token: target.token,
    });
    expect(JSON.stringify(feed.body)).not.toContain('cancel_task');
    expect(JSON.stringify(feed.body)).not.toContain('"cancelled-early"');
  });

  it('wake a read that waits, and end it empty when the time is up', async () => {
    const last = (await control()).at(-1)?.seq ?? 0;
    const path = `/workspaces/${target.id}/activity?only=control&since_seq=${last}&wait=25`;
    const waiting = running.call('GET', path, { token: target.token });
    await send('wakes');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await cancel('wakes', { token: sender.token });
    const woken = await waiting;
    expect(woken.headers['x-wait-applied']).toBe('25');
    expect(woken.body).toMatchObject([{ message_id: 'wakes' }]);
    const idle = running.call('GET', path.replace(`since_seq=${last}`, `since_seq=${woken.body[0].seq}`), {
      token: target.token,
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    clock.advance(25_001);
    expect((await idle).body).toEqual([]);
  });

  it('are read once for all reads from the same place that a cancellation ends', async () => {
    const last = (await control()).at(-1)?.seq ?? 0;
    await send('read-by-many');
    const reads = () => statements.filter((text) => /^select .* from "control_rows"/i.test(text)).length;
    const before = reads();
    const waiting = Array.from({ length: 60 }, () => control(`&since_seq=${last}&wait=25`));
    await eventually(async () => reads() === before + 60);
    await cancel('read-by-many', { token: sender.token });
    for (const rows of await Promise.all(waiting)) {
      expect(rows).toMatchObject([{ message_id: 'read-by-many' }]);
    }
    expect(reads()).toBe(before + 61);
  });

  it('are kept for one hour', async () => {
    expect((await control()).length).toBeGreaterThan(0);
    clock.advance(3_600_001);
    expect(await control()).toEqual([]);
  });

  it.each(['only=all', 'only=control&since_seq=x'])('refuse %s', async (query) => {
    const { status, body } = await running.call('GET', `/workspaces/${target.id}/activity?${query}`, {
      token: target.token,
    });
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });
});
