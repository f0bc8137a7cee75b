import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { openFolder, openPlatform } from '../../test/resources-of-test.ts';
import type { RunningPlatform } from '../../test/running-platform.ts';
import { eventually } from '../../test/scripted-agent.ts';

type Joined = { readonly id: string; readonly token: string };

function driverOf({ call }: RunningPlatform, { id, token }: Joined) {
  const headersOf = (instance: string) => ({ 'x-molecule-instance': instance });
  return {
    read: (instance: string, options: { takeover?: boolean; wait?: number } = {}) =>
      call('GET', `/workspaces/${id}/activity?type=a2a_receive&wait=${options.wait ?? 0}`, {
        token,
        headers: { ...headersOf(instance), ...(options.takeover ? { 'x-molecule-takeover': '1' } : {}) },
      }),
    beat: (instance: string) =>
      call('POST', '/registry/heartbeat', {
        token,
        body: { workspace_id: id },
        headers: headersOf(instance),
      }),
    goodbye: (instance: string) =>
      call('POST', '/registry/goodbye', { token, body: { workspace_id: id, instance_id: instance } }),
  };
}

async function joined(options: object = {}) {
  const clock = new ManualClock();
  const running = await openPlatform({ clock, limits: { rateLimit: 1_000_000 }, ...options });
  const member = await running.join();
  return { clock, running, member, ...driverOf(running, member) };
}

const inUse = { status: 409, body: { code: 'identity_in_use', superseded: false } };
const superseded = { status: 409, body: { code: 'identity_in_use', superseded: true } };

describe('the identity of a reader', () => {
  it('belongs to the first that reads; a second one learns how long to wait', async () => {
    const { clock, read } = await joined();
    expect((await read('a')).status).toBe(200);
    expect(await read('b')).toMatchObject({ ...inUse, headers: { 'retry-after': '45' } });
    clock.advance(15_000);
    expect((await read('b')).body).toMatchObject({ retry_after: 30 });
    expect((await read('a')).status).toBe(200);
  });

  it('expires 45 s after the last read or heartbeat, and the one that comes back is not superseded', async () => {
    const { clock, read, beat } = await joined();
    await read('a');
    clock.advance(44_000);
    await beat('a');
    await beat('b');
    clock.advance(44_000);
    expect(await read('b')).toMatchObject(inUse);
    clock.advance(1_000);
    expect((await read('b')).status).toBe(200);
    expect(await read('a')).toMatchObject(inUse);
  });

  it('is kept by a held read until it ends', async () => {
    const { clock, read, running } = await joined();
    const held = read('a', { wait: 60 });
    await eventually(async () => (await read('b')).status === 409);
    clock.advance(59_000);
    expect(await read('b')).toMatchObject(inUse);
    clock.advance(1_001);
    expect(await held).toMatchObject({ status: 200, body: [] });
    clock.advance(44_000);
    expect(await read('b')).toMatchObject(inUse);
    clock.advance(1_000);
    expect((await read('b')).status).toBe(200);
    expect((await running.call('GET', '/ready')).status).toBe(200);
  });

  it('can be held again by a superseded one when it is free', async () => {
    const { read, goodbye } = await joined();
    await read('a');
    await read('b', { takeover: true });
    await goodbye('b');
    expect((await read('a')).status).toBe(200);
    expect(await read('b')).toMatchObject(inUse);
  });

  it.each(['x'.repeat(201), 'two words'])('refuses the name %s', async (name) => {
    const { read } = await joined();
    expect(await read(name)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', field: 'x-molecule-instance' },
    });
  });

  it('is known after a restart of the platform, with one whole period to read', async () => {
    const dataDir = openFolder();
    const first = await joined({ data: { directory: dataDir } });
    await first.read('a');
    await first.read('b', { takeover: true });
    first.clock.advance(40_000);
    await first.running.platform.close();
    const clock = new ManualClock();
    const running = await openPlatform({ clock, data: { directory: dataDir } });
    const again = driverOf(running, first.member);
    clock.advance(40_000);
    expect(await again.read('a')).toMatchObject(superseded);
    expect((await again.read('b')).status).toBe(200);
    clock.advance(45_000);
    expect((await again.read('a')).status).toBe(200);
  });

  it('costs no statement while it does not change', async () => {
    const statements: string[] = [];
    const { read } = await joined({ data: { onQuery: (sql: string) => void statements.push(sql) } });
    await read('a');
    await read('b');
    statements.length = 0;
    for (let round = 0; round < 5; round += 1) await Promise.all([read('a'), read('b')]);
    expect(statements.filter((sql) => sql.includes('reader_identities'))).toEqual([]);
  });
});

describe('goodbye', () => {
  it('of one that does not hold the identity frees nothing, and may be repeated', async () => {
    const { read, goodbye } = await joined();
    await read('a');
    expect((await goodbye('b')).body).toMatchObject({ workspace_status: 'online' });
    expect(await read('b')).toMatchObject(inUse);
    expect((await goodbye('a')).status).toBe(200);
    expect((await goodbye('a')).status).toBe(200);
  });

  it('keeps a pause, and is accepted from the workspace itself only', async () => {
    const { running, member, goodbye } = await joined();
    const other = await running.join();
    await running.call('POST', `/workspaces/${member.id}/pause`);
    expect((await goodbye('a')).body).toMatchObject({ workspace_status: 'paused' });
    const body = { workspace_id: member.id, instance_id: 'a' };
    expect((await running.call('POST', '/registry/goodbye', { body })).status).toBe(401);
    const { token } = other;
    expect((await running.call('POST', '/registry/goodbye', { token, body })).status).toBe(401);
  });
});
