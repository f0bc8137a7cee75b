import { answering, type ScriptedAgent } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { textAt, trackCall, valueAt } from './harness/http.ts';
import { heartbeat, inbox, type Member, onboard, registerMember, send } from './harness/members.ts';
import type { RunningPlatform, TestPlatformOptions } from './harness/running-platform.ts';
import { startSelfSignedServer } from './harness/self-signed-server.ts';
import { startSilentServer } from './harness/silent-server.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = { security: { allowAgentNetworks: ['127.0.0.0/8'] } };
const OPTIONS = { ...LOOPBACK, clock: 'manual', limits: { pushTimeoutMs: 20_000 } } as const;

interface Stage {
  readonly platform: RunningPlatform;
  readonly sender: Member;
  readonly target: Member;
  /** The record of the message `m-1`. */
  readonly record: () => Promise<unknown>;
  /** Moves the clock, with the heartbeats of the agent, until the record fits. */
  readonly untilRecord: (fits: (record: unknown) => boolean) => Promise<void>;
}

async function startStage(
  environment: TestEnvironment,
  url: string,
  options: TestPlatformOptions = {},
): Promise<Stage> {
  const platform = await environment.platform({ ...OPTIONS, ...options });
  const [sender, target] = [await onboard(platform), await onboard(platform, { url })];
  const record = async () => (await sender.caller.get(`/workspaces/${sender.id}/messages/m-1`)).body;
  const untilRecord = (fits: (record: unknown) => boolean) =>
    platform.clock.advanceUntil(
      async () => {
        await heartbeat(target);
        return fits(await record());
      },
      { limitMs: 200_000 },
    );
  return { platform, sender, target, record, untilRecord };
}

const lastCode = (record: unknown) => valueAt(record, 'last_error', 'code');
const isAnswered = (record: unknown) => valueAt(record, 'state') === 'answered';

/** The last push got through, and the answer reached the sender once. */
async function expectOneAnswer({ sender, record }: Stage, text: string): Promise<void> {
  const found = await record();
  expect(found).toMatchObject({ state: 'answered' });
  expect(found).not.toHaveProperty('last_error');
  expect(JSON.stringify(valueAt(found, 'answer'))).toContain(text);
  expect((await inbox(sender)).map((row) => row.in_reply_to)).toEqual(['m-1']);
}

const idsOf = ({ requests }: ScriptedAgent) =>
  requests.map(({ body }) => textAt(body, 'params', 'message', 'messageId'));

