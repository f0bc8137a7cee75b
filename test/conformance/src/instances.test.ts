import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { trackCall } from './harness/http.ts';
import { heartbeat, inboxTexts, type Member, onboard, send, statusOf } from './harness/members.ts';
import { createTestAgent, DELIVERIES, startTestAgent, stopOnClock } from './harness/test-agent.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

/** A feed read as the runtime of one instance makes it. */
function readAs({ id, caller }: Member, instance: string, headers = {}, query = '') {
  const path = `/workspaces/${id}/activity?type=a2a_receive${query}`;
  return caller.get(path, { 'x-molecule-instance': instance, ...headers });
}

function goodbye({ id, caller }: Member, instance: string) {
  return caller.post('/registry/goodbye', { workspace_id: id, instance_id: instance });
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `message ${index}`);

onEachDatabase('instances', (environment) => {
  describe.each(DELIVERIES)('by $delivery', ({ delivery }) => {
    verifies(
      ['instances.one-reader', 'instances.restart-continues'],
      'two agents one workspace; rolling restart',
      async () => {
        const old = await startTestAgent(environment, { delivery });
        const { platform, member, clock, until } = old;
        const fresh = createTestAgent(environment, platform, member, { delivery });
        // It waits until the other one has ended.
        let hasStarted = false;
        const starting = fresh.agent.start().then(() => {
          hasStarted = true;
        });
        const peer = await onboard(platform);
        const texts = numbered(20);
        for (const text of texts.slice(0, 10)) await send(peer.caller, member.id, text);
        await until(() => fresh.agent.health().degradedReasons.includes('identity-in-use'));
        await until(async () => (await old.pending()) === 0);
        expect([old.handled.length, fresh.handled.length, hasStarted]).toEqual([10, 0, false]);
        await stopOnClock(clock, old.agent);
        for (const text of texts.slice(10)) await send(peer.caller, member.id, text);
        await until(async () => (await old.pending()) === 0, 10_000);
        await starting;
        expect(fresh.agent.health()).toMatchObject({ ok: true, degradedReasons: [] });
        expect([...old.handled, ...fresh.handled]).toEqual(texts);
        const answers = (await inboxTexts(peer)).map((text) => /echo: message \d+/.exec(text)?.[0]);
        expect(answers.sort()).toEqual(texts.map((text) => `echo: ${text}`).sort());
      },
    );

    verifies('instances.takeover', 'takeover', async () => {
      const old = await startTestAgent(environment, { delivery });
      const { platform, member, until, handled } = old;
      await send(platform.operator, member.id, 'before');
      await until(() => handled.length === 1);
      const options = { delivery, onConflict: 'takeover' } as const;
      const fresh = createTestAgent(environment, platform, member, options);
      await fresh.agent.start();
      await until(() => old.agent.state === 'stopped');
      expect(await old.agent.closed).toBe('superseded');
      await send(platform.operator, member.id, 'after');
      await fresh.untilAllAcknowledged();
      expect([old.handled, fresh.handled]).toEqual([['before'], ['after']]);
      expect(await statusOf(platform, member.id)).toBe('online');
    });

    verifies('instances.fail', async () => {
      const first = await startTestAgent(environment, { delivery });
      const { platform, member, until } = first;
      await send(platform.operator, member.id, 'one');
      await until(() => first.handled.length === 1);
      const second = createTestAgent(environment, platform, member, { delivery, onConflict: 'fail' });
      const starting = trackCall(second.agent.start().catch((error: unknown) => error) as Promise<never>);
      await until(() => starting.isComplete);
      expect(await starting.response).toMatchObject({ code: 'workspace_in_use' });
      expect(await second.agent.closed).toBe('superseded');
      expect(first.agent.state).toBe('running');
    });

    verifies('instances.each-message-once', 'finished by another', async () => {
      const first = await startTestAgent(environment, { delivery });
      const { platform, member, clock } = first;
      await send(platform.operator, member.id, 'one');
      await first.untilAllAcknowledged();
      await stopOnClock(clock, first.agent);
      const second = createTestAgent(environment, platform, member, { delivery });
      await second.agent.start();
      await send(platform.operator, member.id, 'two');
      await second.untilAllAcknowledged();
      await stopOnClock(clock, second.agent);
      const { stateDirectory } = first;
      const again = createTestAgent(environment, platform, member, {
        delivery,
        client: { storage: { directory: stateDirectory } },
      });
      await again.agent.start();
      await send(platform.operator, member.id, 'three');
      await again.untilAllAcknowledged();
      expect([first.handled, second.handled, again.handled]).toEqual([['one'], ['two'], ['three']]);
    });

    verifies('instances.goodbye', 'goodbye', async () => {
      const { platform, member, agent, clock } = await startTestAgent(environment, { delivery });
      expect(await statusOf(platform, member.id)).toBe('online');
      await stopOnClock(clock, agent);
      expect(await statusOf(platform, member.id)).toBe('offline');
    });
  });

  verifies('instances.one-reader', 'copied token', async () => {
    const platform = await environment.platform({ clock: 'manual', server: { contractCheck: 'all' } });
    const member = await onboard(platform);
    expect((await readAs(member, 'home')).status).toBe(200);
    const refused = await readAs(member, 'elsewhere');
    expect(refused).toMatchObject({
      status: 409,
      body: { code: 'identity_in_use', retry_after: 45, superseded: false },
    });
    await platform.clock.advance(30_000);
    await member.caller.post(
      '/registry/heartbeat',
      { workspace_id: member.id },
      { 'x-molecule-instance': 'home' },
    );
    await platform.clock.advance(30_000);
    expect((await readAs(member, 'elsewhere')).status).toBe(409);
    expect((await readAs(member, 'home')).status).toBe(200);
  });

  verifies('instances.takeover', 'a take-over ends the read that is held', async () => {
    const platform = await environment.platform({ clock: 'manual', server: { contractCheck: 'all' } });
    const member = await onboard(platform);
    const held = readAs(member, 'old', {}, '&wait=60');
    while ((await readAs(member, 'new')).status === 200) await goodbye(member, 'new');
    expect((await readAs(member, 'new', { 'x-molecule-takeover': '1' })).status).toBe(200);
    expect(await held).toMatchObject({
      status: 409,
      body: { code: 'identity_in_use', superseded: true },
    });
    expect((await readAs(member, 'old')).body).toMatchObject({ superseded: true });
    expect((await readAs(member, 'new')).status).toBe(200);
  });

  verifies('instances.readers-without-a-name', async () => {
    const platform = await environment.platform({ clock: 'manual', server: { contractCheck: 'all' } });
    const member = await onboard(platform);
    expect((await readAs(member, 'agent')).status).toBe(200);
    const path = `/workspaces/${member.id}/activity`;
    const other = { 'x-molecule-instance': 'other' };
    expect((await member.caller.get(`${path}?type=a2a_receive`)).status).toBe(200);
    expect((await platform.operator.get(`${path}?type=a2a_receive`, other)).status).toBe(200);
    expect((await member.caller.get(path, other)).status).toBe(200);
    expect((await readAs(member, 'agent')).status).toBe(200);
  });

  verifies('instances.goodbye', 'goodbye of one of two', async () => {
    const platform = await environment.platform({ clock: 'manual', server: { contractCheck: 'all' } });
    const member = await onboard(platform);
    expect((await readAs(member, 'one')).status).toBe(200);
    expect((await readAs(member, 'two')).status).toBe(409);
    const first = await goodbye(member, 'one');
    expect(first).toMatchObject({ status: 200, body: { status: 'goodbye', workspace_status: 'online' } });
    expect((await readAs(member, 'two')).status).toBe(200);
    await platform.clock.advance(45_000);
    expect((await goodbye(member, 'two')).body).toMatchObject({ workspace_status: 'offline' });
    await heartbeat(member);
    expect(await statusOf(platform, member.id)).toBe('online');
  });
});

