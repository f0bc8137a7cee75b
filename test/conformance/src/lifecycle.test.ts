import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { type HttpResponse, rowsOf, textAt, valueAt } from './harness/http.ts';
import {
  createMember,
  heartbeat,
  type Member,
  onboard,
  registerMember,
  send,
  statusOf,
} from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

onEachDatabase('pausing', (environment) => {
  verifies(
    ['lifecycle.pause.is-sticky', 'registry.heartbeat.tells-the-state'],
    'pause: is sticky; state: tells paused and deleted',
    async () => {
      const platform = await environment.platform();
      const member = await onboard(platform);
      const state = () => member.caller.get(`/workspaces/${member.id}/state`);
      expect(await state()).toMatchObject({
        status: 200,
        body: { workspace_id: member.id, status: 'online', paused: false, deleted: false },
      });
      expect(await platform.operator.post(`/workspaces/${member.id}/pause`)).toMatchObject({
        status: 200,
        body: { status: 'paused', paused_count: 1 },
      });
      await registerMember(member);
      expect(await heartbeat(member)).toMatchObject({
        status: 200,
        body: { paused: true, workspace_status: 'paused' },
      });
      expect(await state()).toMatchObject({
        status: 200,
        body: { status: 'paused', paused: true, deleted: false },
      });
    },
  );

  verifies('lifecycle.pause.is-sticky', 'pause: keeps the url', async () => {
    const platform = await environment.platform();
    const url = 'https://agent.example.com/';
    const member = await onboard(platform, { url });
    await platform.operator.post(`/workspaces/${member.id}/pause`);
    expect((await platform.operator.get(`/workspaces/${member.id}`)).body).toMatchObject({
      url,
      status: 'paused',
    });
    await platform.operator.post(`/workspaces/${member.id}/resume`);
    expect((await platform.operator.get(`/workspaces/${member.id}`)).body).toMatchObject({ url });
  });

  verifies('lifecycle.pause.takes-descendants', 'pause: takes descendants', async () => {
    const platform = await environment.platform();
    const root = await onboard(platform, { name: 'root' });
    const child = await onboard(platform, { name: 'child', parent: root.id });
    const grandchild = await onboard(platform, { name: 'grandchild', parent: child.id });
    const bystander = await onboard(platform, { name: 'bystander' });
    expect((await platform.operator.post(`/workspaces/${root.id}/pause`)).body).toMatchObject({
      paused_count: 3,
    });
    expect(await statusOf(platform, grandchild.id)).toBe('paused');
    expect(await statusOf(platform, bystander.id)).toBe('online');
    expect((await platform.operator.post(`/workspaces/${root.id}/resume`)).body).toMatchObject({
      resumed_count: 3,
    });
    expect(await statusOf(platform, grandchild.id)).toBe('awaiting_agent');
  });

  verifies('lifecycle.pause.is-sticky', 'pause: is not swept', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const member = await onboard(platform);
    await platform.operator.post(`/workspaces/${member.id}/pause`);
    await platform.clock.advance(600_000);
    expect(await statusOf(platform, member.id)).toBe('paused');
  });

  verifies('lifecycle.resume.awaits-the-next-heartbeat', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    await member.caller.post(`/workspaces/${member.id}/pause`);
    expect(await member.caller.post(`/workspaces/${member.id}/resume`)).toMatchObject({
      status: 200,
      body: { status: 'awaiting_agent', resumed_count: 1 },
    });
    expect(await statusOf(platform, member.id)).toBe('awaiting_agent');
    await heartbeat(member);
    expect(await statusOf(platform, member.id)).toBe('online');
  });

  verifies('lifecycle.resume.waits-for-its-parent', async () => {
    const platform = await environment.platform();
    const parent = await onboard(platform, { name: 'boss' });
    const child = await onboard(platform, { parent: parent.id });
    await platform.operator.post(`/workspaces/${parent.id}/pause`);
    expect(await platform.operator.post(`/workspaces/${child.id}/resume`)).toMatchObject({
      status: 409,
      body: { code: 'parent_paused', error: expect.stringContaining('boss') },
    });
  });

  verifies('lifecycle.pause.takes-descendants', 'resume: keeps other pauses', async () => {
    const platform = await environment.platform();
    const root = await onboard(platform);
    const child = await onboard(platform, { parent: root.id });
    const grandchild = await onboard(platform, { parent: child.id });
    const sibling = await onboard(platform, { parent: root.id });
    const statuses = () =>
      Promise.all([root, child, grandchild, sibling].map(({ id }) => statusOf(platform, id)));
    const pause = ({ id }: Member): Promise<HttpResponse> =>
      platform.operator.post(`/workspaces/${id}/pause`);
    const resume = ({ id }: Member): Promise<HttpResponse> =>
      platform.operator.post(`/workspaces/${id}/resume`);
    await pause(child);
    expect(await pause(root)).toMatchObject({ status: 200, body: { paused_count: 2 } });
    expect(await resume(root)).toMatchObject({ status: 200, body: { resumed_count: 2 } });
    expect(await statuses()).toEqual(['awaiting_agent', 'paused', 'paused', 'awaiting_agent']);
    expect(await resume(child)).toMatchObject({ status: 200, body: { resumed_count: 2 } });
    // The same when the child is paused itself while it is paused with its parent.
    expect(await pause(root)).toMatchObject({ status: 200, body: { paused_count: 4 } });
    expect(await pause(child)).toMatchObject({ status: 200, body: { paused_count: 2 } });
    expect(await pause(child)).toMatchObject({ status: 404, body: { code: 'already_paused' } });
    expect(await resume(root)).toMatchObject({ status: 200, body: { resumed_count: 2 } });
    expect(await statuses()).toEqual(['awaiting_agent', 'paused', 'paused', 'awaiting_agent']);
  });

  verifies('lifecycle.resume.not-against-the-operator', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const path = `/workspaces/${member.id}`;
    const forbidden = { status: 403, body: { code: 'forbidden', hint: expect.stringContaining('operator') } };
    await platform.operator.post(`${path}/pause`);
    expect(await member.caller.post(`${path}/resume`)).toMatchObject(forbidden);
    expect(await statusOf(platform, member.id)).toBe('paused');
    expect((await platform.operator.post(`${path}/resume`)).status).toBe(200);

    await member.caller.post(`${path}/pause`);
    expect((await member.caller.post(`${path}/resume`)).status).toBe(200);
    await member.caller.post(`${path}/pause`);
    expect((await platform.operator.post(`${path}/pause`)).status).toBe(200);
    expect(await member.caller.post(`${path}/resume`)).toMatchObject(forbidden);
    expect((await platform.operator.post(`${path}/resume`)).status).toBe(200);
  });

  verifies('lifecycle.pause.one-cause-each', 'pause: twice is refused', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    expect(await platform.operator.post(`/workspaces/${member.id}/resume`)).toMatchObject({
      status: 404,
      body: { code: 'not_paused' },
    });
    await platform.operator.post(`/workspaces/${member.id}/pause`);
    expect(await platform.operator.post(`/workspaces/${member.id}/pause`)).toMatchObject({
      status: 404,
      body: { code: 'already_paused' },
    });
  });
});

