import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { SELF } from '../../test/agent-ids.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { type ScriptedResponse, ScriptedServer } from '../../test/scripted-server.ts';
import { stage } from '../../test/test-client.ts';
import type { RemoteAgentClient } from '../agent/remote-agent-client.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { RemoteAgentClientOptions } from '../settings/client-settings.ts';

type Request = (client: RemoteAgentClient) => Promise<unknown>;

const read: Request = (client) => client.getPeers();
const write: Request = (client) => client.heartbeat();
const once = { limits: { maxRetries: 0 } } as const;

/** The error of one request, which is not retried. */
async function failure(
  response: ScriptedResponse,
  request = read,
  options: RemoteAgentClientOptions = {},
): Promise<MoleculeError> {
  await using s = await stage(response, { ...options, limits: { ...once.limits, ...options.limits } });
  const error: unknown = await request(s.client).catch((reason: unknown) => reason);
  if (!MoleculeError.isInstance(error)) throw new Error(`not one of ours: ${String(error)}`);
  expect(s.server.requests).toHaveLength(1);
  return error;
}

describe('redirects', () => {
  it.each([301, 302, 303, 307, 308])('%i is refused and not followed', async (status) => {
    await using thief = await ScriptedServer.start({ body: {} });
    const error = await failure({ status, headers: { location: `${thief.url}/steal?x=1` } });
    expect(error).toMatchObject({ code: 'redirect_refused', status, isRetryable: false });
    expect(error.message).toContain(thief.url);
    expect(error.message).not.toContain('steal');
    expect(thief.requests).toEqual([]);
  });
});

