import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openAgent, openFolder } from '../../test/resources-of-test.ts';
import { ADMIN_TOKEN, drive, type RunningPlatform, startPlatform } from '../../test/running-platform.ts';
import { answerText, eventually, say } from '../../test/scripted-agent.ts';
import type { Platform } from '../index.ts';

const options = (dataDir: string) => ({
  mode: 'production' as const,
  dataDir,
  port: 0,
  adminToken: ADMIN_TOKEN,
  secretsEncryptionKey: 'k'.repeat(32),
  allowAgentNetworks: ['127.0.0.0/8'],
});

/** A platform in a separate process, which can be killed. */
async function startInChild(dataDir: string): Promise<{ running: RunningPlatform; child: ChildProcess }> {
  const entry = new URL('../index.ts', import.meta.url).href;
  const script = `
    const { createPlatform } = await import(${JSON.stringify(entry)});
    const platform = await createPlatform(${JSON.stringify(options(dataDir))});
    process.stdout.write(platform.url + '\\n');
  `;
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = await once(child.stdout, 'data');
  const platform = { url: String(line).trim(), operatorKey: ADMIN_TOKEN } as Platform;
  return { running: drive(platform), child };
}

describe('a platform killed during a push', () => {
  it('has stored the accepted message, and pushes it again right after the restart', async () => {
    const dataDir = openFolder();
    const agent = await openAgent((call) => {
      if (agent.calls.length > 1) answerText(call, 'after all');
    });
    const { running, child } = await startInChild(dataDir);
    const asker = await running.join({ name: 'asker' });
    const target = await running.join({ name: 'target', url: `${agent.url}/rpc` });
    const accepted = await running.call('POST', `/workspaces/${target.id}/a2a`, {
      token: asker.token,
      body: say('survive', 'killed-1'),
      headers: { 'x-timeout': '0' },
    });
    expect(accepted.status).toBe(202);
    await agent.called(1);
    child.kill('SIGKILL');
    await once(child, 'exit');

    const second = await startPlatform({ ...options(dataDir), memory: false });
    onTestFinished(() => second.platform.close());
    const again = await agent.called(2);
    expect(again.body.params.message.messageId).toBe('killed-1');
    const feed = `/workspaces/${asker.id}/activity?unacknowledged=true`;
    const row = await eventually(
      async () => (await second.call('GET', feed, { token: asker.token })).body[0],
    );
    expect(row).toMatchObject({
      in_reply_to: 'killed-1',
      data: { text: expect.stringContaining('after all') },
    });
  });
});

describe('a lease of another machine', () => {
  it('is valid until it expires', async () => {
    const dataDir = openFolder();
    const agent = await openAgent((call) => answerText(call, 'mine now'));
    const first = await startPlatform({ ...options(dataDir), memory: false });
    const asker = await first.join({ name: 'asker' });
    const target = await first.create({ name: 'target', url: `${agent.url}/rpc` });
    await first.call('POST', `/workspaces/${target.id}/a2a`, {
      token: asker.token,
      body: say('x', 'leased-1'),
    });
    await first.platform.close();
    const file = new DatabaseSync(join(dataDir, 'platform.db'));
    const until = new Date(Date.now() + 400).toISOString();
    file.exec(
      `update activity set delivery_state = 'leased', lease_owner = 'elsewhere:1:x', lease_until = '${until}'`,
    );
    file.exec(`update workspaces set status = 'online'`);
    file.close();
    const second = await startPlatform({ ...options(dataDir), memory: false, drainEveryMs: 50 });
    onTestFinished(() => second.platform.close());
    await agent.called(1);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until));
  });
});
