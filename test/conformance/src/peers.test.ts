import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { rowsOf, textAt } from './harness/http.ts';
import { envelope, inbox, type Member, onboard, send, waitForRow } from './harness/members.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

/**
 * root ─ left ─ leftLeaf, leftLeaf2
 *      └ right ─ rightLeaf          other (a second root)
 */
async function growTree(platform: RunningPlatform) {
  const root = await onboard(platform, { name: 'root' });
  const left = await onboard(platform, { name: 'left', parent: root.id });
  const right = await onboard(platform, { name: 'right', parent: root.id });
  return {
    root,
    left,
    right,
    leftLeaf: await onboard(platform, { name: 'leftLeaf', parent: left.id }),
    leftLeaf2: await onboard(platform, { name: 'leftLeaf2', parent: left.id }),
    rightLeaf: await onboard(platform, { name: 'rightLeaf', parent: right.id }),
    other: await onboard(platform, { name: 'other' }),
  };
}

type Tree = Awaited<ReturnType<typeof growTree>>;

/** Every way one of them talks to another: may it? */
const TABLE: readonly [from: keyof Tree, to: keyof Tree, allowed: boolean][] = [
  ['left', 'left', true],
  ['left', 'right', true],
  ['leftLeaf', 'leftLeaf2', true],
  ['root', 'left', true],
  ['left', 'root', true],
  ['leftLeaf', 'left', true],
  ['root', 'other', true],
  ['leftLeaf', 'rightLeaf', false],
  ['leftLeaf', 'right', false],
  ['leftLeaf', 'root', false],
  ['root', 'leftLeaf', false],
  ['other', 'left', false],
  ['left', 'other', false],
];

async function whatIsAllowed(platform: RunningPlatform, from: Member, to: Member) {
  const check = await from.caller.post('/registry/check-access', { caller_id: from.id, target_id: to.id });
  const discover = await from.caller.get(`/registry/discover/${to.id}`);
  const call = await send(from.caller, to.id, `from ${from.id}`);
  const asOperator = await platform.operator.post('/registry/check-access', {
    caller_id: from.id,
    target_id: to.id,
  });
  return { check: check.body, discover: discover.status, call: call.status, asOperator: asOperator.body };
}

const ALLOWED = { check: { allowed: true }, discover: 200, call: 202, asOperator: { allowed: true } };
const DENIED = { check: { allowed: false }, discover: 403, call: 403, asOperator: { allowed: false } };