onEachDatabase('push to agents whose network fails', (environment) => {
  verifies('push.repeated-with-the-same-id', 'half open', async () => {
    const silent = await startSilentServer((stop) => environment.onCleanup(stop));
    const stage = await startStage(environment, `${silent.url}/a2a`);
    const { platform, sender, target, untilRecord } = stage;
    // More than the buffers of a connection hold.
    const text = 'x'.repeat(900_000);
    const call = trackCall(send(sender.caller, target.id, text, { messageId: 'm-1', hold: 10 }));
    await expect.poll(() => silent.connections()).toBe(1);
    // Others are not delayed by it.
    const other = await environment.scriptedAgent({ script: answering('here') });
    const busy = await onboard(platform, { url: other.url });
    expect((await send(sender.caller, busy.id, 'hello', { hold: 10 })).status).toBe(200);
    await platform.clock.advanceUntil(() => call.isComplete, { limitMs: 15_000 });
    expect((await call.response).status).toBe(202);
    await untilRecord((record) => lastCode(record) === 'agent_timeout');
    await silent.stop();
    const back = await environment.scriptedAgent({ port: silent.port, script: answering('back') });
    await untilRecord(isAnswered);
    await expectOneAnswer(stage, 'back');
    expect(idsOf(back)).toEqual(['m-1']);
  });

  verifies('push.repeated-with-the-same-id', 'also on a connection that was used before', async () => {
    const agent = await environment.scriptedAgent({ script: answering('first') });
    const stage = await startStage(environment, `${agent.url}/a2a`);
    const { sender, target, untilRecord } = stage;
    expect((await send(sender.caller, target.id, 'hello', { messageId: 'm-0', hold: 10 })).status).toBe(200);
    agent.react(() => ({ kind: 'never' }));
    expect((await send(sender.caller, target.id, 'hello', { messageId: 'm-1' })).status).toBe(202);
    await agent.received(2);
    await untilRecord((record) => lastCode(record) === 'agent_timeout');
    agent.react(answering('again'));
    await untilRecord(isAnswered);
    await expectOneAnswer(stage, 'again');
    expect(new Set(idsOf(agent).slice(1))).toEqual(new Set(['m-1']));
  });

  verifies('messages.record', 'waiting outlasts attempts', async () => {
    const agent = await environment.scriptedAgent({ script: () => ({ kind: 'hang-up' }) });
    const { platform, sender, target } = await startStage(environment, `${agent.url}/a2a`);
    const held = { messageId: 'm-1', hold: 60 };
    // The call itself ends when the first attempt has failed.
    expect((await send(sender.caller, target.id, 'hello', held)).status).toBe(202);
    const waiting = trackCall(sender.caller.get(`/workspaces/${sender.id}/messages/m-1?wait=60`));
    await platform.clock.advanceUntil(() => agent.requests.length === 3, { limitMs: 10_000 });
    await environment.untilStable(() => platform.queries.length);
    expect(waiting.isComplete).toBe(false);
    agent.react(answering('at last'));
    await platform.clock.advanceUntil(() => waiting.isComplete, { limitMs: 40_000 });
    expect((await waiting.response).body).toMatchObject({ state: 'answered', attempts: 4 });
  });

  verifies('push.repeated-with-the-same-id', 'slow answer', async () => {
    for (const kind of ['stall', 'drip'] as const) {
      const agent = await environment.scriptedAgent({ script: () => ({ kind }) });
      const stage = await startStage(environment, `${agent.url}/a2a`);
      const { platform, sender, target, untilRecord } = stage;
      expect((await send(sender.caller, target.id, 'hello', { messageId: 'm-1' })).status).toBe(202);
      await agent.received(1);
      const before = platform.clock.monotonic();
      await untilRecord((record) => lastCode(record) === 'agent_timeout');
      expect(platform.clock.monotonic() - before).toBeLessThanOrEqual(OPTIONS.limits.pushTimeoutMs + 2_000);
      agent.react(answering('whole'));
      await untilRecord(isAnswered);
      await expectOneAnswer(stage, 'whole');
      expect(new Set(idsOf(agent))).toEqual(new Set(['m-1']));
    }
  });

  verifies('urls.redirects-are-not-followed', 'no redirect', async () => {
    const thief = await environment.scriptedAgent({ script: answering('stolen') });
    for (const to of [`${thief.url}/steal`, 'http://169.254.169.254/latest/meta-data', 'http://10.0.0.1/']) {
      const agent = await environment.scriptedAgent({ script: () => ({ kind: 'redirect', to }) });
      const { sender, target, record } = await startStage(environment, `${agent.url}/a2a`);
      const call = await send(sender.caller, target.id, 'hello', { messageId: 'm-1', hold: 10 });
      const error = {
        code: 'agent_error',
        status: '307',
        hint: expect.stringContaining('the slash at its end'),
      };
      expect(call.body).toMatchObject(error);
      expect(call.text).not.toContain(to);
      expect(await record()).toMatchObject({ state: 'failed', error: { code: 'agent_error' } });
      expect(agent.requests).toHaveLength(1);
    }
    expect(thief.requests).toEqual([]);
  });

  verifies('push.wrong-name-or-certificate', 'tls', async () => {
    const server = await startSelfSignedServer((stop) => environment.onCleanup(stop));
    const agent = await environment.scriptedAgent({ script: answering('by http') });
    for (const url of [
      server.url,
      agent.url.replace('http:', 'https:'),
      server.url.replace('https:', 'http:'),
    ]) {
      const stage = await startStage(environment, `${url}/a2a`, {
        security: { allowAgentNetworks: ['127.0.0.0/8', '::1/128'] },
        dns: { localhost: ['127.0.0.1'] },
      });
      const { sender, target, untilRecord, record } = stage;
      const before = agent.requests.length;
      expect((await send(sender.caller, target.id, 'hello', { messageId: 'm-1' })).status).toBe(202);
      await untilRecord((found) => lastCode(found) === 'agent_unreachable');
      expect(await record()).toMatchObject({ state: 'queued' });
      expect([server.requests(), agent.requests.length]).toEqual([0, before]);
      await registerMember(target, { url: `${agent.url}/a2a` });
      await untilRecord(isAnswered);
      await expectOneAnswer(stage, 'by http');
    }
  });

  verifies('push.wrong-name-or-certificate', 'names that change', async () => {
    const thief = await environment.scriptedAgent({ host: '127.0.0.2', script: answering('stolen') });
    const agent = await environment.scriptedAgent({ port: thief.port, script: answering('found') });
    const addresses: (readonly string[] | null)[] = [null, ['10.0.0.7'], ['127.0.0.1', '127.0.0.2'], null];
    let stage: Stage | undefined;
    /** Why the attempt before had failed, at each look-up. */
    const codes: unknown[] = [];
    const resolve = async (hostname: string) => {
      codes.push(lastCode(await stage?.record()));
      const next = addresses.length > 0 ? addresses.shift() : ['127.0.0.1'];
      if (next === null || next === undefined) {
        throw Object.assign(new Error(`getaddrinfo EAI_AGAIN ${hostname}`), { code: 'EAI_AGAIN' });
      }
      return next.map((address) => ({ address }));
    };
    stage = await startStage(environment, `http://agent.example.com:${agent.port}/a2a`, {
      security: { allowAgentNetworks: ['127.0.0.1/32'], resolve },
    });
    const { sender, target, untilRecord } = stage;
    expect((await send(sender.caller, target.id, 'hello', { messageId: 'm-1' })).status).toBe(202);
    await untilRecord(isAnswered);
    expect(codes).toEqual([undefined, 'agent_unreachable', 'unsafe_url', 'unsafe_url', 'agent_unreachable']);
    await expectOneAnswer(stage, 'found');
    expect([addresses, idsOf(agent), thief.requests]).toEqual([[], ['m-1'], []]);
  });
});
