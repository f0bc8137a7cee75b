import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createRemoteAgent, FileTokenStore } from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import type { ManualClock } from '@molecule-tests/harness';
import { expect } from 'vitest';
import {
  agentOn,
  GENERATIONS,
  MEMBER,
  PEER,
  startReference,
  trackPromise,
} from './harness/reference-agent.ts';
import { stopOnClock } from './harness/test-agent.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const FEED = `GET /workspaces/${MEMBER.id}/activity`;
const ofEach = (title: string) =>
  GENERATIONS.map((generation) => [generation, `${title}, ${generation}`] as const);

/** Moves time on in small steps, in which requests end before their time limits. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 250) await clock.advance(250);
}

onEachDatabase('agents on the reference platform', { onDisk: true }, (environment) => {
  verifies('delivery.files-are-private', 'inbound secret', async () => {
    const reference = await startReference(environment);
    const { agent, log, stateDirectory } = agentOn(environment, reference);
    const file = join(stateDirectory, '.platform_inbound_secret');
    await agent.start();
    expect(readFileSync(file, 'utf8').trim()).toBe('inbound-secret-of-the-reference');
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
    const newer = { status: 'ok', platform_inbound_secret: 'newer-secret-of-the-reference' };
    reference.platform.routes.set('POST /registry/heartbeat', () => ({ kind: 'json', body: newer }));
    await pass(reference.clock, 31_000);
    await stopOnClock(reference.clock, agent);
    const store = new FileTokenStore({ directory: stateDirectory });
    expect(await store.loadInboundSecret()).toBe('newer-secret-of-the-reference');
    expect(JSON.stringify(log.lines)).not.toContain('secret-of-the-reference');
  });

  verifies('reference.unreadable-keys', 'heartbeats', async () => {
    const reference = await startReference(environment);
    const unreadable = {
      platform_inbound_secret: 5,
      pending: '3',
      server_time: 5,
      capabilities: 'x',
      paused: 'false',
      workspace_status: 1,
    };
    reference.platform.routes.set('POST /registry/heartbeat', () => ({
      kind: 'json',
      body: { status: 'ok', ...unreadable },
    }));
    const { agent, log } = agentOn(environment, reference);
    await agent.start();
    await pass(reference.clock, 61_000);
    expect(agent.health()).toMatchObject({ ok: true, state: 'running', presence: 'online' });
    const line = log.lines.find(({ fields }) => fields.route === 'heartbeat');
    expect(line).toMatchObject({ level: 'debug', fields: { dropped: expect.any(Array) } });
    expect(line?.fields.dropped).toHaveLength(6);
    expect(line?.fields.dropped).toEqual(expect.arrayContaining(Object.keys(unreadable)));
  });

  for (const [generation, title] of ofEach('too many requests')) {
    verifies('agent.rate-limited', title, async () => {
      const reference = await startReference(environment, generation);
      const { clock, platform } = reference;
      const { agent, log, handled } = agentOn(environment, reference);
      const reports: string[] = [];
      agent.on('degraded', (reason) => reports.push(`degraded: ${reason}`));
      agent.on('recovered', (reason) => reports.push(`recovered: ${reason}`));
      platform.isBusy = true;
      const limited = new Promise((resolve) => agent.on('degraded', resolve));
      const starting = trackPromise(agent.start());
      await limited;
      await pass(clock, 30_000);
      expect(reports).toEqual(['degraded: rate-limited']);
      platform.isBusy = false;
      await clock.advanceUntil(() => starting.isSettled, { limitMs: 60_000 });
      await starting.promise;
      await pass(clock, 5_000);
      platform.isBusy = true;
      await pass(clock, 20_000);
      platform.isBusy = false;
      platform.arrive('after the limit');
      await clock.advanceUntil(() => handled.length > 0 && agent.health().ok, { limitMs: 120_000 });
      expect(reports).toEqual([
        'degraded: rate-limited',
        'recovered: rate-limited',
        'degraded: rate-limited',
        'recovered: rate-limited',
      ]);
      const warnings = log.lines.filter(({ level }) => level === 'warn' || level === 'error');
      expect(
        warnings.filter(({ message }) => !/limits the rate|can be re(?:ached|ad again)/.test(message)),
      ).toEqual([]);
      const feedReads = platform.requests.filter(({ path }) => path.includes('/activity'));
      expect(feedReads.length).toBeLessThan(60);
    });
  }

  verifies('reference.quick-reads', async () => {
    const reference = await startReference(environment);
    const { clock, platform } = reference;
    const { agent, handled } = agentOn(environment, reference, { delivery: 'auto' });
    const readsWithin = async (ms: number) => {
      const reads = () => platform.requests.filter(({ path }) => path.includes('/activity')).length;
      const before = reads();
      await pass(clock, ms);
      return reads() - before;
    };
    await agent.start();
    expect(await readsWithin(30_000)).toBeLessThanOrEqual(10);
    platform.arrive('a question');
    await clock.advanceUntil(() => handled.length > 0, { limitMs: 10_000 });
    expect(await readsWithin(25_000)).toBeGreaterThanOrEqual(20);
    await pass(clock, 10_000);
    expect(await readsWithin(30_000)).toBeLessThanOrEqual(10);
  });

  for (const [generation, title] of ofEach('what is sent')) {
    verifies('reference.nothing-unknown-is-sent', title, async () => {
      const reference = await startReference(environment, generation);
      const { clock, platform } = reference;
      const abandoned = new AbortController();
      platform.routes.set(`POST /workspaces/${PEER}/a2a`, () => {
        abandoned.abort(new Error('not needed any more'));
        return { kind: 'never' };
      });
      const failures: unknown[] = [];
      const reportedUrl = generation === 'april-2026' ? 'https://agent.example/a2a' : undefined;
      const client = environment.client(platform, MEMBER, { connection: { clock }, reportedUrl });
      const agent = createRemoteAgent({
        client,
        delivery: generation === 'april-2026' ? 'long-poll' : 'auto',
        presence: { onConflict: 'takeover' },
        onMessage: async () => {
          const call = client.callPeer(PEER, 'aborted', { signal: abandoned.signal });
          failures.push(await call.catch((error: unknown) => error));
          await clock.sleep(60_000);
          return { text: 'the answer', questions: [{ kind: 'text', from: 'sender', text: 'And you?' }] };
        },
        onAnswer: () => null,
      });
      environment.onCleanup(() => stopOnClock(clock, agent));
      await agent.start();
      platform.arrive('takes a minute');
      await clock.advanceUntil(() => failures.length > 0, { limitMs: 60_000 });
      expect(failures).toEqual([abandoned.signal.reason]);
      await pass(clock, 90_000);
      for (const refused of [
        client.cancelTask('m-1'),
        clientPort(client).fetchCancellations(),
        client.listMessages(),
        client.callPeer(PEER, 'an answer', { answers: [{ questionId: 'q-1' }] }),
      ]) {
        await expect(refused).rejects.toMatchObject({ code: 'not_supported' });
      }
      await stopOnClock(clock, agent);
      const [, ...requests] = platform.requests;
      expect(platform.shown).toEqual(['the answer\nAnd you?']);
      const lines = requests.map(({ method, path, text }) => `${method} ${path} ${text}`);
      const unknown = /goodbye|only=control|tasks\/cancel|\/messages|questions|\/progress|outcomes|view=/i;
      expect(lines.filter((line) => unknown.test(line))).toEqual([]);
      const names = requests.flatMap(({ headers }) => Object.keys(headers));
      expect(names.filter((name) => /instance|takeover/.test(name))).toEqual([]);
    });
  }

  for (const [generation, title] of ofEach('a slow agent')) {
    verifies('client.delivered-unknown', title, async () => {
      const { clock, platform } = await startReference(environment, generation);
      const client = environment.client(platform, MEMBER, { connection: { clock } });
      await client.heartbeat();
      const line = `POST /workspaces/${PEER}/a2a`;
      platform.next.set(line, [{ kind: 'never' }]);
      const startedAt = clock.now();
      const options = { timeoutMs: 12_000, messageId: 'slow-1' };
      const call = trackPromise(client.callPeer(PEER, 'slow', options).catch((error: unknown) => error));
      await clock.advanceUntil(() => call.isSettled, { stepMs: 500, limitMs: 60_000 });
      expect(clock.now() - startedAt).toBe(12_000);
      const failed = { code: 'timed_out', delivered: 'unknown', messageId: 'slow-1', timeoutMs: 12_000 };
      expect(await call.promise).toMatchObject(failed);
      const sent = platform.requests.filter(({ path }) => path === `/workspaces/${PEER}/a2a`);
      expect(sent.map(({ headers }) => headers['x-timeout'])).toEqual(['9']);
    });

    verifies('reference.paused-or-removed', title.replace('a slow agent', 'a removal'), async () => {
      const reference = await startReference(environment, generation);
      const { agent } = agentOn(environment, reference);
      await agent.start();
      reference.platform.removed = MEMBER.id;
      const closed = trackPromise(agent.closed);
      await reference.clock.advanceUntil(() => closed.isSettled, { limitMs: 120_000 });
      expect(await closed.promise).toBe('removed');
      expect(agent.state).toBe('stopped');
    });

    verifies('reference.paused-or-removed', title.replace('a slow agent', 'a pause'), async () => {
      const reference = await startReference(environment, generation);
      const { clock, platform } = reference;
      const { agent, handled } = agentOn(environment, reference);
      await agent.start();
      platform.isPaused = true;
      await clock.advanceUntil(() => agent.state === 'paused', { limitMs: 60_000 });
      platform.arrive('while it is paused');
      platform.next.set(`GET /workspaces/${MEMBER.id}/state`, [
        { kind: 'json', status: 500, body: { error: 'auth check failed' } },
        { kind: 'json', status: 429, body: { error: 'rate limit exceeded', retry_after: 12 } },
      ]);
      await pass(clock, 120_000);
      expect([agent.state, handled]).toEqual(['paused', []]);
      platform.isPaused = false;
      await clock.advanceUntil(() => handled.length > 0, { limitMs: 60_000 });
      expect([agent.state, handled]).toEqual(['running', ['while it is paused']]);
    });
  }

  verifies('reference.nothing-unknown-is-sent', 'rows', async () => {
    const reference = await startReference(environment);
    reference.platform.arrive('a message', { from: PEER });
    const { agent, handled } = agentOn(environment, reference);
    await agent.start();
    await reference.clock.advanceUntil(() => handled.length > 0, { limitMs: 60_000 });
    const reads = reference.platform.requests.filter(({ method, path }) =>
      `${method} ${path}`.startsWith(FEED),
    );
    expect(reads.filter(({ path }) => path.includes('view='))).toEqual([]);
    expect(handled).toEqual(['a message']);
  });

  verifies('reference.polling-refused', async () => {
    const reference = await startReference(environment, 'april-2026');
    const { agent } = agentOn(environment, reference, { reportedUrl: undefined });
    await expect(agent.start()).rejects.toMatchObject({
      code: 'request_rejected',
      status: 400,
      hint: expect.stringContaining('set reportedUrl to a public URL'),
    });
    const withUrl = agentOn(environment, reference);
    await withUrl.agent.start();
    reference.platform.arrive('polled nevertheless');
    await reference.clock.advanceUntil(() => withUrl.handled.length > 0, { limitMs: 60_000 });
  });
});
