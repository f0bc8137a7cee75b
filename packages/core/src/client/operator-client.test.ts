import { describe, expect, it } from 'vitest';
import { PEER, SELF, TOKEN } from '../../test/agent-ids.ts';
import type { ScriptedResponse } from '../../test/scripted-server.ts';
import { OPERATOR_KEY, operatorStage } from '../../test/test-client.ts';

const stage = (...script: ScriptedResponse[]) => operatorStage(script);

describe('OperatorClient', () => {
  it('creates a workspace once, and maps names', async () => {
    const connection = {
      workspace_id: SELF,
      platform_url: 'http://p',
      auth_token: TOKEN,
      registry_endpoint: 'http://p/r',
      heartbeat_endpoint: 'http://p/h',
    };
    await using s = await stage({
      status: 201,
      body: { id: SELF, external: true, status: 'awaiting_agent', connection },
    });
    const made = await s.client.createWorkspace({
      name: 'researcher',
      tier: 2,
      parentId: null,
      budgetLimitCents: 500,
      secrets: { A: '1' },
      position: { x: 1, y: 2 },
    });
    expect(made).toMatchObject({ id: SELF, status: 'awaiting_agent', authToken: TOKEN, connection });
    expect(s.server.last.headers).toMatchObject({ authorization: `Bearer ${OPERATOR_KEY}` });
    expect(s.server.last.headers).not.toHaveProperty('x-workspace-id');
    expect(s.server.last.body).toEqual({
      name: 'researcher',
      runtime: 'external',
      external: true,
      tier: 2,
      parent_id: null,
      budget_limit: 500,
      secrets: { A: '1' },
      canvas: { x: 1, y: 2 },
    });
    s.server.script({ status: 503 });
    await expect(s.client.createWorkspace({ name: 'again' })).rejects.toMatchObject({ status: 503 });
    expect(s.server.requests).toHaveLength(2);
    expect(s.server.contractProblems()).toEqual([]);
  });

  it('reads, changes, pauses, resumes and deletes', async () => {
    await using s = await stage();
    const path = `/workspaces/${SELF}`;
    s.server.routes.set('GET /workspaces', { body: [{ id: SELF, name: 'a', status: 'online' }, null] });
    s.server.routes.set(`GET ${path}`, { body: { id: SELF, name: 'a', status: 'online' } });
    s.server.routes.set(`PATCH ${path}`, { body: { status: 'updated' } });
    s.server.routes.set(`POST ${path}/pause`, { body: { status: 'paused', paused_count: 2 } });
    s.server.routes.set(`POST ${path}/resume`, { body: { status: 'provisioning', resumed_count: 2 } });
    s.server.routes.set(`GET ${path}/state`, { status: 404, body: { workspace_id: SELF, deleted: true } });
    s.server.routes.set(`DELETE ${path}`, { body: { status: 'removed', cascade_deleted: 3 } });
    expect(await s.client.listWorkspaces()).toEqual([
      expect.objectContaining({ id: SELF, status: 'online' }),
    ]);
    expect(await s.client.getWorkspace(SELF)).toMatchObject({ name: 'a' });
    await s.client.updateWorkspace(SELF, { role: null, position: { x: 1, y: 2 } });
    expect(s.server.last.body).toEqual({ role: null, x: 1, y: 2 });
    expect(await s.client.pause(SELF)).toBe(2);
    expect(await s.client.resume(SELF)).toBe(2);
    expect(await s.client.state(SELF)).toMatchObject({ deleted: true });
    expect(await s.client.deleteWorkspace(SELF, { confirm: true, purge: false })).toBe(3);
    expect(Object.fromEntries(s.server.last.query)).toEqual({ confirm: 'true' });
    expect(s.server.contractProblems()).toEqual([]);
  });

  it('handles tokens', async () => {
    await using s = await stage();
    const path = `/workspaces/${SELF}/tokens`;
    s.server.routes.set(`GET ${path}`, { body: { tokens: [], count: 0 } });
    s.server.routes.set(`POST ${path}`, { status: 201, body: { auth_token: TOKEN, workspace_id: SELF } });
    s.server.routes.set(`DELETE ${path}/t1`, { body: { status: 'revoked' } });
    s.server.routes.set(`DELETE ${path}`, { body: { status: 'revoked', revoked_count: 2 } });
    expect(await s.client.tokens.list(SELF)).toEqual([]);
    expect(await s.client.tokens.mint(SELF)).toEqual({ workspaceId: SELF, authToken: TOKEN });
    await s.client.tokens.revoke(SELF, 't1');
    await s.client.tokens.revokeAll(SELF);
    expect(s.server.requests.map(({ method }) => method)).toEqual(['GET', 'POST', 'DELETE', 'DELETE']);
    expect(s.server.contractProblems()).toEqual([]);
  });

  it('sends a message as the user and reads its state', async () => {
    const text = 'no [A2A_RESULT_FROM_PEER]markers[/A2A_RESULT_FROM_PEER] removed';
    await using s = await stage({
      body: { jsonrpc: '2.0', id: '1', result: { parts: [{ kind: 'text', text }] } },
    });
    expect((await s.client.sendMessage(PEER, 'hello')).text).toBe(text);
    expect(s.server.last.body).toMatchObject({ params: { message: { role: 'user' } } });
    const headers = { 'x-molecule-capabilities': 'message-status' };
    s.server.script({ status: 202, headers, body: { queued: true, held: true, status: 'queued' } });
    expect(await s.client.sendMessage(PEER, 'hello', { messageId: 'm1' })).toMatchObject({
      status: 'queued',
      isHeld: true,
    });
    s.server.script({
      body: {
        message_id: 'm1',
        queue_id: 'q',
        activity_id: SELF,
        caller_id: null,
        target_id: PEER,
        state: 'answered',
        held: false,
        attempts: 1,
        answer: { result: 'yes' },
        error: null,
        created_at: 't',
        answered_at: 't',
      },
    });
    expect((await s.client.getMessage(PEER, 'm1')).text).toBe('yes');
    expect(await s.client.waitForAnswer(PEER, 'm1')).toMatchObject({ status: 'answered', messageId: 'm1' });
    expect(s.server.last.path).toBe(`/workspaces/${PEER}/messages/m1`);
  });

  it('lists activity with every filter', async () => {
    await using s = await stage({ headers: { 'x-has-more': 'false' }, body: [{ id: 'a' }, 7] });
    const page = await s.client.listActivity(PEER, {
      direction: 'all',
      type: 'delegation',
      source: 'agent',
      limit: 1,
      order: 'asc',
    });
    expect(page).toMatchObject({ rows: [{ id: 'a', raw: { id: 'a' } }], hasMore: false });
    expect(Object.fromEntries(s.server.last.query)).toMatchObject({
      direction: 'all',
      type: 'delegation',
      source: 'agent',
      limit: '1',
      order: 'asc',
    });
    expect(s.server.contractProblems()).toEqual([]);
  });

  it('probes without a credential and without retries', async () => {
    await using s = await stage(
      { body: { status: 'ok' } },
      { status: 503, body: { error: 'x', code: 'platform_unavailable' } },
    );
    await s.client.health();
    expect(s.server.last.headers).not.toHaveProperty('authorization');
    await expect(s.client.ready()).rejects.toMatchObject({
      status: 503,
      platformCode: 'platform_unavailable',
    });
    expect(s.server.requests).toHaveLength(2);
  });
});
