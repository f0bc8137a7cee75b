import { randomInt } from 'node:crypto';
import { createPlatform } from '@molecule-ai/platform';
import { stripA2aBoundary } from '@molecule-ai/protocol';
import { completed } from '@molecule-tests/harness';
import { describe, expect } from 'vitest';
import { type HttpResponse, rowsOf, textAt } from '../harness/http.ts';
import { inbox, onboard, send, waitForRow } from '../harness/members.ts';
import type { RunningPlatform } from '../harness/running-platform.ts';
import { onEachDatabase } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';
import { FETCH_INBOUND, PHASE_TABLE, QUICK_START_CREATE } from './seed-000.ts';
import { MINIMAL_PYTHON, REVOKING, STEP_BY_STEP } from './seed-001.ts';
import { BY_HAND, GONE, IN_PYTHON } from './seed-002.ts';
import { type SeedCall, type Substitutes, sendSeedCall } from './seed-call.ts';

/** Sends calls of one page; what an answer gives is there for the calls after it. */
class Reader {
  readonly known: Record<string, string>;
  readonly #base: string;

  constructor(platform: RunningPlatform, base = platform.url) {
    this.#base = base;
    this.known = { ADMIN_TOKEN: platform.operatorKey };
  }

  async send(call: SeedCall, more: Substitutes = {}): Promise<HttpResponse> {
    Object.assign(this.known, more);
    return sendSeedCall(call, this.#base, this.known);
  }

  /** A create call: its id is WORKSPACE_ID from now on. */
  async create(call: SeedCall): Promise<string> {
    const answer = await this.send(call);
    expect(answer, call.from).toMatchObject({
      status: 201,
      body: { external: true, status: 'awaiting_agent' },
    });
    const id = textAt(answer.body, 'id');
    this.known.WORKSPACE_ID = id;
    return id;
  }

  /** A register call: its token is AUTH_TOKEN from now on. */
  async register(call: SeedCall): Promise<HttpResponse> {
    const answer = await this.send(call);
    expect(answer, call.from).toMatchObject({ status: 200, body: { workspace_id: this.known.WORKSPACE_ID } });
    this.known.AUTH_TOKEN = textAt(answer.body, 'auth_token');
    return answer;
  }

  async heartbeat(call: SeedCall): Promise<void> {
    expect(await this.send(call), call.from).toMatchObject({ status: 200, body: { status: 'ok' } });
  }
}

onEachDatabase('Remote Workspaces guide', (environment) => {
  const [register, heartbeat, state, a2a, peers] = PHASE_TABLE as [
    SeedCall,
    SeedCall,
    SeedCall,
    SeedCall,
    SeedCall,
  ];

  async function start() {
    const platform = await environment.platform();
    const reader = new Reader(platform);
    const id = await reader.create(QUICK_START_CREATE);
    await reader.register(register);
    return { platform, reader, id };
  }

  verifies('seeds.published-pages-work', '000: quick start', async () => {
    const { platform, reader, id } = await start();
    await reader.heartbeat(heartbeat);
    expect(await reader.send(state)).toMatchObject({
      status: 200,
      body: { workspace_id: id, status: 'online', paused: false, deleted: false },
    });
    expect((await platform.operator.get(`/workspaces/${id}`)).body).toMatchObject({
      name: 'researcher',
      tier: 2,
      agent_card: { name: 'researcher', skills: ['web-search', 'research'] },
    });
  });

  verifies('seeds.published-pages-work', '000: calls a peer', async () => {
    const { platform, reader, id } = await start();
    const peer = await onboard(platform);
    const call = reader.send(a2a, { PEER_ID: peer.id });
    await waitForRow(peer);
    await send(peer.caller, id, 'hello yourself', { role: 'agent', metadata: { in_reply_to: 'm-1' } });
    const answer = await call;
    expect(answer).toMatchObject({ status: 200, body: { jsonrpc: '2.0', id: '1' } });
    expect(stripA2aBoundary(textAt(answer.body, 'result', 'text'))).toBe('hello yourself');
  });

  verifies('seeds.published-pages-work', '000: lists peers', async () => {
    const { platform, reader } = await start();
    const peer = await onboard(platform, { url: 'https://peer.example.com/' });
    expect(rowsOf(await reader.send(peers))).toMatchObject([
      { id: peer.id, url: 'https://peer.example.com/' },
    ]);
  });

  verifies('seeds.published-pages-work', '000: fetch inbound', async () => {
    const { platform, reader, id } = await start();
    const peer = await onboard(platform, { name: 'ops', role: 'sre' });
    await send(peer.caller, id, 'look at this');
    const substitutes = { PEER_ID: peer.id, BEFORE_TS: new Date(Date.now() + 60_000).toISOString() };
    const rows = rowsOf(await reader.send(FETCH_INBOUND, substitutes));
    expect(rows).toMatchObject([
      {
        id: expect.any(String),
        method: 'message/send',
        request_body: { params: { message: { role: 'user' } } },
        source_id: peer.id,
        peer_name: 'ops',
        peer_role: 'sre',
        agent_card_url: `${platform.url}/registry/discover/${peer.id}`,
      },
    ]);
    const before = { BEFORE_TS: '2026-05-10T12:00:00Z' };
    expect(rowsOf(await reader.send(FETCH_INBOUND, before))).toEqual([]);
  });
});

onEachDatabase('register tutorial', (environment) => {
  verifies(
    'seeds.published-pages-work',
    '001: step by step; 001: register answer; 001: on the canvas',
    async () => {
      const platform = await environment.platform({ dns: {} });
      const reader = new Reader(platform);
      const id = await reader.create(STEP_BY_STEP.create);
      const registered = await reader.register(STEP_BY_STEP.register);
      expect(registered.body).toMatchObject({
        auth_token: expect.any(String),
        workspace_id: id,
        org_id: null,
        expires_at: null,
      });
      await reader.heartbeat(STEP_BY_STEP.heartbeat);
      expect(rowsOf(await platform.operator.get('/workspaces'))).toMatchObject([
        { id, status: 'online', runtime: 'external', url: 'https://your-agent.example.com' },
      ]);
      const sent = await reader.send(STEP_BY_STEP.a2a);
      expect(sent, STEP_BY_STEP.a2a.from).toMatchObject({ status: 202, body: { queued: true } });
      const member = { id, token: '', caller: platform.as(reader.known.AUTH_TOKEN ?? '') };
      expect(await inbox(member)).toMatchObject([
        { source_id: id, data: { text: 'Hello from a remote agent' } },
      ]);
    },
  );

  verifies('seeds.published-pages-work', '001: minimal python', async () => {
    const platform = await environment.platform({ dns: {} });
    const reader = new Reader(platform);
    await reader.create(MINIMAL_PYTHON.create);
    await reader.register(MINIMAL_PYTHON.register);
    for (let beats = 0; beats < 3; beats += 1) await reader.heartbeat(MINIMAL_PYTHON.heartbeat);
  });

  verifies('seeds.published-pages-work', '001: revoking', async () => {
    const platform = await environment.platform({ dns: {} });
    for (const call of [REVOKING.revokeTokens, REVOKING.remove]) {
      const reader = new Reader(platform);
      await reader.create(STEP_BY_STEP.create);
      await reader.register(STEP_BY_STEP.register);
      expect(await reader.send(call), call.from).toMatchObject({ status: 200 });
      expect(await reader.send(STEP_BY_STEP.heartbeat)).toMatchObject({ status: 401 });
    }
  });
});

onEachDatabase('External Agents page', (environment) => {
  const localhost = (platform: RunningPlatform) => new Reader(platform, `http://localhost:${platform.port}`);

  verifies('seeds.published-pages-work', '002: by hand', async () => {
    const platform = await environment.platform({ mode: 'dev', dns: {} });
    const reader = localhost(platform);
    const id = await reader.create(BY_HAND.create);
    await reader.register(BY_HAND.register);
    await reader.heartbeat(BY_HAND.heartbeat);
    const peer = await onboard(platform, { name: 'peer' });
    const call = reader.send(BY_HAND.send, { TARGET_ID: peer.id });
    const [row] = await waitForRow(peer);
    await send(peer.caller, id, 'I can', {
      role: 'agent',
      metadata: { in_reply_to: textAt(row, 'message_id') },
    });
    expect(await call).toMatchObject({ status: 200, body: { jsonrpc: '2.0', id: 'msg-001' } });
    expect(await reader.send(BY_HAND.discover)).toMatchObject({
      status: 200,
      body: { id, url: 'https://my-agent.example.com', name: 'My External Agent' },
    });
    expect(rowsOf(await reader.send(BY_HAND.peers))).toMatchObject([{ id: peer.id, name: 'peer' }]);
  });

  verifies('seeds.published-pages-work', '002: python example; 002: answer shape', async () => {
    // `my-host` is this machine, at an address of its own so that port 5000 is free.
    const host = `127.${randomInt(1, 255)}.${randomInt(1, 255)}.${randomInt(2, 255)}`;
    const platform = await environment.platform({ mode: 'dev', dns: { 'my-host': [host] } });
    const agent = await environment.scriptedAgent({
      host,
      port: 5000,
      script: (request) => {
        const text = textAt(request.body, 'params', 'message', 'parts', 0, 'text');
        return { kind: 'json', body: completed(request, `Received: ${text}`) };
      },
    });
    const reader = localhost(platform);
    await reader.create(IN_PYTHON.create);
    await reader.register(IN_PYTHON.register);
    await reader.heartbeat(IN_PYTHON.heartbeat);
    const sender = localhost(platform);
    await sender.create(BY_HAND.create);
    await sender.register(BY_HAND.register);
    const answer = await sender.send(BY_HAND.send, { TARGET_ID: reader.known.WORKSPACE_ID ?? '' });
    expect(agent.requests).toMatchObject([
      {
        path: '/',
        body: {
          jsonrpc: '2.0',
          method: 'message/send',
          id: 'msg-001',
          params: { message: { role: 'user', parts: [{ type: 'text', text: 'Can you help with this?' }] } },
        },
      },
    ]);
    expect(answer).toMatchObject({ status: 200, body: { result: { status: 'completed' }, id: 'msg-001' } });
    const said = textAt(answer.body, 'result', 'artifacts', 0, 'parts', 0, 'text');
    expect(stripA2aBoundary(said)).toBe('Received: Can you help with this?');
  });

  verifies('seeds.published-pages-work', '002: gone', async () => {
    const platform = await environment.platform({ mode: 'dev', dns: {} });
    const reader = localhost(platform);
    const id = await reader.create(BY_HAND.create);
    await reader.register(BY_HAND.register);
    expect(await reader.send(GONE.remove)).toMatchObject({ status: 200, body: { status: 'removed' } });
    expect(await reader.send(GONE.read)).toMatchObject({
      status: 410,
      body: { error: 'workspace removed', id, removed_at: expect.any(String), hint: expect.any(String) },
    });
    expect(await reader.send(GONE.readRemoved)).toMatchObject({
      status: 200,
      body: { id, status: 'removed' },
    });
    expect((await reader.send(BY_HAND.heartbeat)).status).toBe(401);
  });
});

describe('the platform', () => {
  verifies('platform.default-port', async () => {
    // Another process may have the port just now; then the platform says which one it wanted.
    const listened = await createPlatform({ mode: 'dev', data: { directory: ':memory:' } }).then(
      async (platform) => {
        await platform.close();
        return platform.url;
      },
      (error: unknown) => String(error),
    );
    expect(listened).toContain('8080');
  });
});
