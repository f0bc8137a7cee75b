import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { AgentClientDouble, agentStage, runningAgent } from '../../test/agent-stage.ts';
import type { ReadInboundOptions } from '../client/inbound-page.ts';
import { ApiError } from '../errors/api-error.ts';
import { createInboundHandler } from '../inbound-http/inbound-handler.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'instance-'));
  folders.push(folder);
  return folder;
}

function inUse(superseded: boolean): ApiError {
  return new ApiError('another running agent reads', {
    status: 409,
    code: 'conflict',
    platformCode: 'identity_in_use',
    method: 'GET',
    path: '/workspaces/1/activity',
    details: { superseded, retry_after: 45 },
    retryAfterMs: 45_000,
  });
}

/** Refuses each read of an instance until it is switched off. */
function refusal(superseded = false) {
  const switched = { isOn: true };
  const onRead = (): void => {
    if (switched.isOn) throw inUse(superseded);
  };
  return { switched, onRead };
}

describe('the identity of an agent', () => {
  it('is one name for registers, heartbeats, reads and the goodbye', async () => {
    const { agent, client } = await runningAgent();
    const [first] = client.reads;
    expect(first?.instanceId).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Set(client.instances)).toEqual(new Set([first?.instanceId]));
    await agent.stop();
    expect(client.goodbyes).toEqual([first?.instanceId]);
    expect(client.clock.pending).toBe(0);
  });

  it('stays the same in one folder, private, and differs between agents without one', async () => {
    const folder = await newFolder();
    const idOfRun = async (store: undefined | 'memory') => {
      const stage = agentStage(
        store === undefined ? { store: undefined } : {},
        new AgentClientDouble(folder),
      );
      await stage.agent.start();
      await stage.client.flushPromises();
      await stage.agent.stop();
      return stage.client.reads[0]?.instanceId;
    };
    const first = await idOfRun(undefined);
    expect(await idOfRun(undefined)).toBe(first);
    expect((await readFile(join(folder, 'instance'), 'utf8')).trim()).toBe(first);
    expect((await stat(join(folder, 'instance'))).mode & 0o777).toBe(0o600);
    expect(new Set([first, await idOfRun('memory'), await idOfRun('memory')]).size).toBe(3);
  });

  it('in use: waits, says so, and receives as soon as the other one ended', async () => {
    const client = new AgentClientDouble();
    const { switched, onRead } = refusal();
    client.onRead = onRead;
    const { agent, events } = agentStage({}, client);
    await agent.start();
    await client.deliver('m1');
    await client.clock.advance(300_000);
    expect(agent.health()).toMatchObject({
      state: 'running',
      ok: false,
      degradedReasons: ['identity-in-use'],
    });
    expect(events).toEqual(['degraded identity-in-use']);
    expect(client.reads.some(({ takeover }) => takeover === true)).toBe(false);
    switched.isOn = false;
    await client.clock.advance(5_000);
    await client.flushPromises();
    expect(client.replies).toEqual(['m1: echo m1']);
    expect(agent.health()).toMatchObject({ ok: true, degradedReasons: [] });
    await agent.stop();
    expect(client.clock.pending).toBe(0);
  });

  it('in use: no longer counts when the platform pushes the messages', async () => {
    const client = new AgentClientDouble();
    client.reportedUrl = 'https://agent.test/';
    client.capabilities = new Set(['acknowledge', 'probe']);
    client.probes = [
      { isReachable: false, reason: 'connection_refused' },
      { isReachable: true, reason: null },
    ];
    client.onRead = refusal().onRead;
    const { agent, events } = agentStage({}, client);
    createInboundHandler(agent);
    await agent.start();
    await client.flushPromises();
    expect(agent.health().degradedReasons).toEqual(['identity-in-use']);
    await client.clock.advance(15_000);
    expect(agent.health()).toMatchObject({ delivery: 'push', ok: true, degradedReasons: [] });
    expect(events).toContain('recovered identity-in-use');
    await agent.stop();
  });

  it('in use: a stop ends the wait', async () => {
    const client = new AgentClientDouble();
    client.onRead = refusal().onRead;
    const { agent } = agentStage({}, client);
    await agent.start();
    await client.flushPromises();
    await agent.stop();
    expect([await agent.closed, client.clock.pending]).toEqual(['stopped', 0]);
  });

  it('in use: takes over with one read if configured', async () => {
    const client = new AgentClientDouble();
    const reads: boolean[] = [];
    let isHeld = false;
    client.onRead = ({ takeover = false }: ReadInboundOptions) => {
      reads.push(takeover);
      isHeld ||= takeover;
      if (!isHeld) throw inUse(false);
    };
    const { agent, events } = agentStage({ onConflict: 'takeover' }, client);
    await agent.start();
    await client.deliver('m1');
    await client.deliver('m2');
    expect(client.replies).toEqual(['m1: echo m1', 'm2: echo m2']);
    expect(reads.slice(0, 2)).toEqual([false, true]);
    expect(reads.slice(2)).not.toContain(true);
    expect(events).not.toContain('degraded identity-in-use');
    await agent.stop();
  });

  it('in use: fails the start if configured', async () => {
    const client = new AgentClientDouble();
    client.onRead = refusal().onRead;
    const { agent } = agentStage({ onConflict: 'fail' }, client);
    await expect(agent.start()).rejects.toMatchObject({ code: 'workspace_in_use' });
    expect([await agent.closed, agent.state, client.clock.pending]).toEqual(['superseded', 'stopped', 0]);
    expect(client.goodbyes).toEqual([]);
  });

  it.each(['wait', 'takeover', 'fail'] as const)(
    'taken over: the agent ends, with onConflict %s',
    async (onConflict) => {
      const folder = await newFolder();
      const client = new AgentClientDouble(folder);
      const { agent, events } = agentStage({ store: undefined, onConflict }, client);
      await agent.start();
      await client.flushPromises();
      const before = client.reads[0]?.instanceId;
      client.onRead = refusal(true).onRead;
      await client.clock.advance(30_000);
      expect(await agent.closed).toBe('superseded');
      expect(events.slice(-2)).toEqual(['superseded', 'stopped superseded']);
      expect([client.goodbyes, client.clock.pending]).toEqual([[], 0]);
      const next = agentStage({ store: undefined }, new AgentClientDouble(folder));
      await next.agent.start();
      await next.client.flushPromises();
      expect(next.client.reads[0]?.instanceId).not.toBe(before);
      await next.agent.stop();
    },
  );

  it('refuses another word', () => {
    expect(() => agentStage({ onConflict: 'steal' as never })).toThrow(/onConflict must be/);
  });
});
