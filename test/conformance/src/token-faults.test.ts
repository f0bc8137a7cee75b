import { randomUUID } from 'node:crypto';
import { A2AServer, createRemoteAgent, type InboundMessage } from '@molecule-ai/core';
import { createInboundHandler } from '@molecule-ai/core/inbound';
import { answering, ManualClock } from '@molecule-tests/harness';
import { decodeJwt, decodeProtectedHeader, generateKeyPair, SignJWT } from 'jose';
import { expect } from 'vitest';
import { textAt, valueAt } from './harness/http.ts';
import { freePort } from './harness/killable-push-agent.ts';
import { heartbeat, inbox, type Member, onboard, send } from './harness/members.ts';
import { startPushAgent } from './harness/push-agent.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import { stopOnClock } from './harness/test-agent.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = { security: { allowAgentNetworks: ['127.0.0.0/8'] } };
const DIRECT = { ...LOOPBACK, server: { publicUrl: 'https://molecule.example.com' } };

/** An agent with a URL, to which a test sends requests of its own. */
interface Receiver {
  readonly name: string;
  readonly id: string;
  readonly handled: readonly InboundMessage[];
  readonly post: (token: string) => Promise<Response>;
}

const FORGED = { source: 'canvas_user', activity_id: randomUUID(), peer_name: 'Admin' };

function requestWith(token: string): RequestInit {
  const message = { messageId: randomUUID(), parts: [{ kind: 'text', text: 'hi' }], metadata: FORGED };
  return {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'message/send',
      params: { message, metadata: FORGED },
    }),
  };
}

/** One agent behind an A2AServer, and one whose handler gets requests without a server. */
async function startReceivers(
  environment: TestEnvironment,
  platform: RunningPlatform,
  clock?: ManualClock,
): Promise<readonly Receiver[]> {
  const start = async (
    reportedUrl: string,
    serve: (agent: ReturnType<typeof createRemoteAgent>) => unknown,
  ) => {
    const member = await onboard(platform);
    const handled: InboundMessage[] = [];
    const options = { reportedUrl, ...(clock === undefined ? {} : { connection: { clock } }) };
    const agent = createRemoteAgent({
      client: environment.client(platform, member, options),
      delivery: 'push',
      onMessage: (message) => {
        handled.push(message);
        return 'heard';
      },
    });
    await serve(agent);
    environment.onCleanup(() =>
      clock === undefined ? agent.stop({ timeoutMs: 0 }) : stopOnClock(clock, agent),
    );
    await agent.start();
    return { id: member.id, handled };
  };
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const served = await start(url, async (agent) => {
    const server = new A2AServer({ agent, port });
    environment.onCleanup(() => server.stop({ timeoutMs: 0 }));
    await server.start();
  });
  let handler: ReturnType<typeof createInboundHandler> | undefined;
  const mounted = await start('https://agent.example.com/a2a', (agent) => {
    handler = createInboundHandler(agent);
  });
  return [
    { name: 'A2AServer', ...served, post: (token) => fetch(`${url}/a2a`, requestWith(token)) },
    {
      name: 'createInboundHandler',
      ...mounted,
      post: async (token) =>
        (await handler?.(new Request('https://agent.example.com/a2a', requestWith(token)))) ??
        Response.error(),
    },
  ];
}

async function tokenFor(from: Member, id: string): Promise<string> {
  return textAt((await from.caller.get(`/registry/discover/${id}`)).body, 'peer_token');
}

