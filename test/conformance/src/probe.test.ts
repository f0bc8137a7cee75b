import type { AgentRequest, AgentScript } from '@molecule-tests/harness';
import { decodeJwt } from 'jose';
import { expect } from 'vitest';
import { textAt, trackCall } from './harness/http.ts';
import { createMember, type Member, onboard } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = { security: { allowAgentNetworks: ['127.0.0.0/8'] } };
type Reaction = Awaited<ReturnType<AgentScript>>;
const CARD = '/.well-known/agent-card.json';

const jtiOf = ({ headers }: AgentRequest) =>
  String(decodeJwt(headers.authorization?.replace(/^Bearer /, '') ?? '').jti);

/** The card of an agent that has verified the token. */
const card = (request: AgentRequest): Reaction => ({
  kind: 'json',
  body: { name: 'agent' },
  headers: { 'X-Molecule-Probe': jtiOf(request) },
});
const cardAt =
  (path: string): AgentScript =>
  (request) =>
    request.path === path ? card(request) : { kind: 'text', text: 'a secret page', type: 'text/html' };

const probe = ({ id, caller }: Member, url?: string) =>
  caller.post(`/workspaces/${id}/probe`, url === undefined ? undefined : { url });

onEachDatabase('probe', (environment) => {
  verifies('probe.reachable', 'reachable', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: cardAt(CARD) });
    const registered = await onboard(platform, { url: `${agent.url}/a2a?key=value` });
    const reachable = { status: 200, body: { reachable: true, reason: null, status: 200 } };
    expect(await probe(registered)).toMatchObject(reachable);
    expect(agent.requests).toMatchObject([{ method: 'GET', path: CARD, text: '' }]);
    const [request] = agent.requests;
    const token = request?.headers.authorization?.replace(/^Bearer /, '') ?? '';
    const { aud, use, sub, iat = 0, exp = 0 } = decodeJwt(token);
    expect({ aud, use, sub }).toEqual({ aud: registered.id, use: 'push', sub: 'canvas' });
    expect(exp - iat).toBeLessThanOrEqual(60);

    const polling = await onboard(platform);
    for (const [path, at] of [
      ['/agents/one/a2a', `/agents/one${CARD}`],
      ['/agents/two/', `/agents/two${CARD}`],
    ] as const) {
      agent.react(cardAt(at));
      expect(await probe(polling, `${agent.url}${path}`)).toMatchObject(reachable);
    }
    const { body } = await platform.operator.get(`/workspaces/${polling.id}`);
    expect(body).toMatchObject({ url: '', delivery_mode: 'poll' });
  });

  verifies('probe.reasons', 'reasons', async () => {
    const platform = await environment.platform({
      ...LOOPBACK,
      dns: { 'inside.example.com': ['10.0.0.1'], 'mixed.example.com': ['127.0.0.1', '169.254.169.254'] },
    });
    const agent = await environment.scriptedAgent({ script: () => ({ kind: 'hang-up' }) });
    const closed = await environment.scriptedAgent({ script: () => ({ kind: 'never' }) });
    await closed.stop();
    for (const [url, reason] of [
      ['ftp://agent.example.com/', 'refused_address'],
      ['not a url', 'refused_address'],
      ['http://10.0.0.1/', 'refused_address'],
      ['http://inside.example.com/', 'refused_address'],
      ['http://mixed.example.com/', 'refused_address'],
      ['http://nowhere.example.com/', 'name_not_found'],
      [closed.url, 'connection_refused'],
      [agent.url, 'connection_failed'],
      [agent.url.replace('http:', 'https:'), 'tls_failed'],
    ] as const) {
      const answer = await probe(await onboard(platform), url);
      expect([url, answer.status, answer.body]).toEqual([
        url,
        200,
        { reachable: false, reason, status: null },
      ]);
    }
  });

  verifies(['probe.reachable', 'urls.redirects-are-not-followed'], 'wrong agent; no redirect', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: cardAt('/nowhere') });
    const member = await onboard(platform, { url: `${agent.url}/a2a` });
    const secret = /secret/;
    const missing = await probe(member);
    expect(missing.body).toEqual({ reachable: false, reason: 'no_probe_header', status: 200 });
    expect(missing.text).not.toMatch(secret);
    const wrong = { 'X-Molecule-Probe': '11111111-1111-4111-8111-111111111111' };
    agent.react(() => ({ kind: 'json', body: {}, headers: wrong }));
    expect((await probe(member)).body).toMatchObject({ reachable: false, reason: 'wrong_probe_header' });
    const elsewhere = await environment.scriptedAgent({ script: card });
    agent.react(() => ({ kind: 'redirect', to: `${elsewhere.url}${CARD}` }));
    expect((await probe(member)).body).toEqual({ reachable: false, reason: 'wrong_status', status: 307 });
    expect(elsewhere.requests).toEqual([]);
    agent.react((request) => ({ ...card(request), status: 500 }) as Reaction);
    expect((await probe(member)).body).toEqual({ reachable: false, reason: 'wrong_status', status: 500 });
    agent.react((request) => {
      const { headers } = card(request) as { headers: Record<string, string> };
      return { kind: 'json', body: 'x'.repeat(5_000_000), headers };
    });
    expect((await probe(member)).body).toMatchObject({ reachable: true });
  });

  verifies('probe.reasons', 'timeout', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const agent = await environment.scriptedAgent({ script: () => ({ kind: 'never' }) });
    const call = trackCall(probe(await onboard(platform, { url: agent.url })));
    await agent.received(1);
    await platform.clock.advance(7_999);
    expect(call.isComplete).toBe(false);
    await platform.clock.advance(1);
    expect((await call.response).body).toEqual({ reachable: false, reason: 'timeout', status: null });
  });

  verifies('identity.own-routes-only', 'access', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: card });
    const [member, other] = [await onboard(platform, { url: agent.url }), await onboard(platform)];
    expect(await platform.operator.post(`/workspaces/${member.id}/probe`)).toMatchObject({
      status: 200,
      body: { reachable: true },
    });
    const foreign = await other.caller.post(`/workspaces/${member.id}/probe`);
    expect([foreign.status, textAt(foreign.body, 'code')]).toEqual([401, 'invalid_credentials']);
    const nobody = await platform.anonymous.post(`/workspaces/${member.id}/probe`);
    expect([nobody.status, textAt(nobody.body, 'code')]).toEqual([401, 'missing_credentials']);
    const without = await probe(await createMember(platform));
    expect([without.status, textAt(without.body, 'code')]).toEqual([400, 'url_required']);
    expect(agent.requests).toHaveLength(1);
  });

  verifies('probe.rate', async () => {
    const platform = await environment.platform({
      ...LOOPBACK,
      clock: 'manual',
      limits: { rateLimit: 'off' },
    });
    const agent = await environment.scriptedAgent({ script: card });
    const [member, other] = [
      await onboard(platform, { url: agent.url }),
      await onboard(platform, { url: agent.url }),
    ];
    for (let count = 0; count < 6; count += 1) expect((await probe(member)).status).toBe(200);
    const refused = await probe(member);
    expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited', scope: 'probe' } });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await probe(other)).status).toBe(200);
    expect(agent.requests).toHaveLength(7);
    await platform.clock.advance(60_000);
    expect((await probe(member)).status).toBe(200);
  });
});
