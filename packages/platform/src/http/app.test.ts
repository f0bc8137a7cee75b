import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN, type RunningPlatform, startPlatform } from '../../test/running-platform.ts';

let running: RunningPlatform;
beforeAll(async () => {
  running = await startPlatform();
});
afterAll(() => running.platform.close());

const UNKNOWN_ID = '11111111-2222-4333-8444-555555555555';

describe('bodies', () => {
  it('are JSON with any content type, or missing where none is needed', async () => {
    for (const headers of [
      {},
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/x-www-form-urlencoded' },
    ]) {
      const answer = await running.call('POST', '/workspaces', {
        headers,
        body: { name: 'a', external: true },
      });
      expect(answer.status).toBe(201);
    }
    const { id } = await running.create();
    expect((await running.call('POST', `/workspaces/${id}/pause`)).status).toBe(200);
  });

  it('that are not JSON are 400 invalid_json', async () => {
    for (const rawBody of ['{"name":', 'name=a', Buffer.from([0x22, 0xff, 0x22])]) {
      const answer = await running.call('POST', '/workspaces', { rawBody });
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_json' } });
    }
  });

  it('over 1 MiB are 413 body_too_large', async () => {
    const rawBody = JSON.stringify({ name: 'a', external: true, role: 'x'.repeat(2 * 1024 * 1024) });
    const answer = await running.call('POST', '/workspaces', { rawBody });
    expect(answer).toMatchObject({ status: 413, body: { code: 'body_too_large' } });
  });

  it('of a wrong type are 400 naming the field', async () => {
    const wrong = [
      [{}, 'name'],
      [{ name: 7 }, 'name'],
      [{ name: 'a', tier: 'two' }, 'tier'],
      [{ name: 'a', canvas: { x: 'left', y: 0 } }, 'canvas.x'],
      [{ name: 'a\nb' }, 'name'],
      [{ name: 'a'.repeat(256) }, 'name'],
      [{ name: '{a}' }, 'name'],
    ] as const;
    for (const [body, field] of wrong) {
      const answer = await running.call('POST', '/workspaces', { body });
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request', field } });
    }
    for (const body of [[], null]) {
      const answer = await running.call('POST', '/workspaces', { body });
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
      expect(answer.body).not.toHaveProperty('field');
    }
  });
});

