import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { rowsOf, textAt, valueAt } from './harness/http.ts';
import { createMember, heartbeat, onboard, registerMember, statusOf } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const TOKEN = /^[A-Za-z0-9_-]{43}$/;
const MINUTE = 60_000;

onEachDatabase('creating a workspace', (environment) => {
  verifies('registry.create.awaits-agent', 'create: without url awaits agent', async () => {
    const platform = await environment.platform();
    const answer = await platform.operator.post('/workspaces', { name: 'poller', external: true });
    const id = textAt(answer.body, 'id');
    expect(answer).toMatchObject({
      status: 201,
      body: {
        external: true,
        status: 'awaiting_agent',
        connection: {
          workspace_id: id,
          platform_url: platform.url,
          auth_token: expect.stringMatching(TOKEN),
          registry_endpoint: `${platform.url}/registry/register`,
          heartbeat_endpoint: `${platform.url}/registry/heartbeat`,
        },
      },
    });
    expect(await statusOf(platform, id)).toBe('awaiting_agent');
  });

  verifies('registry.create.awaits-agent', 'create: with url awaits agent', async () => {
    const platform = await environment.platform();
    const url = 'https://agent.example.com';
    const member = await createMember(platform, { url });
    expect(member.token).toMatch(TOKEN);
    expect(await statusOf(platform, member.id)).toBe('awaiting_agent');
    await registerMember(member, { url });
    expect(await statusOf(platform, member.id)).toBe('online');
  });

  verifies('registry.either-spelling', 'create: either spelling of external', async () => {
    const platform = await environment.platform();
    for (const spelling of [
      { external: true },
      { runtime: 'external' },
      { external: true, runtime: 'external' },
    ]) {
      const answer = await platform.operator.post('/workspaces', { name: 'agent', ...spelling });
      expect(answer).toMatchObject({ status: 201, body: { external: true } });
      const read = await platform.operator.get(`/workspaces/${textAt(answer.body, 'id')}`);
      expect(read.body).toMatchObject({ runtime: 'external' });
    }
  });

  verifies('lifecycle.operator-only', 'create: operator only', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const body = { name: 'intruder', external: true };
    expect(await platform.anonymous.post('/workspaces', body)).toMatchObject({ status: 401 });
    expect(await member.caller.post('/workspaces', body)).toMatchObject({ status: 401 });
    expect(await platform.as('no-such-key').post('/workspaces', body)).toMatchObject({ status: 401 });
    expect(rowsOf(await platform.operator.get('/workspaces'))).toHaveLength(1);
  });

  verifies('registry.create.default-tier-is-three', async () => {
    const platform = await environment.platform();
    const plain = await createMember(platform);
    const second = await createMember(platform, { create: { tier: 2 } });
    expect((await platform.operator.get(`/workspaces/${plain.id}`)).body).toMatchObject({ tier: 3 });
    expect((await platform.operator.get(`/workspaces/${second.id}`)).body).toMatchObject({ tier: 2 });
  });

  verifies('requests.invalid-are-400', 'create: refuses bad fields', async () => {
    const platform = await environment.platform();
    const bad = [
      {},
      { name: '' },
      { name: 7 },
      { name: 'two\nlines' },
      { name: '<b>' },
      { name: 'n'.repeat(256) },
      { name: 'ok', role: 'a|b' },
      { name: 'ok', tier: 'two' },
      { name: 'ok', parent_id: randomUUID() },
      { name: 'ok', parent_id: 'not-a-uuid' },
    ];
    for (const fields of bad) {
      const answer = await platform.operator.post('/workspaces', { external: true, ...fields });
      expect(answer, JSON.stringify(fields)).toMatchObject({
        status: 400,
        body: { error: expect.any(String) },
      });
    }
    expect(rowsOf(await platform.operator.get('/workspaces'))).toEqual([]);
  });

  verifies('registry.create.names-may-repeat', async () => {
    const platform = await environment.platform();
    const first = await createMember(platform, { name: 'twin' });
    const second = await createMember(platform, { name: 'twin' });
    expect(second.id).not.toBe(first.id);
    const rows = rowsOf(await platform.operator.get('/workspaces'));
    expect(rows.map((row) => row.id)).toEqual([first.id, second.id]);
  });
});

