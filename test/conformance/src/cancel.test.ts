import { answering } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { type Caller, textAt, trackCall, valueAt } from './harness/http.ts';
import { inbox, inboxTexts, type Member, onboard, send, waitForRow } from './harness/members.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = { security: { allowAgentNetworks: ['127.0.0.0/8'] } };

function cancel(by: Caller, workspaceId: string, id: string) {
  const body = { jsonrpc: '2.0', id: 'c-1', method: 'tasks/cancel', params: { id } };
  return by.post(`/workspaces/${workspaceId}/a2a`, body);
}

async function stateOf(sender: Member, messageId: string): Promise<unknown> {
  return valueAt((await sender.caller.get(`/workspaces/${sender.id}/messages/${messageId}`)).body, 'state');
}

async function rowIdOf(sender: Member, messageId: string): Promise<string> {
  return textAt(
    (await sender.caller.get(`/workspaces/${sender.id}/messages/${messageId}`)).body,
    'activity_id',
  );
}

async function twoMembers(environment: TestEnvironment) {
  const platform = await environment.platform({ clock: 'manual' });
  const [sender, target] = [await onboard(platform), await onboard(platform)];
  return { platform, sender, target };
}

onEachDatabase('cancel', (environment) => {
  verifies('cancel.ends-the-message', 'ends the message', async () => {
    const { sender, target } = await twoMembers(environment);
    await send(sender.caller, target.id, 'work', { messageId: 'm-1' });
    const rowId = await rowIdOf(sender, 'm-1');
    const canceled = {
      status: 200,
      body: {
        jsonrpc: '2.0',
        id: 'c-1',
        result: { kind: 'task', id: rowId, status: { state: 'canceled' }, metadata: { message_id: 'm-1' } },
      },
    };
    expect(await cancel(sender.caller, target.id, 'm-1')).toMatchObject(canceled);
    expect(await stateOf(sender, 'm-1')).toBe('canceled');
    expect(await cancel(sender.caller, sender.id, rowId)).toMatchObject(canceled);
    await send(sender.caller, target.id, 'done', { messageId: 'm-2' });
    const doneId = await rowIdOf(sender, 'm-2');
    const outcomes = [{ activity_id: doneId, outcome: 'unanswered' }];
    await target.caller.post(`/workspaces/${target.id}/activity/ack`, { outcomes });
    expect((await cancel(sender.caller, target.id, doneId)).body).toMatchObject({
      result: { status: { state: 'completed' }, metadata: { state: 'unanswered' } },
    });
    expect(await stateOf(sender, 'm-2')).toBe('unanswered');
  });

  verifies('cancel.ends-the-message', 'releases the held call', async () => {
    const { platform, sender, target } = await twoMembers(environment);
    const calls = [
      trackCall(send(sender.caller, target.id, 'of a peer', { messageId: 'm-1', hold: 60 })),
      trackCall(send(platform.operator, target.id, 'of a person', { messageId: 'm-2', hold: 60 })),
    ];
    await waitForRow(target, 2);
    await cancel(sender.caller, target.id, 'm-1');
    await cancel(platform.operator, target.id, 'm-2');
    for (const { response } of calls) {
      expect(await response).toMatchObject({
        status: 200,
        body: { result: { kind: 'task', status: { state: 'canceled' } } },
      });
    }
  });

  verifies('cancel.sender-or-operator-only', 'sender or operator only', async () => {
    const { platform, sender, target } = await twoMembers(environment);
    const other = await onboard(platform);
    await send(sender.caller, target.id, 'work', { messageId: 'm-1' });
    const rowId = await rowIdOf(sender, 'm-1');
    for (const { caller } of [other, target]) {
      for (const reference of ['m-1', rowId, 'unknown']) {
        expect(await cancel(caller, target.id, reference)).toMatchObject({
          status: 404,
          body: { error: { code: -32001, data: { code: 'message_not_found' } } },
        });
      }
    }
    expect(await stateOf(sender, 'm-1')).toBe('queued');
    expect((await cancel(platform.operator, target.id, rowId)).status).toBe(200);
    expect(await stateOf(sender, 'm-1')).toBe('canceled');
  });

  verifies('cancel.queued-never-runs', 'is no message', async () => {
    const { platform, sender, target } = await twoMembers(environment);
    await send(sender.caller, target.id, 'taken back', { messageId: 'm-1' });
    await send(sender.caller, target.id, 'kept', { messageId: 'm-2' });
    await cancel(sender.caller, target.id, 'm-1');
    expect(await inboxTexts(target)).toEqual(['kept']);
    expect(await inboxTexts(target, '&unacknowledged=true')).toEqual(['kept']);
    const history = await platform.operator.get(`/workspaces/${target.id}/activity?direction=all`);
    expect(history.text).not.toContain('tasks/cancel');
    expect(await inbox(sender)).toEqual([]);
  });

  verifies('ends.late-reply', 'late results are ignored', async () => {
    const { sender, target } = await twoMembers(environment);
    await send(sender.caller, target.id, 'work', { messageId: 'm-1' });
    const rowId = await rowIdOf(sender, 'm-1');
    await cancel(sender.caller, target.id, 'm-1');
    const late = await send(target.caller, sender.id, 'too late', { metadata: { in_reply_to: 'm-1' } });
    expect(late).toMatchObject({ status: 200, body: { ignored: true } });
    const outcomes = [{ activity_id: rowId, outcome: 'failed', error: { message: 'no' } }];
    const ack = await target.caller.post(`/workspaces/${target.id}/activity/ack`, { outcomes });
    expect(ack.body).toMatchObject({ outcomes: [{ activity_id: rowId, state: 'canceled' }] });
    expect(await stateOf(sender, 'm-1')).toBe('canceled');
    expect(await inbox(sender)).toEqual([]);
  });

  verifies(['cancel.reaches-a-push-agent', 'ends.late-reply'], 'a push agent', async () => {
    const platform = await environment.platform(LOOPBACK);
    let finish = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const answer = answering('too late');
    const agent = await environment.scriptedAgent({
      script: async (request, count) => {
        if (valueAt(request.body, 'method') === 'message/send') await finished;
        return answer(request, count);
      },
    });
    const [sender, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const call = send(sender.caller, target.id, 'work', { messageId: 'm-1', hold: 60 });
    await agent.received(1);
    const rowId = await rowIdOf(sender, 'm-1');
    await cancel(sender.caller, target.id, 'm-1');
    const [, notification] = await agent.received(2);
    expect(notification?.body).toMatchObject({
      jsonrpc: '2.0',
      method: 'tasks/cancel',
      params: { id: rowId, metadata: { activity_id: rowId, message_id: 'm-1', source_id: sender.id } },
    });
    finish();
    expect((await call).body).toMatchObject({ result: { status: { state: 'canceled' } } });
    expect(await stateOf(sender, 'm-1')).toBe('canceled');
    expect(await inbox(sender)).toEqual([]);
  });

  verifies('cancel.reaches-a-push-agent', 'pushes delay no message', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const answer = answering('done');
    const body = { status: 'queued', queued: true };
    const agent = await environment.scriptedAgent({
      script: (request, count) => {
        if (valueAt(request.body, 'method') === 'tasks/cancel') return { kind: 'never' };
        return request.text.includes('next') ? answer(request, count) : { kind: 'json', body, status: 202 };
      },
    });
    const [sender, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const ids = Array.from({ length: 70 }, (_, index) => `m-${index}`);
    for (const messageId of ids) await send(sender.caller, target.id, 'work', { messageId });
    await agent.received(70);
    for (const id of ids) await cancel(sender.caller, target.id, id);
    const next = await send(sender.caller, target.id, 'next', { messageId: 'next', hold: 60 });
    expect(next).toMatchObject({ status: 200, body: { result: { status: 'completed' } } });
    await agent.received(75);
    expect(agent.requests).toHaveLength(75);
    await platform.clock.advance(5_000);
    await agent.received(79);
    expect(agent.requests).toHaveLength(79);
  });

  verifies('cancel.control-rows', 'control rows', async () => {
    const { platform, sender, target } = await twoMembers(environment);
    const path = `/workspaces/${target.id}/activity?only=control`;
    expect((await target.caller.get(path)).body).toEqual([]);
    const waiting = target.caller.get(`${path}&wait=25`);
    await send(sender.caller, target.id, 'work', { messageId: 'm-1' });
    const rowId = await rowIdOf(sender, 'm-1');
    await cancel(sender.caller, target.id, 'm-1');
    const row = { seq: expect.any(Number), method: 'cancel_task', message_id: 'm-1', activity_id: rowId };
    expect((await waiting).body).toEqual([row]);
    const seq = valueAt((await target.caller.get(path)).body, 0, 'seq');
    expect((await target.caller.get(`${path}&since_seq=${seq}`)).body).toEqual([]);
    expect((await sender.caller.get(path)).status).toBe(401);
    await platform.clock.advance(3_600_001);
    expect((await target.caller.get(path)).body).toEqual([]);
  });

  verifies('cancel.only-on-request', 'closed connection cancels nothing', async () => {
    const platform = await environment.platform();
    const [sender, target] = [await onboard(platform), await onboard(platform)];
    const leaving = new AbortController();
    const call = fetch(`${platform.url}/workspaces/${target.id}/a2a`, {
      method: 'POST',
      headers: { authorization: `Bearer ${sender.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        method: 'message/send',
        params: { message: { messageId: 'm-1', text: 'work' } },
      }),
      signal: leaving.signal,
    }).catch((error: unknown) => error);
    await waitForRow(target, 1);
    leaving.abort();
    await call;
    await target.caller.get(`/workspaces/${target.id}/activity?only=control`);
    expect(await stateOf(sender, 'm-1')).toBe('queued');
    expect(await inboxTexts(target)).toEqual(['work']);
  });
});