describe('paths', () => {
  it('that do not exist are 404 as JSON, with the methods that do', async () => {
    const unknown = await running.call('GET', '/nowhere');
    expect(unknown).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(unknown.headers['content-type']).toContain('application/json');
    const wrongMethod = await running.call('PUT', '/workspaces');
    expect(wrongMethod).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(wrongMethod.body.hint).toContain('POST');
    expect(wrongMethod.body.hint).toContain('GET');
  });

  it('take ids in any letter case and refuse what is not a UUID', async () => {
    const { id } = await running.create();
    expect((await running.call('GET', `/workspaces/${id.toUpperCase()}`)).body.id).toBe(id);
    for (const path of ['/workspaces/ws_1', '/workspaces/1/state', '/workspaces/ws_1/tokens']) {
      const answer = await running.call('GET', path);
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_workspace_id' } });
    }
    expect((await running.call('GET', `/workspaces/${UNKNOWN_ID}`)).body.code).toBe('workspace_not_found');
  });

  it('that cannot be decoded are 400, never HTML', async () => {
    const answer = await running.call('GET', '/workspaces/%zz');
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  it('may end with a slash', async () => {
    expect((await running.call('GET', '/workspaces/')).status).toBe(200);
  });
});

describe('the log', () => {
  it('has no error for what this platform does not offer', async () => {
    const errors: string[] = [];
    const ignore = () => {};
    const logger = {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: (_fields: object, message: string) => void errors.push(message),
    };
    const { call, platform } = await startPlatform({ logger });
    const answer = await call('POST', '/workspaces', { body: { name: 'a', runtime: 'docker' } });
    expect(answer.status).toBe(501);
    await platform.close();
    expect(errors).toEqual([]);
  });

  it('has no error for a peer that is away', async () => {
    const lines: { level: string; text: string }[] = [];
    const at = (level: string) => (fields: object, message: string) =>
      void lines.push({ level, text: `${message} ${JSON.stringify(fields)}` });
    const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
    const { call, create, platform } = await startPlatform({ logger });
    const { id } = await create();
    const answer = await call('GET', `/registry/discover/${id}`);
    expect(answer).toMatchObject({ status: 503, body: { code: 'workspace_unavailable' } });
    await platform.close();
    const about = lines.filter(({ text }) => text.includes('workspace_unavailable'));
    expect(about.map(({ level }) => level)).toEqual(['debug']);
    expect(about[0]?.text).not.toContain(' at ');
    expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('headers', () => {
  it('protect every response', async () => {
    const { headers } = await running.call('GET', '/health', { token: null });
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['x-frame-options']).toBe('DENY');
    expect(headers['content-security-policy']).toContain("default-src 'self'");
    expect(headers['referrer-policy']).toBe('strict-origin-when-cross-origin');
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });

  it('never refuse an Origin', async () => {
    for (const origin of ['my-agent/1.0', 'https://elsewhere.example.com', 'null']) {
      expect((await running.call('GET', '/workspaces', { headers: { origin } })).status).toBe(200);
    }
  });
});

describe('credentials', () => {
  it('are needed everywhere except on the anonymous routes', async () => {
    expect((await running.call('GET', '/health', { token: null })).status).toBe(200);
    expect((await running.call('GET', '/ready', { token: null })).status).toBe(200);
    const { id } = await running.create();
    const closed = [
      ['GET', '/workspaces'],
      ['POST', '/workspaces'],
      ['GET', `/workspaces/${id}`],
      ['PATCH', `/workspaces/${id}`],
      ['DELETE', `/workspaces/${id}`],
      ['GET', `/workspaces/${id}/state`],
      ['GET', `/workspaces/${id}/tokens`],
      ['POST', '/registry/heartbeat'],
      ['POST', '/registry/update-card'],
      ['POST', '/registry/check-access'],
      ['GET', `/registry/discover/${id}`],
      ['GET', `/registry/${id}/peers`],
    ] as const;
    for (const [method, path] of closed) {
      const none = await running.call(method, path, { token: null });
      expect(none, path).toMatchObject({ status: 401, body: { code: 'missing_credentials' } });
      const wrong = await running.call(method, path, { token: 'wrong' });
      expect(wrong, path).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } });
      expect(wrong.body.hint, path).toMatch(/operator key/);
      expect(wrong.body.hint, path).not.toContain('omit Authorization');
    }
  });

  it('count only as "Bearer <token>"', async () => {
    for (const authorization of [
      ADMIN_TOKEN,
      `bearer ${ADMIN_TOKEN}`,
      `Basic ${ADMIN_TOKEN}`,
      'Bearer ',
      'Bearer',
    ]) {
      const answer = await running.call('GET', '/workspaces', { token: null, headers: { authorization } });
      expect(answer).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } });
    }
    const padded = await running.call('GET', '/workspaces', { token: ` ${ADMIN_TOKEN} ` });
    expect(padded.status).toBe(200);
  });

  it('of a workspace give access to neither operator routes nor other workspaces', async () => {
    const [mine, other] = [await running.create(), await running.create()];
    const answers = [
      await running.call('GET', '/workspaces', { token: mine.token }),
      await running.call('DELETE', `/workspaces/${mine.id}`, { token: mine.token }),
      await running.call('PATCH', `/workspaces/${other.id}`, { token: mine.token, body: { name: 'b' } }),
      await running.call('GET', `/workspaces/${other.id}/state`, { token: mine.token }),
      await running.call('POST', '/registry/heartbeat', {
        token: mine.token,
        body: { workspace_id: other.id },
      }),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } });
    }
  });

  it('are compared with the caller headers', async () => {
    const { id, token } = await running.create();
    const state = (headers: Record<string, string>) =>
      running.call('GET', `/workspaces/${id}/state`, { token, headers });
    expect((await state({ 'x-workspace-id': id.toUpperCase(), 'x-source-workspace-id': id })).status).toBe(
      200,
    );
    for (const name of ['x-workspace-id', 'x-source-workspace-id']) {
      for (const value of [UNKNOWN_ID, 'system:cron', '']) {
        expect(await state({ [name]: value })).toMatchObject({
          status: 403,
          body: {
            code: 'caller_mismatch',
            error: 'this token belongs to another workspace',
            hint: `Correct ${name}, or send a token of that workspace.`,
          },
        });
      }
    }
    const split = { 'x-workspace-id': id, 'x-source-workspace-id': UNKNOWN_ID };
    const operator = await running.call('GET', `/workspaces/${id}/state`, { headers: split });
    expect(operator.body.code).toBe('caller_mismatch');
  });
});
