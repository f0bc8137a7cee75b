import type { RemoteAgentClient } from '@molecule-ai/core';
import { decodeProtectedHeader } from 'jose';
import { expect, vi } from 'vitest';
import { textAt } from './harness/http.ts';
import { onboard, send } from './harness/members.ts';
import { type PushAgent, startPushAgent } from './harness/push-agent.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const DIRECT = {
  security: { allowAgentNetworks: ['127.0.0.0/8'] },
  server: { publicUrl: 'https://molecule.example.com' },
};
const DAY_MS = 86_400_000;
const STEP_MS = 30_000;
/** From 11 minutes before the second key signs until the first one is no longer published. */
const STEPS = 44;

vi.setConfig({ testTimeout: 60_000 });

onEachDatabase('agents while the keys of the platform rotate', { onDisk: true }, (environment) => {
  verifies('peer-tokens.rotation-under-load', async () => {
    const platform = await environment.platform({ ...DIRECT, clock: 'manual' });
    const { clock } = platform;
    const sender = await onboard(platform);
    const kids = new Map<string, number>();
    const statuses = new Map<number, number>();
    const started: { id: string; agent: PushAgent; client: RemoteAgentClient }[] = [];
    for (let count = 0; count < 2; count += 1) {
      const member = await onboard(platform);
      const agent = await startPushAgent(environment, platform, member, {
        clock,
        onRequest: (request) => {
          const token = request.headers.get('authorization')?.slice('Bearer '.length) ?? '';
          const kid = String(decodeProtectedHeader(token).kid);
          kids.set(kid, (kids.get(kid) ?? 0) + 1);
          return request;
        },
        onResponse: ({ status }) => void statuses.set(status, (statuses.get(status) ?? 0) + 1),
      });
      const asking = await onboard(platform);
      const client = environment.client(platform, asking, { connection: { clock } });
      await client.register();
      started.push({ id: member.id, agent, client });
    }
    // The first push makes the first key.
    await send(sender.caller, started[0]?.id ?? '', 'hello', { hold: 10 });
    kids.clear();
    statuses.clear();
    clock.jump(DAY_MS - 11 * 60_000);
    // The heartbeats after the jump.
    await clock.advance(STEP_MS);
    // Starts when the second key signs, and has read no keys before.
    const late = await onboard(platform, { url: 'https://late.example.com/a2a' });
    let calls = 0;
    let early = '';
    for (let step = 0; step < STEPS; step += 1) {
      // Nobody has a token for it, so it gets new ones.
      const fresh = await onboard(platform);
      const results = await Promise.all(
        started.flatMap(({ id, client }) => [
          send(fresh.caller, id, 'hello', { hold: 10 }).then(({ status }) => status),
          send(sender.caller, id, 'hello', { hold: 10 }).then(({ status }) => status),
          send(platform.operator, id, 'hello', { hold: 10 }).then(({ status }) => status),
          client.callPeer(id, 'hello').then(({ via, status }) => `${via} ${status}`),
        ]),
      );
      expect(results).toEqual(started.flatMap(() => [200, 200, 200, 'direct answered']));
      calls += results.length;
      if (kids.size === 1) {
        const found = await fresh.caller.get(`/registry/discover/${late.id}`);
        early = textAt(found.body, 'peer_token');
      } else if (early !== '') {
        const agent = await startPushAgent(environment, platform, late, { clock });
        expect(await statusOf(agent.url, early)).toBe(200);
        early = '';
      }
      await clock.advance(STEP_MS);
    }
    expect(kids.size).toBe(2);
    expect(Math.min(...kids.values())).toBeGreaterThan(calls / 5);
    expect([...statuses]).toEqual([[200, calls]]);
    const { body } = await platform.anonymous.get('/.well-known/jwks.json');
    expect((body as { keys: unknown[] }).keys).toHaveLength(1);
  });
});

async function statusOf(url: string, token: string): Promise<number> {
  const parts = [{ kind: 'text', text: 'hi' }];
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ method: 'message/send', params: { message: { messageId: 'early', parts } } }),
  });
  return response.status;
}
