import { type Route, routes } from '@molecule-ai/protocol';
import { describe, expect, it } from 'vitest';
import { TOKEN } from '../../test/agent-ids.ts';
import { type ScriptedResponse, ScriptedServer } from '../../test/scripted-server.ts';
import { testTransport } from '../../test/test-transport.ts';
import type { Transport } from '../transport/transport.ts';
import { type Call, call, send } from './call.ts';

const BUSY: ScriptedResponse = { status: 503, body: { error: 'busy', code: 'platform_unavailable' } };
const message = { message_id: 'm', method: 'message/send' };

async function withServer(
  script: ScriptedResponse[],
  work: (transport: Transport, server: ScriptedServer) => Promise<void>,
): Promise<void> {
  await using server = await ScriptedServer.start(...script);
  await using made = testTransport(server.url, { bearer: TOKEN });
  await work(made.transport, server);
}

async function attempts<R extends Route>(route: R, input: Call<R>): Promise<number> {
  let count = 0;
  await withServer([BUSY], async (transport, server) => {
    await expect(send(transport, route, input)).rejects.toMatchObject({ code: 'platform_unavailable' });
    count = server.requests.length;
  });
  return count;
}

describe('a call', () => {
  it('encodes parameters in the path and omits undefined query values', () =>
    withServer([{ body: [] }], async (transport, server) => {
      const params = { id: 'a/../b?x#y z' };
      const query = { limit: 1, since_id: undefined, type: 'x y&z', unacknowledged: true };
      await send(transport, routes.listActivity, { params, query });
      expect(server.last.path).toBe('/workspaces/a%2F..%2Fb%3Fx%23y%20z/activity');
      expect([...server.last.query]).toEqual([
        ['limit', '1'],
        ['type', 'x y&z'],
        ['unacknowledged', 'true'],
      ]);
      for (const id of ['', '.', '..', '\ud800']) {
        await expect(async () => call(transport, routes.getBudget, { params: { id } })).rejects.toMatchObject(
          {
            code: 'invalid_argument',
          },
        );
      }
      expect(server.requests).toHaveLength(1);
    }));

  it('is retried if the route is safe to repeat', async () => {
    const params = { id: 'w' };
    const tokenParams = { id: 'w', tokenId: 't' };
    expect(await attempts(routes.listWorkspaces, {})).toBe(4);
    expect(await attempts(routes.acknowledgeActivity, { params, body: { up_to: 1 } })).toBe(4);
    expect(await attempts(routes.createWorkspace, { body: { name: 'x' } })).toBe(1);
    expect(await attempts(routes.pauseWorkspace, { params })).toBe(1);
    expect(await attempts(routes.revokeToken, { params: tokenParams })).toBe(1);
    expect(await attempts(routes.health, { isRepeatable: false })).toBe(1);
  });

  it('is retried with an idempotency key, and not without one', async () => {
    const params = { id: 'w' };
    expect(await attempts(routes.notify, { params, body: { message: 'x' } })).toBe(1);
    expect(await attempts(routes.notify, { params, body: { message: 'x', idempotency_key: 'k' } })).toBe(4);
  });

  it('parses tolerantly, also with another success status, and names missing keys', () =>
    withServer(
      [
        { status: 200, body: { auth_token: TOKEN, workspace_id: 'w', unknown: message } },
        { status: 201, body: { auth_token: TOKEN } },
      ],
      async (transport) => {
        const input = { params: { id: 'w' }, body: undefined };
        expect(await call(transport, routes.mintToken, input)).toMatchObject({ auth_token: TOKEN });
        await expect(call(transport, routes.mintToken, input)).rejects.toMatchObject({
          code: 'unexpected_response',
          path: '/workspaces/w/tokens',
          message: expect.stringContaining('workspace_id'),
        });
      },
    ));
});