describe('responses outside 2xx', () => {
  it.each<[string, ScriptedResponse, object]>([
    [
      '401',
      { status: 401, body: { error: 'invalid workspace auth token' } },
      { code: 'unauthorized', hint: expect.stringContaining('kept') },
    ],
    ['402', { status: 402, body: { error: 'workspace budget limit exceeded' } }, { code: 'budget_exceeded' }],
    ['bare 403', { status: 403 }, { code: 'access_denied', hint: expect.stringContaining('Origin') }],
    [
      '403',
      { status: 403, body: { error: 'no', code: 'access_denied' } },
      { name: 'AccessDeniedError', hint: expect.stringContaining('siblings') },
    ],
    [
      '404',
      { status: 404, body: { error: 'workspace not found', code: 'workspace_not_found' } },
      { code: 'not_found', platformCode: 'workspace_not_found' },
    ],
    [
      'bare 404',
      { status: 404 },
      { code: 'routing_problem', hint: expect.stringMatching(/Origin.*X-Molecule-Org-Id/) },
    ],
    [
      'text 404',
      { status: 404, headers: { 'content-type': 'text/plain' }, body: '404 page not found' },
      { code: 'routing_problem', bodyExcerpt: '404 page not found' },
    ],
    [
      'html 404',
      { status: 404, headers: { 'content-type': 'text/html' }, body: '<!doctype html><p>' },
      { code: 'routing_problem' },
    ],
    ...[400, 405, 501].map((status): [string, ScriptedResponse, object] => [
      `html ${status}`,
      { status, headers: { 'content-type': 'text/html' }, body: '<!doctype html><p>' },
      {
        code: 'routing_problem',
        isRetryable: false,
        hint: expect.stringContaining('does not come from the platform'),
      },
    ]),
    ['json 501', { status: 501, body: { error: 'x', code: 'not_supported' } }, { code: 'platform_error' }],
    [
      'a workspace in use',
      { status: 409, body: { error: 'x', code: 'identity_in_use', hint: 'X-Molecule-Takeover: 1.' } },
      { code: 'conflict', hint: expect.stringContaining("onConflict: 'takeover'") },
    ],
    [
      'a workspace that another one took over',
      { status: 409, body: { error: 'x', code: 'identity_in_use', superseded: true, hint: 'It ends.' } },
      { hint: 'It ends.' },
    ],
    [
      'org 404',
      { status: 404, body: { error: 'not found', code: 'org_mismatch', hint: 'Send X-Molecule-Org-Id.' } },
      { code: 'routing_problem', hint: expect.stringContaining('orgId') },
    ],
    ['409', { status: 409, body: { error: 'x', code: 'message_id_conflict' } }, { code: 'conflict' }],
    [
      'loop',
      { status: 409, body: { error: 'it would continue a loop', code: 'loop_detected', hint: 'Stop.' } },
      { code: 'loop_detected', message: 'It would continue a loop.', hint: 'Stop.', isRetryable: false },
    ],
    ['413', { status: 413 }, { code: 'payload_too_large' }],
    [
      '429',
      { status: 429, headers: { 'retry-after': '7' } },
      { code: 'rate_limited', retryAfterMs: 7000, isRetryable: true },
    ],
    [
      'quota',
      { status: 429, body: { error: 'x', code: 'quota_exceeded' } },
      { code: 'quota_exceeded', isRetryable: false },
    ],
    ['inbox', { status: 429, body: { error: 'x', code: 'inbox_full' } }, { code: 'inbox_full' }],
    [
      '400',
      { status: 400, body: { error: 'invalid request body', hint: 'Say please.' } },
      { code: 'request_rejected', hint: 'Say please.' },
    ],
    ['500 empty', { status: 500 }, { code: 'platform_error', isRetryable: false, bodyExcerpt: '' }],
    [
      '502 html',
      { status: 502, headers: { 'content-type': 'text/html' }, body: '<html>Bad Gateway</html>' },
      { code: 'platform_unavailable', isRetryable: true, hint: expect.stringContaining('A proxy in front') },
    ],
    [
      '410 removed',
      { status: 410, body: { error: 'workspace removed', id: 'w', removed_at: null, hint: 'x' } },
      { code: 'workspace_removed', workspaceId: 'w' },
    ],
    ['410 other', { status: 410, body: { error: 'gone' } }, { code: 'not_found' }],
    [
      '401 removed',
      { status: 401, body: { error: 'x', code: 'workspace_removed', deleted: true } },
      { code: 'workspace_removed' },
    ],
  ])('%s', async (_name, response, expected) => {
    expect(await failure(response)).toMatchObject(expected);
  });

  it('a 401 without a token names the option for it, whatever the platform suggests', async () => {
    const body = { error: 'invalid workspace auth token', hint: "Register with the workspace's own token." };
    await using s = await stage({ status: 401, body }, { token: null });
    await expect(s.client.register()).rejects.toMatchObject({
      hint: expect.stringContaining('MOLECULE_WORKSPACE_TOKEN'),
    });
  });

  it('a 401 without a token has a hint how to get one', async () => {
    await using s = await stage({ status: 401 }, { token: null });
    await expect(s.client.getPeers()).rejects.toMatchObject({
      hint: expect.stringContaining('register()'),
    });
  });

  it('only deleted: true makes a 404 a removal', async () => {
    const request: Request = (client) => client.getWorkspace();
    const removed = await failure({ status: 404, body: { workspace_id: SELF, deleted: true } }, request);
    expect(removed).toMatchObject({ code: 'workspace_removed', workspaceId: SELF });
    expect((await failure({ status: 404, body: { deleted: 'true' } }, request)).code).toBe('not_found');
    expect((await failure({ status: 404 }, request)).code).toBe('routing_problem');
    expect((await failure({ status: 410 }, request)).code).toBe('workspace_removed');
  });
});