onEachDatabase('removing', (environment) => {
  verifies('lifecycle.remove.old-token-learns-of-it', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const peer = await onboard(platform);
    expect(await platform.operator.delete(`/workspaces/${member.id}`)).toMatchObject({
      status: 200,
      body: { status: 'removed', cascade_deleted: 0 },
    });
    expect(await member.caller.get(`/workspaces/${member.id}/state`)).toMatchObject({
      status: 404,
      body: { workspace_id: member.id, status: 'removed', deleted: true },
    });
    expect(await heartbeat(member)).toMatchObject({
      status: 401,
      body: { code: 'workspace_removed', deleted: true },
    });
    expect(await member.caller.get(`/workspaces/${member.id}`)).toMatchObject({ status: 410 });
    expect(await member.caller.get(`/workspaces/${member.id}/activity`)).toMatchObject({ status: 401 });
    for (const call of [
      await send(member.caller, peer.id, 'from a ghost'),
      await send(member.caller, member.id, 'a ghost to itself'),
      await send(peer.caller, member.id, 'to a ghost'),
    ]) {
      expect(call).toMatchObject({ status: 410, body: { code: 'workspace_removed' } });
    }
  });

  verifies('lifecycle.remove.gone', 'remove: gone body', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const member = await onboard(platform);
    await platform.operator.delete(`/workspaces/${member.id}`);
    const removed_at = new Date(platform.clock.now()).toISOString();
    expect(await member.caller.get(`/workspaces/${member.id}`)).toMatchObject({
      status: 410,
      body: { error: 'workspace removed', id: member.id, removed_at, hint: expect.stringMatching(/./) },
    });
  });

  verifies('lifecycle.remove.gone', 'remove: audit read', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    await platform.operator.delete(`/workspaces/${member.id}`);
    const read = (value: string) =>
      platform.operator.get(`/workspaces/${member.id}?include_removed=${value}`);
    expect(await read('true')).toMatchObject({ status: 200, body: { id: member.id, status: 'removed' } });
    for (const value of ['1', 'TRUE', 'yes', 'false', ''])
      expect((await read(value)).status, value).toBe(410);
  });

  verifies('lifecycle.remove.children-need-confirmation', async () => {
    const platform = await environment.platform();
    const parent = await onboard(platform, { name: 'parent' });
    const child = await onboard(platform, { name: 'child', parent: parent.id });
    const grandchild = await onboard(platform, { name: 'grandchild', parent: child.id });
    expect(await platform.operator.delete(`/workspaces/${parent.id}`)).toMatchObject({
      status: 409,
      body: {
        code: 'confirmation_required',
        status: 'confirmation_required',
        children: [{ id: child.id, name: 'child' }],
        children_count: 1,
      },
    });
    expect(await statusOf(platform, child.id)).toBe('online');
    expect(await platform.operator.delete(`/workspaces/${parent.id}?confirm=true`)).toMatchObject({
      status: 200,
      body: { status: 'removed', cascade_deleted: 2 },
    });
    expect((await heartbeat(grandchild)).status).toBe(401);
  });

  verifies('lifecycle.remove.gone', 'remove: leaves the list', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const peer = await onboard(platform);
    await platform.operator.delete(`/workspaces/${member.id}`);
    const ids = rowsOf(await platform.operator.get('/workspaces')).map((row) => row.id);
    expect(ids).toEqual([peer.id]);
    expect(rowsOf(await peer.caller.get(`/registry/${peer.id}/peers`))).toEqual([]);
  });

  verifies('lifecycle.operator-only', 'remove: operator only', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const other = await onboard(platform);
    for (const caller of [member.caller, other.caller, platform.anonymous]) {
      expect((await caller.delete(`/workspaces/${member.id}`)).status).toBe(401);
    }
    expect(await statusOf(platform, member.id)).toBe('online');
  });

  verifies('lifecycle.remove.again-is-harmless', async () => {
    const platform = await environment.platform();
    const member = await createMember(platform);
    for (let times = 0; times < 3; times += 1) {
      expect(await platform.operator.delete(`/workspaces/${member.id}`)).toMatchObject({
        status: 200,
        body: { status: 'removed' },
      });
    }
    for (let times = 0; times < 2; times += 1) {
      expect(await platform.operator.delete(`/workspaces/${member.id}?purge=true`)).toMatchObject({
        status: 200,
        body: { status: 'purged', cascade_deleted: 0 },
      });
    }
    expect(await platform.operator.delete(`/workspaces/${randomUUID()}`)).toMatchObject({
      status: 200,
      body: { status: 'removed', cascade_deleted: 0 },
    });
  });

  verifies('lifecycle.remove.is-final', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    await platform.operator.delete(`/workspaces/${member.id}`);
    const body = { id: member.id, agent_card: { name: 'zombie' }, rotate: true };
    for (const caller of [platform.operator, member.caller, platform.anonymous]) {
      const answer = await caller.post('/registry/register', body);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.body).not.toHaveProperty('auth_token');
    }
    expect((await platform.operator.get(`/workspaces/${member.id}`)).status).toBe(410);
  });

  verifies('lifecycle.remove.fails-waiting-messages', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const peer = await onboard(platform);
    const queued = await send(peer.caller, member.id, 'are you there?', { messageId: 'm-1' });
    expect(queued.status).toBe(202);
    await platform.operator.delete(`/workspaces/${member.id}`);
    expect(await peer.caller.get(`/workspaces/${peer.id}/messages/m-1`)).toMatchObject({
      status: 200,
      body: { state: 'failed', error: { code: 'workspace_removed' } },
    });
  });
});

