import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';

let running: RunningPlatform;
beforeAll(async () => {
  running = await startPlatform();
});
afterAll(() => running.platform.close());

const UNKNOWN_ID = '11111111-2222-4333-8444-555555555555';
const discover = (id: string, token?: string) =>
  running.call('GET', `/registry/discover/${id}`, token === undefined ? {} : { token });

async function family() {
  const parent = await running.join({ name: 'parent', role: 'lead' });
  const me = await running.join({ name: 'me', parent_id: parent.id });
  const sibling = await running.join({ name: 'sibling', parent_id: parent.id, role: 'SRE' });
  const child = await running.join({ name: 'child', parent_id: me.id });
  const grandchild = await running.join({ name: 'grandchild', parent_id: child.id });
  return { parent, me, sibling, child, grandchild };
}

describe('discovering a workspace', () => {
  it('needs no header and returns the card', async () => {
    const { me } = await family();
    const peer = await running.create({ name: 'peer', role: 'ops', url: 'https://peer.example.com/a2a' });
    const { status, body } = await discover(peer.id);
    expect(status).toBe(200);
    expect(body).toEqual({
      id: peer.id,
      url: 'https://peer.example.com/a2a',
      name: 'peer',
      role: 'ops',
      status: 'awaiting_agent',
      delivery_mode: 'push',
      agent_card: null,
    });
    const itself = await running.create();
    expect(await discover(itself.id, itself.token)).toMatchObject({ status: 200, body: { url: '' } });
    expect((await discover(peer.id, me.token)).body.code).toBe('access_denied');
    expect((await discover(UNKNOWN_ID, me.token)).body.code).toBe('access_denied');
    expect((await discover(UNKNOWN_ID)).body.code).toBe('workspace_not_found');
  });

  it('returns the reason why a peer without a URL cannot be called', async () => {
    const { me, sibling } = await family();
    expect(await discover(sibling.id, me.token)).toMatchObject({
      status: 200,
      body: { url: expect.stringMatching(`/workspaces/${sibling.id}/a2a$`), status: 'online' },
    });
    await running.call('POST', `/workspaces/${sibling.id}/pause`);
    expect(await discover(sibling.id, me.token)).toMatchObject({
      status: 503,
      body: { code: 'workspace_unavailable', status: 'paused' },
    });
    await running.call('DELETE', `/workspaces/${sibling.id}`);
    expect(await discover(sibling.id, me.token)).toMatchObject({
      status: 410,
      body: { code: 'workspace_removed' },
    });
  });
});

describe('listing peers', () => {
  it('returns siblings, children and the parent, in that order', async () => {
    const { parent, me, sibling, child, grandchild } = await family();
    const peers = async (path: string) => {
      const { body } = await running.call('GET', path, { token: me.token });
      return body.map((row: { id: string }) => row.id);
    };
    const path = `/registry/${me.id}/peers`;
    expect(await peers(path)).toEqual([sibling.id, child.id, parent.id]);
    expect(await peers(`${path}?q=sre`)).toEqual([sibling.id]);
    expect(await peers(`${path}?q=LEAD`)).toEqual([parent.id]);
    expect(await peers(`${path}?q=child`)).toEqual([child.id]);
    expect(await peers(`${path}?q=nobody`)).toEqual([]);
    await running.call('DELETE', `/workspaces/${child.id}?confirm=true`);
    expect(await peers(path)).toEqual([sibling.id, parent.id]);
    const others = await running.call('GET', path, { token: grandchild.token });
    expect(others.status).toBe(401);
  });
});

describe('who may communicate', () => {
  const allowed = async (caller: { id: string; token: string }, target_id: string) => {
    const body = { caller_id: caller.id, target_id };
    return (await running.call('POST', '/registry/check-access', { token: caller.token, body })).body.allowed;
  };

  it('is exactly the table of the External Agents page', async () => {
    const { parent, me, sibling, child, grandchild } = await family();
    const root = await running.create();
    expect(await allowed(me, me.id)).toBe(true);
    expect(await allowed(me, sibling.id)).toBe(true);
    expect(await allowed(me, parent.id)).toBe(true);
    expect(await allowed(me, child.id)).toBe(true);
    expect(await allowed(parent, root.id)).toBe(true);
    expect(await allowed(me, root.id)).toBe(false);
    expect(await allowed(me, grandchild.id)).toBe(false);
    expect(await allowed(grandchild, parent.id)).toBe(false);
    expect(await allowed(sibling, child.id)).toBe(false);
    expect(await allowed(me, UNKNOWN_ID)).toBe(false);
  });

  it('is returned to a workspace about itself only', async () => {
    const { me, sibling } = await family();
    const body = { caller_id: sibling.id, target_id: me.id };
    const answer = await running.call('POST', '/registry/check-access', { token: me.token, body });
    expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect((await running.call('POST', '/registry/check-access', { body })).body).toEqual({ allowed: true });
  });

  it('includes ancestors when the platform is configured so', async () => {
    const lenient = await startPlatform({ hierarchy: 'ancestors' });
    try {
      const top = await lenient.create();
      const middle = await lenient.create({ parent_id: top.id });
      const bottom = await lenient.create({ parent_id: middle.id });
      const cousin = await lenient.create({ parent_id: (await lenient.create({ parent_id: top.id })).id });
      const check = async (caller_id: string, target_id: string) =>
        (await lenient.call('POST', '/registry/check-access', { body: { caller_id, target_id } })).body
          .allowed;
      expect(await check(bottom.id, top.id)).toBe(true);
      expect(await check(top.id, bottom.id)).toBe(true);
      expect(await check(bottom.id, cousin.id)).toBe(false);
    } finally {
      await lenient.platform.close();
    }
  });
});
