import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runBin } from '../test/bin.ts';
import { runCommand } from '../test/command-line.ts';
import { openFolder } from '../test/resources-of-test.ts';
import { createPlatform } from './index.ts';

const asImport = (program: string) => `--import=data:text/javascript,${encodeURIComponent(program)}`;

// Processes start slowly on a busy machine.
describe('the bin', { timeout: 60_000 }, () => {
  it('runs until a signal with little memory for new objects, and is alone in its data folder', async () => {
    const load = `
      import v8 from 'node:v8';
      process.on('SIGUSR2', async () => {
        let kept = [];
        for (let n = 0; n < 500_000; n += 1) {
          kept.push({ n, text: 'text ' + n });
          if (kept.length > 100_000) kept = [];
          if (n % 20_000 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        const { space_size: size } = v8.getHeapSpaceStatistics().find((each) => each.space_name === 'new_space');
        process.stdout.write('size ' + size + '\\n');
      });`;
    const args = ['--dev', '--data-dir', openFolder(), '--port', '0', '--json'];
    const { child, output, firstLine, exited } = runBin(args, { NODE_OPTIONS: asImport(load) });
    const { url, operatorKey } = JSON.parse(await firstLine);
    const headers = { authorization: `Bearer ${operatorKey}` };
    expect((await fetch(`${url}/workspaces`, { headers })).status).toBe(200);
    child.kill('SIGUSR2');
    while (!/size \d+/.test(output.out)) await once(child.stdout, 'data');
    // Without the setting of the bin it grows to 64 MB here, and in the end to 128 MB.
    expect(Number(/size (\d+)/.exec(output.out)?.[1])).toBeLessThan(40 * 1024 * 1024);

    const second = runBin(args);
    expect(await second.exited).toBe(1);
    expect([second.output.out, second.output.err.trimEnd().split('\n')]).toEqual([
      '',
      [expect.stringMatching(/^Another platform is using the data folder/), expect.stringMatching(/^Stop/)],
    ]);

    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    for (const line of output.err.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('message');
    expect(output.err).not.toContain(operatorKey);
  });

  it('cancels a command that gets a signal', async () => {
    const folder = openFolder();
    const dataDir = join(folder, 'data');
    await (
      await createPlatform({
        mode: 'dev',
        server: { port: 0 },
        data: { directory: dataDir, synchronous: 'normal' },
      })
    ).close();
    const interrupt = `
      const wait = () => {
        if (process.listenerCount('SIGINT') > 0) process.kill(process.pid, 'SIGINT');
        else setImmediate(wait);
      };
      wait();`;
    const args = ['backup', join(folder, 'backup.db'), '--data-dir', dataDir];
    const { exited, output } = runBin(args, { NODE_OPTIONS: asImport(interrupt) });
    expect(await exited).toBe(1);
    expect(output).toEqual({
      out: '',
      err: 'The backup was canceled; nothing was written.\nRun it again.\n',
    });
    expect(readdirSync(folder)).toEqual(['data']);
  });
});

describe('the banner', () => {
  it('of dev mode has the operator key and its file', async () => {
    const dataDir = openFolder();
    const args = ['--dev', '--data-dir', dataDir, '--port', '0', '--log-level', 'silent'];
    const { code, out, err } = await runCommand(args);
    expect([code, err]).toEqual([null, '']);
    expect(out).toMatch(/URL +http:\/\/127\.0\.0\.1:\d+\n/);
    expect(out).toContain(`Stored in      ${join(dataDir, 'operator-key')}\n`);
  });

  it('of production does not have the key, but that the platform listens on all interfaces', async () => {
    const environment = { ADMIN_TOKEN: 'a-very-secret-operator-key', SECRETS_ENCRYPTION_KEY: 'k'.repeat(32) };
    const args = ['--memory', '--port', '0', '--host', '0.0.0.0'];
    const { code, out, err } = await runCommand(args, { environment });
    expect(code).toBeNull();
    expect(out).toContain('all interfaces (0.0.0.0)');
    expect(out + err).not.toContain('very-secret');
  });
});