onEachDatabase('patching', (environment) => {
  verifies('lifecycle.patch.changes-what-is-given', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform, { name: 'before', role: 'sre' });
    const body = { name: 'after', x: 3, y: 4, collapsed: true };
    expect(await platform.operator.patch(`/workspaces/${member.id}`, body)).toMatchObject({
      status: 200,
      body: { status: 'updated' },
    });
    expect((await platform.operator.get(`/workspaces/${member.id}`)).body).toMatchObject({
      ...body,
      role: 'sre',
    });
    const unknown = await platform.operator.patch(`/workspaces/${randomUUID()}`, { name: 'x' });
    expect(unknown).toMatchObject({ status: 404, body: { code: 'workspace_not_found' } });
  });

  verifies('lifecycle.operator-only', 'patch: place and rank are the operator s', async () => {
    const platform = await environment.platform();
    const boss = await onboard(platform);
    const member = await onboard(platform);
    for (const change of [{ parent_id: boss.id }, { tier: 1 }, { runtime: 'langgraph' }]) {
      const answer = await member.caller.patch(`/workspaces/${member.id}`, change);
      expect(answer, JSON.stringify(change)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    }
    expect((await platform.operator.get(`/workspaces/${member.id}`)).body).toMatchObject({
      parent_id: null,
      tier: 3,
      runtime: 'external',
    });
    expect((await member.caller.patch(`/workspaces/${member.id}`, { name: 'renamed' })).status).toBe(200);
  });

  verifies('requests.invalid-are-400', 'patch: no circles', async () => {
    const platform = await environment.platform();
    const root = await onboard(platform);
    const child = await onboard(platform, { parent: root.id });
    for (const parent_id of [child.id, root.id]) {
      const answer = await platform.operator.patch(`/workspaces/${root.id}`, { parent_id });
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_parent' } });
    }
    const read = await platform.operator.get(`/workspaces/${root.id}`);
    expect(valueAt(read.body, 'parent_id')).toBeNull();
    expect(textAt(read.body, 'id')).toBe(root.id);
  });
});