onEachDatabase('the hierarchy', (environment) => {
  verifies('peers.table', 'table', async () => {
    const platform = await environment.platform();
    const tree = await growTree(platform);
    for (const [from, to, allowed] of TABLE) {
      const found = await whatIsAllowed(platform, tree[from], tree[to]);
      expect(found, `${from} → ${to}`).toEqual(allowed ? ALLOWED : DENIED);
    }
    expect(await inbox(tree.leftLeaf)).toEqual([]);
    expect(await inbox(tree.rightLeaf)).toEqual([]);
    const unknown = await send(tree.left.caller, randomUUID(), 'anybody?');
    expect([403, 404]).toContain(unknown.status);
  });

  verifies('peers.ancestors-are-opt-in', async () => {
    const strict = await environment.platform();
    const strictTree = await growTree(strict);
    expect(await send(strictTree.leftLeaf.caller, strictTree.root.id, 'up')).toMatchObject({
      status: 403,
      body: { code: 'access_denied' },
    });
    const open = await environment.platform({ security: { hierarchy: 'ancestors' } });
    const tree = await growTree(open);
    expect((await send(tree.leftLeaf.caller, tree.root.id, 'up')).status).toBe(202);
    expect((await send(tree.root.caller, tree.leftLeaf.id, 'down')).status).toBe(202);
    expect((await send(tree.leftLeaf.caller, tree.rightLeaf.id, 'across')).status).toBe(403);
  });

  verifies('peers.discover.answer', 'discover: oneself without a url', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform, { name: 'solo' });
    const answer = await member.caller.get(`/registry/discover/${member.id}`, {
      'x-workspace-id': member.id,
    });
    expect(answer).toMatchObject({ status: 200, body: { id: member.id, url: '', name: 'solo' } });
  });

  verifies('peers.discover.answer', 'discover: answer', async () => {
    const platform = await environment.platform();
    const url = 'https://agent.example.com/a2a';
    const card = { name: 'ops', skills: ['paging'] };
    const target = await onboard(platform, { name: 'ops', role: 'sre', url, card });
    const caller = await onboard(platform);
    expect(await caller.caller.get(`/registry/discover/${target.id}`)).toMatchObject({
      status: 200,
      body: {
        id: target.id,
        url,
        name: 'ops',
        role: 'sre',
        status: 'online',
        delivery_mode: 'push',
        agent_card: card,
      },
    });
  });

  verifies('peers.discover.poll', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform, { name: 'polls' })];
    const { body } = await caller.caller.get(`/registry/discover/${target.id}`);
    expect(body).toMatchObject({ url: `${platform.url}/workspaces/${target.id}/a2a`, delivery_mode: 'poll' });
    // As a client that posts to what it discovers, with its own credential.
    const path = new URL(textAt(body, 'url')).pathname;
    const held = caller.caller.post(path, envelope('ping', { messageId: 'm-1' }), {
      'x-workspace-id': caller.id,
    });
    await waitForRow(target);
    const reply = envelope('pong', { metadata: { in_reply_to: 'm-1' } });
    await target.caller.post(`/workspaces/${caller.id}/a2a`, reply);
    const answer = await held;
    expect(textAt(answer.body, 'result', 'parts', 0, 'text')).toContain('pong');
    expect(rowsOf(await caller.caller.get(`/registry/${caller.id}/peers`))[0]).toMatchObject({ url: '' });
  });

  verifies('peers.table', 'discover: denied', async () => {
    const platform = await environment.platform();
    const tree = await growTree(platform);
    const denied = await tree.leftLeaf.caller.get(`/registry/discover/${tree.root.id}`);
    expect(denied).toMatchObject({ status: 403, body: { code: 'access_denied' } });
    const unknown = await tree.leftLeaf.caller.get(`/registry/discover/${randomUUID()}`);
    expect([403, 404]).toContain(unknown.status);
    const malformed = await tree.leftLeaf.caller.get('/registry/discover/nobody');
    expect(malformed).toMatchObject({ status: 400, body: { code: 'invalid_workspace_id' } });
  });

  verifies('peers.list.order', 'list: order', async () => {
    const platform = await environment.platform();
    const tree = await growTree(platform);
    const gone = await onboard(platform, { name: 'gone', parent: tree.root.id });
    await platform.operator.delete(`/workspaces/${gone.id}`);
    const names = async (member: Member) =>
      rowsOf(await member.caller.get(`/registry/${member.id}/peers`)).map((row) => row.name);
    expect(await names(tree.left)).toEqual(['right', 'leftLeaf', 'leftLeaf2', 'root']);
    expect(await names(tree.leftLeaf)).toEqual(['leftLeaf2', 'left']);
    expect(await names(tree.root)).toEqual(['other', 'left', 'right']);
  });

  verifies('peers.list.order', 'list: row', async () => {
    const platform = await environment.platform();
    const peer = await onboard(platform, {
      name: 'ops',
      role: 'sre',
      card: { name: 'ops' },
      create: { tier: 2 },
    });
    const member = await onboard(platform);
    expect(rowsOf(await member.caller.get(`/registry/${member.id}/peers`))).toMatchObject([
      {
        id: peer.id,
        name: 'ops',
        role: 'sre',
        tier: 2,
        status: 'online',
        url: '',
        parent_id: null,
        active_tasks: 0,
        agent_card: { name: 'ops' },
      },
    ]);
  });

  verifies('peers.list.filter', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    await onboard(platform, { name: 'Research' });
    await onboard(platform, { name: 'ops', role: 'ReSearcher' });
    await onboard(platform, { name: 'other', role: 'sre' });
    const found = await member.caller.get(`/registry/${member.id}/peers?q=research`);
    expect(rowsOf(found).map((row) => row.name)).toEqual(['Research', 'ops']);
  });

  verifies('peers.check-access', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const body = { caller_id: member.id, target_id: randomUUID() };
    expect((await platform.anonymous.post('/registry/check-access', body)).status).toBe(401);
    expect(await member.caller.post('/registry/check-access', body)).toMatchObject({
      status: 200,
      body: { allowed: false },
    });
    const unknownSelf = { caller_id: body.target_id, target_id: body.target_id };
    expect(await platform.operator.post('/registry/check-access', unknownSelf)).toMatchObject({
      body: { allowed: false },
    });
    expect((await member.caller.post('/registry/check-access', { caller_id: 'x' })).status).toBe(400);
  });
});
