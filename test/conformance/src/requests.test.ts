import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { BODY_LIMITS, isErrorCode } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { textAt } from './harness/http.ts';
import { createMember, envelope, heartbeat, inbox, onboard, send } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

onEachDatabase('requests', (environment) => {
  verifies('requests.errors-have-closed-codes', 'errors have closed codes', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const failures = [
      await platform.anonymous.get('/nowhere'),
      await platform.anonymous.get('/workspaces'),
      await platform.operator.get('/workspaces/nobody'),
      await platform.operator.get(`/workspaces/${randomUUID()}`),
      await platform.operator.send({ method: 'POST', path: '/workspaces', rawBody: '{' }),
      await platform.operator.send({
        method: 'POST',
        path: '/workspaces',
        rawBody: 'x'.repeat(2 * 1024 * 1024),
      }),
      await platform.operator.send({ method: 'PUT', path: '/workspaces' }),
      await send(member.caller, randomUUID(), 'hello'),
      await member.caller.get(`/workspaces/${member.id}/activity?since_id=${randomUUID()}`),
      await member.caller.get('/%E0%A4%A'),
      await member.caller.post('/registry/heartbeat'),
      await member.caller.post('/registry/heartbeat', []),
    ];
    for (const failure of failures) {
      expect(failure.headers['content-type'], failure.text).toMatch(/^application\/json/);
      expect(textAt(failure.body, 'error')).not.toBe('');
      expect(isErrorCode(textAt(failure.body, 'code')), failure.text).toBe(true);
      expect(failure.body, failure.text).not.toMatchObject({ field: '' });
    }
  });

  verifies('requests.unknown-workspace', 'unknown workspace', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const id = randomUUID();
    for (const path of ['', '/state', '/activity', '/tokens']) {
      const asOperator = await platform.operator.get(`/workspaces/${id}${path}`);
      expect(asOperator, path).toMatchObject({ status: 404 });
      // Reading is open to peers, so an unknown workspace looks like one that is not a peer.
      const asAgent = await member.caller.get(`/workspaces/${id}${path}`);
      expect(asAgent.status, path).toBe(path === '' ? 403 : 401);
    }
    expect(await platform.operator.get(`/workspaces/${id}/state`)).toMatchObject({ body: { deleted: true } });
    expect(await send(platform.operator, id, 'anybody?')).toMatchObject({
      status: 404,
      body: { code: 'workspace_not_found' },
    });
  });

  verifies('requests.invalid-are-400', 'malformed id', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    for (const id of ['nobody', '123', `${member.id}0`, member.id.replace(/-/g, ''), '..%2f..%2fetc']) {
      const answer = await platform.operator.get(`/workspaces/${id}`);
      expect(answer, id).toMatchObject({ status: 400, body: { code: 'invalid_workspace_id' } });
    }
    const upper = member.id.toUpperCase();
    expect((await member.caller.get(`/workspaces/${upper}`)).body).toMatchObject({ id: member.id });
    expect((await heartbeat({ ...member, id: upper })).status).toBe(200);
    expect((await member.caller.get(`/workspaces/${upper}/activity`)).status).toBe(200);
  });

  verifies('requests.invalid-are-400', 'invalid json', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const bodies = [
      '{',
      '{"name":',
      "{'name': 'x'}",
      'name=x',
      '{"a":1}{"b":2}',
      new Uint8Array([0x22, 0xff, 0x22]),
    ];
    for (const rawBody of bodies) {
      for (const path of ['/registry/heartbeat', '/registry/register', `/workspaces/${member.id}/a2a`]) {
        const answer = await member.caller.send({ method: 'POST', path, rawBody });
        expect(answer, `${path} ${rawBody}`).toMatchObject({ status: 400, body: { code: 'invalid_json' } });
      }
    }
  });

  verifies('requests.invalid-are-400', 'wrong type', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const at = `/workspaces/${member.id}`;
    for (const body of [[], 'text', 7, true, null]) {
      for (const path of [
        '/registry/heartbeat',
        '/registry/register',
        `${at}/a2a`,
        `${at}/notify`,
        `${at}/activity`,
      ]) {
        const answer = await member.caller.post(path, body);
        expect(answer.status, `${path} ${JSON.stringify(body)}`).toBe(400);
      }
      expect((await platform.operator.post('/workspaces', body)).status).toBe(400);
      expect((await platform.operator.patch(at, body)).status).toBe(400);
    }
    expect(await inbox(member)).toEqual([]);
  });

  verifies('requests.too-complex', 'deep nesting', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const at = `/workspaces/${member.id}`;
    for (const levels of [5_000, 400_000]) {
      const deep = `${'['.repeat(levels)}${']'.repeat(levels)}`;
      const bodies = {
        '/registry/register': `{"id":"${member.id}","agent_card":{"name":"x","deep":${deep}}}`,
        [`${at}/a2a`]: `{"parts":[{"kind":"data","data":${deep}}]}`,
        [`${at}/activity`]: `{"activity_type":"agent_log","metadata":${deep}}`,
        [`${at}/notify`]: `{"message":"x","metadata":{"deep":${deep}}}`,
      };
      for (const [path, rawBody] of Object.entries(bodies)) {
        const answer = await member.caller.send({ method: 'POST', path, rawBody });
        expect(answer.status, `${path} ${levels}`).toBe(400);
      }
    }
    expect((await heartbeat(member)).status).toBe(200);
  });

  verifies('requests.body-limit', 'refused bodies are read', async () => {
    const platform = await environment.platform();
    const { id, token } = await onboard(platform);
    const { hostname, port } = new URL(platform.url);
    const head = [
      `POST /workspaces/${id}/activity HTTP/1.1`,
      `Host: ${hostname}`,
      `Authorization: Bearer ${token}`,
      'Content-Type: application/json',
    ];
    const body = Buffer.alloc(2 * 1024 * 1024, 'x');
    const socket = connect(Number(port), hostname);
    socket.write(`${[...head, `Content-Length: ${body.length}`].join('\r\n')}\r\n\r\n`);
    const response = text(socket);
    for (let time = 0; time < 10; time += 1) await platform.operator.get('/health');
    // A response before the body would end with a reset of the connection.
    expect(socket.bytesRead).toBe(0);
    socket.write(body);
    const received = await response;
    expect(received).toMatch(/^HTTP\/1.1 413 /);
    expect(received).toContain('"code":"body_too_large"');
  });

  verifies('requests.body-limit', 'body limit', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const peer = await onboard(platform);
    const large = await send(member.caller, peer.id, 'x'.repeat(2 * 1024 * 1024));
    expect(large).toMatchObject({ status: 413, body: { code: 'body_too_large' } });
    expect(await inbox(peer)).toEqual([]);
    const body = envelope('');
    const room = BODY_LIMITS.json - JSON.stringify(body).length;
    expect((await send(member.caller, peer.id, 'y'.repeat(room))).status).toBe(202);
    const [row] = await inbox(peer);
    expect(textAt(row, 'data', 'text')).toHaveLength(room);
  });

  verifies('requests.extras-are-ignored', 'content type is not checked', async () => {
    const platform = await environment.platform();
    const rawBody = JSON.stringify({ name: 'typed by hand', external: true });
    for (const type of [
      'application/x-www-form-urlencoded',
      'text/plain',
      'application/json; charset=utf-8',
      'x/y',
    ]) {
      const headers = { 'content-type': type };
      const answer = await platform.operator.send({ method: 'POST', path: '/workspaces', rawBody, headers });
      expect(answer.status, type).toBe(201);
    }
    expect((await platform.operator.send({ method: 'POST', path: '/workspaces', rawBody })).status).toBe(201);
  });

  verifies('requests.extras-are-ignored', 'unknown keys are ignored', async () => {
    const platform = await environment.platform();
    const member = await createMember(platform, { create: { colour: 'blue', nested: { deep: [1] } } });
    expect((await heartbeat(member, { mood: 'fine' })).status).toBe(200);
  });

  verifies('requests.errors-have-closed-codes', 'unknown route', async () => {
    const platform = await environment.platform();
    for (const caller of [platform.operator, platform.anonymous]) {
      for (const path of ['/', '/nowhere', '/workspaces/a/b/c/d', '/admin/nothing']) {
        expect(await caller.get(path), path).toMatchObject({ status: 404, body: { code: 'not_found' } });
      }
    }
    const wrong = await platform.operator.send({ method: 'PUT', path: '/registry/heartbeat', body: {} });
    expect(wrong).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });

  verifies('requests.extras-are-ignored', 'origin is never refused', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    for (const origin of ['my-agent/1.0', 'null', 'https://evil.example.com', platform.url, '', 'file://']) {
      const answer = await member.caller.post('/registry/heartbeat', { workspace_id: member.id }, { origin });
      expect(answer.status, origin).toBe(200);
    }
  });

  verifies('registry.create.awaits-agent', 'public url', async () => {
    const platform = await environment.platform({ server: { publicUrl: 'https://molecule.example.com/' } });
    const answer = await platform.operator.post('/workspaces', { name: 'a', external: true });
    expect(answer.body).toMatchObject({
      connection: {
        platform_url: 'https://molecule.example.com',
        registry_endpoint: 'https://molecule.example.com/registry/register',
      },
    });
  });
});
