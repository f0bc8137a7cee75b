import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentClientDouble, type AgentStage, agentStage } from '../../test/agent-stage.ts';
import { until } from '../../test/inbound-stage.ts';
import { hanging, refusing } from '../../test/presence-double.ts';
import { recordingLogger } from '../testing/recording-logger.ts';
import { systemClock } from '../time/clock.ts';
import { lockWorkspace } from './file-lock.ts';
import { processStart } from './process-identity.ts';

let folder = '';
const lockPath = (): string => join(folder, 'agent.lock');
const onDisk = () => agentStage({ store: undefined }, new AgentClientDouble(folder));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'workspace-'));
});

afterEach(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

/** Ends an agent that reads. */
async function stop({ agent, client }: Pick<AgentStage, 'agent' | 'client'>): Promise<void> {
  const stopping = agent.stop();
  await until(async () => {
    await client.clock.advance(5_000);
    return agent.state === 'stopped';
  });
  await stopping;
}

describe('the workspace lock', () => {
  it('of another host is taken over when it is not refreshed: a container moved to another host can start', async () => {
    await writeFile(lockPath(), `1 another-host mark`);
    const silentSince = new Date(Date.now() - 10 * 60_000);
    await utimes(lockPath(), silentSince, silentSince);
    const stage = onDisk();
    const { agent } = stage;
    await agent.start();
    expect(agent.state).toBe('running');
    await stop(stage);
  });

  it('is refreshed while it is held', async () => {
    const { client, agent } = onDisk();
    await agent.start();
    for (const _time of ['once', 'and again']) {
      const before = new Date(Date.now() - 10 * 60_000);
      await utimes(lockPath(), before, before);
      await client.clock.advance(60_000);
      await until(async () => Date.now() - (await stat(lockPath())).mtimeMs < 60_000);
    }
    await agent.stop();
    expect(client.clock.pending).toBe(0);
  });

  it.runIf(process.platform === 'linux')('of a process whose id another one got is taken over', async () => {
    await writeFile(lockPath(), `${process.ppid} ${hostname()} mark another-boot:1`);
    const stage = onDisk();
    const { agent } = stage;
    await agent.start();
    expect(agent.state).toBe('running');
    await stop(stage);
  });

  it.runIf(process.platform === 'linux')(
    'of a killed process that nobody has reaped is taken over',
    async () => {
      // The inner shell ends; its parent becomes `sleep`, which never waits for it.
      const parent = spawn('sh', ['-c', 'sh -c "echo \\$\\$" & exec sleep 600'], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      try {
        const pid = String(await once(parent.stdout, 'data')).trim();
        await until(async () => / Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8')));
        await writeFile(lockPath(), `${pid} ${hostname()} mark ${await processStart(Number(pid))}`);
        const stage = onDisk();
        const { agent } = stage;
        await agent.start();
        expect(agent.state).toBe('running');
        await stop(stage);
      } finally {
        parent.kill();
      }
    },
  );

  it('is taken with the removal of what killed processes left in the folder', async () => {
    const ended = spawnSync(process.execPath, ['-e', '']).pid;
    const name = (pid: number) => `.inbound.jsonl.${pid}.${randomUUID()}.tmp`;
    const [left, inUse, other] = [name(ended), name(process.ppid), 'notes.tmp'];
    for (const each of [left, inUse, other]) await writeFile(join(folder, each), 'part');
    const stage = onDisk();
    const { agent } = stage;
    await agent.start();
    const names = await readdir(folder);
    expect(names).not.toContain(left);
    expect(names).toEqual(expect.arrayContaining([inUse, other]));
    await stop(stage);
  });

  it('of a running process with the same start time is valid', async () => {
    const start = await processStart(process.ppid);
    await writeFile(lockPath(), `${process.ppid} ${hostname()} mark ${start}`);
    await expect(onDisk().agent.start()).rejects.toMatchObject({ code: 'workspace_in_use' });
  });

  it.each([
    ['a dead process', () => `${spawnSync(process.execPath, ['-e', '']).pid} ${hostname()} mark`],
    ['an earlier process with our id', () => `${process.pid} ${hostname()} mark`],
    ['an empty file', () => ''],
    ['no process', () => `0 ${hostname()} mark`],
    ['something else', () => 'garbage'],
  ])('of %s is taken over', async (_name, mark) => {
    await writeFile(lockPath(), mark());
    const stage = onDisk();
    const { agent } = stage;
    await agent.start();
    expect(agent.state).toBe('running');
    await stop(stage);
    expect(await readdir(folder)).not.toContain('agent.lock');
  });

  it('is released when the start fails, and when stop is called during locking', async () => {
    const refused = onDisk();
    refused.client.onRegister = refusing(401, 'unauthorized');
    await expect(refused.agent.start()).rejects.toMatchObject({ code: 'unauthorized' });
    expect(await readdir(folder)).not.toContain('agent.lock');
    const hurried = onDisk();
    hurried.client.onRegister = hanging;
    const starting = expect(hurried.agent.start()).rejects.toMatchObject({ code: 'agent_stopped' });
    await hurried.agent.stop();
    await starting;
    expect(hurried.client.calls).toEqual([]);
    expect(await readdir(folder)).not.toContain('agent.lock');
  });

  it('does not release a lock that another process has taken over', async () => {
    const release = await lockWorkspace(folder, systemClock, recordingLogger());
    await writeFile(lockPath(), 'another process');
    await release();
    expect(await readFile(lockPath(), 'utf8')).toBe('another process');
  });
});