describe('invalid responses', () => {
  it('HTML with 200', async () => {
    const error = await failure({
      headers: { 'content-type': 'text/html' },
      body: '<!DOCTYPE html><title>Canvas',
    });
    expect(error).toMatchObject({ code: 'unexpected_response', hint: expect.stringContaining('web page') });
    expect(error).toHaveProperty('isWebPage', true);
    expect(JSON.stringify(error)).not.toContain('isWebPage');
  });

  it('a body that is not JSON, and 304', async () => {
    expect(await failure({ body: '{"a":' })).toMatchObject({ code: 'unexpected_response', isWebPage: false });
    expect((await failure({ status: 304 })).code).toBe('unexpected_response');
  });

  it('an empty body with 200 or 204 is accepted', async () => {
    await using s = await stage([{ status: 204 }, { body: '  ' }], once);
    expect(await s.client.fetchInbound()).toEqual([]);
    expect(await s.client.fetchInbound()).toEqual([]);
    expect(s.server.requests).toHaveLength(2);
  });

  it('a body above the limit, with and without success, or without an end', async () => {
    const limits = { maxResponseBytes: 64 * 1024 };
    const body = Buffer.alloc(2 * limits.maxResponseBytes, 0x20);
    const large = { code: 'response_too_large', status: 200 };
    expect(await failure({ body }, read, { limits })).toMatchObject(large);
    const failed = await failure({ status: 500, body }, read, { limits });
    expect(failed).toMatchObject({ code: 'platform_error', status: 500 });
    const endless: ScriptedResponse = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write(body);
    };
    expect(await failure(endless, read, { limits })).toMatchObject(large);
  });

  it('deeply nested JSON is accepted', async () => {
    await using s = await stage({ body: '['.repeat(100_000) + ']'.repeat(100_000) }, once);
    expect(await s.client.getPeers()).toEqual([]);
  });

  it('no response, and an incomplete body', async () => {
    const stalled: ScriptedResponse = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{');
    };
    for (const response of ['hang', stalled] as const) {
      const clock = new ManualClock();
      await using s = await stage(response, { ...once, connection: { clock } });
      const failed = expect(write(s.client)).rejects.toMatchObject({
        code: 'timed_out',
        timeoutMs: 10_000,
        delivered: 'unknown',
      });
      await s.server.waitForRequests(1);
      await clock.advance(10_000);
      await failed;
    }
  });

  it('a connection reset, and a truncated body', async () => {
    for (const response of ['reset', 'half'] as const) {
      expect(await failure(response, write)).toMatchObject({
        code: 'connection_failed',
        delivered: 'unknown',
        isRetryable: true,
      });
    }
  });

  it('no server, and no HTTP server', async () => {
    await using away = await stage([], { ...once, platformUrl: 'http://127.0.0.1:1' });
    await expect(away.client.heartbeat()).rejects.toMatchObject({
      code: 'connection_failed',
      delivered: 'no',
      origin: 'http://127.0.0.1:1',
      hint: expect.stringContaining('No server is listening'),
    });
    const rude = createServer((socket) =>
      socket.once('data', () => socket.end('SSH-2.0-OpenSSH_9.2\r\n\r\n')),
    );
    await new Promise<void>((resolve) => rude.listen(0, '127.0.0.1', resolve));
    const platformUrl = `http://127.0.0.1:${(rude.address() as AddressInfo).port}`;
    await using toRude = await stage([], { ...once, platformUrl });
    await expect(toRude.client.getPeers()).rejects.toMatchObject({
      code: 'connection_failed',
      isRetryable: false,
    });
    rude.close();
  });
});

describe('aborting and closing', () => {
  it('an abort rejects with its reason: before sending, while queued and while waiting', async () => {
    await using s = await stage('hang', { limits: { maxConnections: 1 } });
    const reason = new Error('enough');
    await expect(s.client.getPeers({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(s.server.requests).toHaveLength(0);
    const abort = new AbortController();
    const { signal } = abort;
    const waiting = s.client.getPeers({ signal });
    await s.server.waitForRequests(1);
    const queued = s.client.getPeers({ signal });
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(queued).rejects.toBe(reason);
    expect(s.server.requests.map((request) => request.path)).toEqual([`/registry/${SELF}/peers`]);
  });

  it('a request that timed out while queued has delivered: no', async () => {
    const clock = new ManualClock();
    await using s = await stage('hang', {
      limits: { maxRetries: 0, maxConnections: 1 },
      connection: { clock },
    });
    const first = s.client.fetchInbound().catch(() => {});
    await s.server.waitForRequests(1);
    const queued = expect(s.client.getWorkspace()).rejects.toMatchObject({
      code: 'timed_out',
      delivered: 'no',
    });
    await clock.waitForTimer(10_000);
    await clock.advance(10_000);
    await queued;
    await clock.advance(10_000);
    await first;
  });
});