onEachDatabase('registering', (environment) => {
  verifies('registry.register.own-token-mints-none', async () => {
    const platform = await environment.platform();
    const member = await createMember(platform);
    const answer = await member.caller.post('/registry/register', {
      id: member.id,
      delivery_mode: 'poll',
      agent_card: { name: 'poller' },
    });
    expect(answer).toMatchObject({ status: 200, body: { status: 'registered', delivery_mode: 'poll' } });
    expect(answer.body).not.toHaveProperty('auth_token');
    expect((await platform.operator.get(`/workspaces/${member.id}`)).body).toMatchObject({
      status: 'online',
      runtime: 'external',
      agent_card: { name: 'poller' },
      url: '',
    });
    expect((await heartbeat(member)).status).toBe(200);
  });

  verifies('registry.either-spelling', 'register: either id name', async () => {
    const platform = await environment.platform();
    const member = await createMember(platform);
    for (const names of [
      { id: member.id },
      { workspace_id: member.id },
      { id: member.id, workspace_id: member.id },
      { id: member.id.toUpperCase(), workspace_id: member.id },
    ]) {
      const answer = await member.caller.post('/registry/register', { ...names, agent_card: { name: 'a' } });
      expect(answer, JSON.stringify(names)).toMatchObject({ status: 200 });
    }
  });

  verifies('registry.either-spelling', 'register: differing ids are refused', async () => {
    const platform = await environment.platform();
    const member = await createMember(platform);
    const body = { id: member.id, workspace_id: randomUUID(), agent_card: { name: 'a' } };
    expect(await member.caller.post('/registry/register', body)).toMatchObject({ status: 400 });
    expect(await member.caller.post('/registry/register', { agent_card: {} })).toMatchObject({ status: 400 });
    expect(await statusOf(platform, member.id)).toBe('awaiting_agent');
  });

  verifies('registry.register.claimed-needs-credential', 'register: second needs own bearer', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform, { url: 'https://mine.example.com/' });
    const other = await onboard(platform);
    const body = { id: member.id, url: 'https://thief.example.com/', agent_card: { name: 'thief' } };
    expect(await platform.anonymous.post('/registry/register', body)).toMatchObject({ status: 401 });
    expect(await other.caller.post('/registry/register', body)).toMatchObject({ status: 401 });
    expect((await platform.operator.get(`/workspaces/${member.id}`)).body).toMatchObject({
      url: 'https://mine.example.com/',
      agent_card: { name: 'agent' },
    });
  });

  verifies('lifecycle.operator-only', 'register: unknown id creates nothing', async () => {
    const platform = await environment.platform();
    const body = { id: randomUUID(), agent_card: { name: 'nobody' }, delivery_mode: 'poll' };
    expect(await platform.anonymous.post('/registry/register', body)).toMatchObject({ status: 401 });
    expect(rowsOf(await platform.operator.get('/workspaces'))).toEqual([]);
  });

  verifies('registry.register.first-claim', 'register: first claim needs no credential', async () => {
    const platform = await environment.platform();
    const member = await createMember(platform);
    const body = { workspace_id: member.id, agent_card: { name: 'a' } };
    const answer = await platform.anonymous.post('/registry/register', body);
    expect(answer).toMatchObject({ status: 200, body: { auth_token: expect.stringMatching(TOKEN) } });
    const minted = { ...member, caller: platform.as(textAt(answer.body, 'auth_token')) };
    expect((await heartbeat(minted)).status).toBe(200);
    expect((await heartbeat(member)).status).toBe(401);
    expect(await platform.anonymous.post('/registry/register', body)).toMatchObject({ status: 401 });
  });

  verifies('registry.register.first-claim', 'register: claim window closes', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const body = (id: string) => ({ id, agent_card: { name: 'a' }, delivery_mode: 'poll' });
    const early = await createMember(platform);
    const late = await createMember(platform);
    await platform.clock.advance(14 * MINUTE);
    expect((await platform.anonymous.post('/registry/register', body(early.id))).status).toBe(200);
    await platform.clock.advance(2 * MINUTE);
    expect((await platform.anonymous.post('/registry/register', body(late.id))).status).toBe(401);
    expect((await late.caller.post('/registry/register', body(late.id))).status).toBe(200);
  });

  verifies('registry.register.claimed-needs-credential', 'register: a used token claims', async () => {
    const platform = await environment.platform();
    const member = await createMember(platform);
    expect((await heartbeat(member)).status).toBe(200);
    const body = { id: member.id, agent_card: { name: 'thief' } };
    expect(await platform.anonymous.post('/registry/register', body)).toMatchObject({ status: 401 });
    expect((await heartbeat(member)).status).toBe(200);
  });

  verifies('registry.register.first-claim', 'register: concurrent claims mint one', async () => {
    const platform = await environment.platform();
    const member = await createMember(platform);
    const body = { id: member.id, agent_card: { name: 'a' }, delivery_mode: 'poll' };
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => platform.anonymous.post('/registry/register', body)),
    );
    const tokens = answers.map((answer) => valueAt(answer.body, 'auth_token')).filter(Boolean);
    expect(tokens).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(11);
    const list = await platform.operator.get(`/workspaces/${member.id}/tokens`);
    expect(valueAt(list.body, 'count')).toBe(1);
  });

  verifies(
    'registry.register.operator-mints-if-needed',
    'register: operator first register mints',
    async () => {
      const platform = await environment.platform();
      const member = await createMember(platform);
      const body = { id: member.id, agent_card: { name: 'a' } };
      const answer = await platform.operator.post('/registry/register', body);
      const token = textAt(answer.body, 'auth_token');
      expect(token).toMatch(TOKEN);
      expect((await heartbeat({ ...member, caller: platform.as(token) })).status).toBe(200);
      expect((await heartbeat(member)).status).toBe(401);
    },
  );

  verifies('registry.register.operator-mints-if-needed', 'register: operator repeat mints none', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const body = { id: member.id, agent_card: { name: 'renamed' } };
    const answer = await platform.operator.post('/registry/register', body);
    expect(answer).toMatchObject({ status: 200, body: { status: 'registered' } });
    expect(answer.body).not.toHaveProperty('auth_token');
    expect((await heartbeat(member)).status).toBe(200);
  });

  verifies(
    'registry.register.operator-mints-if-needed',
    'register: operator replaces lost tokens',
    async () => {
      const platform = await environment.platform();
      const member = await onboard(platform);
      expect((await platform.operator.delete(`/workspaces/${member.id}/tokens`)).status).toBe(200);
      const body = { id: member.id, agent_card: { name: 'a' } };
      const answer = await platform.operator.post('/registry/register', body);
      const token = textAt(answer.body, 'auth_token');
      expect((await heartbeat({ ...member, caller: platform.as(token) })).status).toBe(200);
    },
  );

  verifies('registry.register.operator-mints-if-needed', 'register: operator rotates', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const body = { id: member.id, agent_card: { name: 'a' }, rotate: true };
    const answer = await platform.operator.post('/registry/register', body);
    const token = textAt(answer.body, 'auth_token');
    expect(token).not.toBe(member.token);
    expect((await heartbeat({ ...member, caller: platform.as(token) })).status).toBe(200);
  });

  verifies('registry.register.refusals-are-alike', async () => {
    const platform = await environment.platform();
    const claimed = await onboard(platform);
    const other = await onboard(platform);
    const revoked = await onboard(platform);
    await platform.operator.delete(`/workspaces/${revoked.id}/tokens`);
    const register = (caller: typeof platform.anonymous, id: string) =>
      caller.post('/registry/register', { id, agent_card: { name: 'x' } });
    const refusals = await Promise.all([
      register(platform.anonymous, claimed.id),
      register(platform.anonymous, randomUUID()),
      register(other.caller, claimed.id),
      register(other.caller, randomUUID()),
      register(revoked.caller, revoked.id),
      register(platform.as('garbage'), claimed.id),
    ]);
    const seen = refusals.map(({ status, body }) => {
      const { request_id: _own, ...rest } = body as Record<string, unknown>;
      return { status, ...rest };
    });
    expect(seen[0]).toMatchObject({ status: 401 });
    for (const refusal of seen) expect(refusal).toEqual(seen[0]);
  });

  verifies('registry.register.claimed-needs-credential', 'register: no reopening', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    await platform.operator.delete(`/workspaces/${member.id}/tokens`);
    const body = { id: member.id, agent_card: { name: 'thief' } };
    expect(await platform.anonymous.post('/registry/register', body)).toMatchObject({ status: 401 });
    expect(await heartbeat(member)).toMatchObject({ status: 401 });
  });

  verifies('registry.register.response', async () => {
    const platform = await environment.platform();
    const member = await createMember(platform);
    const answer = await registerMember(member);
    expect(answer.body).toEqual({
      status: 'registered',
      id: member.id,
      workspace_id: member.id,
      delivery_mode: 'poll',
      org_id: null,
      expires_at: null,
      issuer: expect.stringMatching(/^urn:molecule:/),
      capabilities: expect.arrayContaining(['acknowledge', 'outcomes']),
    });
  });

  verifies('registry.register.missing-url-means-poll', 'register: missing url means poll', async () => {
    const platform = await environment.platform();
    for (const url of [{}, { url: '' }, { url: 'remote://no-inbound' }]) {
      const member = await createMember(platform);
      const answer = await member.caller.post('/registry/register', {
        id: member.id,
        agent_card: { name: 'a' },
        ...url,
      });
      expect(answer, JSON.stringify(url)).toMatchObject({ status: 200, body: { delivery_mode: 'poll' } });
      const read = await platform.operator.get(`/workspaces/${member.id}`);
      expect(read.body).toMatchObject({ url: '', delivery_mode: 'poll' });
    }
  });

  verifies('registry.register.missing-url-means-poll', 'register: push needs a url', async () => {
    const platform = await environment.platform();
    const member = await createMember(platform);
    const body = { id: member.id, agent_card: { name: 'a' }, delivery_mode: 'push' };
    expect(await member.caller.post('/registry/register', body)).toMatchObject({
      status: 400,
      body: { code: 'url_required' },
    });
    const unknown = { ...body, delivery_mode: 'pigeon' };
    expect(await member.caller.post('/registry/register', unknown)).toMatchObject({ status: 400 });
  });

  verifies('urls.checked-at-connect', 'register: unresolvable host is stored', async () => {
    const platform = await environment.platform({ dns: {} });
    const url = 'https://no-such-host.example.com/a2a';
    const member = await createMember(platform, { url });
    await registerMember(member, { url });
    const moved = 'https://no-such-host-either.example.com/';
    expect((await platform.operator.patch(`/workspaces/${member.id}`, { url: moved })).status).toBe(200);
    expect((await platform.operator.get(`/workspaces/${member.id}`)).body).toMatchObject({ url: moved });
  });

  verifies('card.is-replaced', 'update card: replaces the card', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform, { card: { name: 'old', skills: ['a'] } });
    for (const name of ['workspace_id', 'id']) {
      const answer = await member.caller.post('/registry/update-card', {
        [name]: member.id,
        agent_card: { name: `by ${name}` },
      });
      expect(answer).toMatchObject({ status: 200, body: { status: 'updated' } });
      const read = await platform.operator.get(`/workspaces/${member.id}`);
      expect(valueAt(read.body, 'agent_card')).toEqual({ name: `by ${name}` });
    }
  });

  verifies('card.is-replaced', 'heartbeat: card is updated', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform, { card: { name: 'old' } });
    const card = { name: 'new', skills: ['research'] };
    expect((await heartbeat(member, { agent_card: card })).status).toBe(200);
    const read = await platform.operator.get(`/workspaces/${member.id}`);
    expect(valueAt(read.body, 'agent_card')).toEqual(card);
  });
});