onEachDatabase('instances over restarts', { onDisk: true }, (environment) => {
  verifies('instances.one-reader', 'platform restart', async () => {
    const platform = await environment.platform({ clock: 'manual', server: { contractCheck: 'all' } });
    const member = await onboard(platform);
    expect((await readAs(member, 'home')).status).toBe(200);
    await platform.clock.advance(40_000);
    await platform.restart();
    expect((await readAs(member, 'elsewhere')).status).toBe(409);
    await platform.clock.advance(40_000);
    expect((await readAs(member, 'elsewhere')).status).toBe(409);
    expect((await readAs(member, 'home')).status).toBe(200);
  });

  verifies('instances.folder-of-a-running-agent', 'killed process holds no folder', async () => {
    // Only Linux says in a file which processes are not reaped.
    if (process.platform !== 'linux') return;
    const platform = await environment.platform({ clock: 'manual', server: { contractCheck: 'all' } });
    const member = await onboard(platform);
    const stateDirectory = environment.folder();
    // The inner shell ends; its parent becomes `sleep`, which never reaps it.
    const parent = spawn('sh', ['-c', 'sh -c "echo \\$\\$" & exec sleep 600'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    environment.onCleanup(async () => {
      parent.kill();
      await once(parent, 'close');
    });
    const pid = String(await once(parent.stdout, 'data')).trim();
    while (!/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) await setImmediate();
    writeFileSync(join(stateDirectory, 'agent.lock'), `${pid} ${hostname()} mark`);
    const { agent } = createTestAgent(environment, platform, member, {
      delivery: 'poll',
      client: { storage: { directory: stateDirectory } },
    });
    await agent.start();
    expect(agent.state).toBe('running');
  });
});