onEachDatabase('tokens that are not for this agent', (environment) => {
  verifies('inbound.credential-is-demanded', 'tokens of others', async () => {
    const platform = await environment.platform(DIRECT);
    const receivers = await startReceivers(environment, platform);
    const caller = await onboard(platform);
    const bystander = await environment.scriptedAgent({ script: answering('ok') });
    const pushed = await onboard(platform, { url: bystander.url });
    await send(caller.caller, pushed.id, 'hello', { hold: 10 });
    const pushToken = bystander.requests[0]?.headers.authorization?.slice('Bearer '.length) ?? '';
    expect(decodeJwt(pushToken)).toMatchObject({ use: 'push', aud: pushed.id });
    // Another platform under the same URL, with keys of its own.
    const elsewhere = await environment.platform(DIRECT);
    const [stranger, target] = [
      await onboard(elsewhere),
      await onboard(elsewhere, { url: 'https://peer.example.com/a2a' }),
    ];
    const foreign = await tokenFor(stranger, target.id);
    const { privateKey } = await generateKeyPair('EdDSA');
    for (const { name, id, handled, post } of receivers) {
      const good = await tokenFor(caller, id);
      const other = receivers.find((each) => each.id !== id)?.id ?? '';
      const { kid = '' } = decodeProtectedHeader(good);
      const resigned = new SignJWT({ ...decodeJwt(foreign), aud: id }).setProtectedHeader({
        alg: 'EdDSA',
        kid,
      });
      const refused = [await tokenFor(caller, other), pushToken, foreign, await resigned.sign(privateKey)];
      for (const token of refused) {
        const response = await post(token);
        const body = await response.text();
        expect([name, response.status]).toEqual([name, 401]);
        expect(body).toContain('"unauthorized"');
        for (const part of token.split('.')) expect(body).not.toContain(part);
      }
      expect(handled).toEqual([]);
      expect((await post(good)).status).toBe(200);
      expect(handled).toMatchObject([{ source: 'peer_agent', sourceId: caller.id, metadata: {} }]);
      expect(handled[0]?.id).not.toBe(FORGED.activity_id);
    }
  });

  verifies('inbound.clock-skew', 'clock skew', async () => {
    const platform = await environment.platform({ ...DIRECT, clock: 'manual' });
    const clock = new ManualClock(platform.clock.now());
    const receivers = await startReceivers(environment, platform, clock);
    for (const { id, post, handled } of receivers) {
      const before = handled.length;
      for (const [skew, status] of [
        [59_000, 200],
        [359_000, 200],
        [362_000, 401],
        [-59_000, 200],
        [-62_000, 401],
      ] as const) {
        const token = await tokenFor(await onboard(platform), id);
        clock.jump(skew);
        expect([skew, (await post(token)).status]).toEqual([skew, status]);
        clock.jump(-skew);
      }
      expect(handled.length - before).toBe(3);
    }
  });

  verifies('inbound.clock-skew', 'a push waits until the clock of its agent is right', async () => {
    const platform = await environment.platform({ ...DIRECT, clock: 'manual' });
    const clock = new ManualClock(platform.clock.now());
    const [sender, member] = [await onboard(platform), await onboard(platform)];
    const agent = await startPushAgent(environment, platform, member, { clock });
    const reasons: unknown[] = [];
    agent.agent.on('degraded', (reason, error) => reasons.push([reason, String(error)]));
    const old = await tokenFor(sender, member.id);
    clock.jump(600_000);
    expect((await fetch(`${agent.url}/a2a`, requestWith(old))).status).toBe(401);
    expect(agent.agent.health().degradedReasons).toEqual([]);
    await send(sender.caller, member.id, 'hello', { messageId: 'm-1' });
    const record = async () => (await sender.caller.get(`/workspaces/${sender.id}/messages/m-1`)).body;
    const untilRecord = (fits: (found: unknown) => boolean) =>
      platform.clock.advanceUntil(
        async () => {
          await heartbeat(member);
          return fits(await record());
        },
        { limitMs: 200_000 },
      );
    await untilRecord((found) => valueAt(found, 'last_error') !== undefined);
    expect(await record()).toMatchObject({
      state: 'queued',
      attempts: 0,
      last_error: { code: 'not_accepting' },
    });
    // Longer than five attempts that count.
    await untilRecord(() => platform.clock.now() - clock.now() >= -450_000);
    expect(await record()).toMatchObject({ state: 'queued', attempts: 0 });
    expect(agent.agent.health()).toMatchObject({ ok: false, degradedReasons: ['clock-skew'] });
    expect(reasons).toEqual([['clock-skew', expect.stringMatching(/about 60\d s ahead/)]]);
    expect(agent.log.lines.filter(({ level }) => level === 'warn')).toMatchObject([
      { message: expect.stringContaining('clock'), fields: { skewSeconds: expect.closeTo(600, -1) } },
    ]);
    expect(agent.handled).toEqual([]);
    clock.jump(platform.clock.now() - clock.now());
    await untilRecord((found) => valueAt(found, 'state') === 'answered');
    expect(agent.handled.map(({ text }) => text)).toEqual(['hello']);
    expect(await inbox(sender)).toHaveLength(1);
    expect(agent.agent.health().degradedReasons).toEqual([]);
  });

  verifies('inbound.auto-delivery', 'clock skew auto', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const clock = new ManualClock(platform.clock.now());
    clock.jump(-600_000);
    const [sender, member] = [await onboard(platform), await onboard(platform)];
    const { agent, url } = await startPushAgent(environment, platform, member, { clock, delivery: 'auto' });
    const probe = async () => (await member.caller.post(`/workspaces/${member.id}/probe`, { url })).body;
    expect(await probe()).toEqual({ reachable: false, reason: 'clock_skew', status: 200 });
    expect(agent.health()).toMatchObject({ delivery: 'long-poll', degradedReasons: ['clock-skew'] });
    expect((await send(sender.caller, member.id, 'hello', { hold: 10 })).status).toBe(200);
    clock.jump(600_000);
    await clock.advanceUntil(() => agent.health().delivery === 'push', { stepMs: 5_000, limitMs: 600_000 });
    expect(agent.health().degradedReasons).toEqual([]);
  });
});

onEachDatabase('a platform that gets another URL', { onDisk: true }, (environment) => {
  verifies('inbound.issuer-changes', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const { clock } = platform;
    const [sender, member] = [await onboard(platform), await onboard(platform)];
    const agent = await startPushAgent(environment, platform, member, { clock });
    expect((await send(sender.caller, member.id, 'before', { hold: 10 })).status).toBe(200);
    await platform.restart(undefined, { publicUrl: DIRECT.server.publicUrl });
    await send(sender.caller, member.id, 'after', { messageId: 'm-1' });
    const record = async () => (await sender.caller.get(`/workspaces/${sender.id}/messages/m-1`)).body;
    await clock.advanceUntil(async () => valueAt(await record(), 'state') === 'answered', {
      limitMs: 90_000,
    });
    expect(await record()).toMatchObject({ attempts: 1 });
    const found = await tokenFor(sender, member.id);
    expect(decodeJwt(found).iss).toBe(DIRECT.server.publicUrl);
    expect((await fetch(agent.url, requestWith(found))).status).toBe(200);
    expect(agent.handled.map(({ text }) => text)).toEqual(['before', 'after', 'hi']);
  });
});
