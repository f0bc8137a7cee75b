import { describe, expect, it } from 'vitest';
import { SELF, TOKEN } from '../../test/agent-ids.ts';
import type { ScriptedResponse } from '../../test/scripted-server.ts';
import { operatorStage, stage } from '../../test/test-client.ts';
import type { OperatorClient } from '../client/operator-client.ts';

const BUSY: ScriptedResponse = { status: 503, body: { error: 'busy', code: 'platform_unavailable' } };
const busy = { code: 'platform_unavailable' };

describe('a call', () => {
  it('encodes parameters in the path and omits undefined query values', async () => {
    await using s = await operatorStage({ body: [] });
    const filters = { limit: 1, sinceId: undefined, type: 'x y&z', unacknowledged: true };
    await s.client.listActivity('a/../b?x#y z', filters);
    expect(s.server.last.path).toBe('/workspaces/a%2F..%2Fb%3Fx%23y%20z/activity');
    expect([...s.server.last.query]).toEqual([
      ['type', 'x y&z'],
      ['include', 'peer_info'],
      ['limit', '1'],
      ['unacknowledged', 'true'],
    ]);
    for (const id of ['', '.', '..', '\ud800']) {
      await expect(s.client.getWorkspace(id)).rejects.toMatchObject({ code: 'invalid_argument' });
    }
    expect(s.server.requests).toHaveLength(1);
  });

  it.each<[string, number, (client: OperatorClient) => Promise<unknown>]>([
    ['listing workspaces', 4, (client) => client.listWorkspaces()],
    ['creating a workspace', 1, (client) => client.createWorkspace({ name: 'x' })],
    ['a pause', 1, (client) => client.pause(SELF)],
    ['revoking a token', 1, (client) => client.tokens.revoke(SELF, 't')],
    ['a probe', 1, (client) => client.health()],
  ])('is retried if that is safe: %s is sent %d times', async (_name, count, request) => {
    await using s = await operatorStage(BUSY);
    await expect(request(s.client)).rejects.toMatchObject(busy);
    expect(s.server.requests).toHaveLength(count);
  });

  it('is retried for an acknowledgement, and for a notification, which has an idempotency key', async () => {
    for (const request of ['acknowledge', 'notify'] as const) {
      await using s = await stage(BUSY);
      await expect(s.client[request]('x')).rejects.toMatchObject(busy);
      expect(s.server.requests).toHaveLength(4);
    }
  });

  it('parses tolerantly, also with another success status, and names missing keys', async () => {
    await using s = await operatorStage([
      { status: 200, body: { auth_token: TOKEN, workspace_id: SELF, unknown: { message_id: 'm' } } },
      { status: 201, body: { auth_token: TOKEN } },
    ]);
    expect(await s.client.tokens.mint(SELF)).toEqual({ workspaceId: SELF, authToken: TOKEN });
    await expect(s.client.tokens.mint(SELF)).rejects.toMatchObject({
      code: 'unexpected_response',
      path: `/workspaces/${SELF}/tokens`,
      message: expect.stringContaining('workspace_id'),
    });
  });
});
