import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runBin as run } from '../test/bin.ts';
import { openFolder } from '../test/resources-of-test.ts';

describe('molecule-platform', () => {
  it('writes URL and operator key first with --json, logs JSON, and stops cleanly', async () => {
    const started = run(['--dev', '--memory', '--port', '0', '--json']);
    const { url, operatorKey } = JSON.parse(await started.firstLine);
    const headers = { authorization: `Bearer ${operatorKey}` };
    expect((await fetch(`${url}/workspaces`, { headers })).status).toBe(200);
    started.child.kill('SIGTERM');
    expect(await started.exited).toBe(0);
    const { err } = started.output;
    for (const line of err.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('message');
    expect(err).not.toContain(operatorKey);
  });

  it('keeps the memory for new objects small under load, unless its size is set', async () => {
    const probe = `
      import v8 from 'node:v8';
      process.on('SIGUSR2', async () => {
        let kept = [];
        for (let n = 0; n < 2_000_000; n += 1) {
          kept.push({ n, text: 'text ' + n });
          if (kept.length > 100_000) kept = [];
          if (n % 20_000 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        const { space_size: size } = v8.getHeapSpaceStatistics().find((each) => each.space_name === 'new_space');
        process.stdout.write('size ' + size + '\\n');
      });`;
    const load = `--import=data:text/javascript,${encodeURIComponent(probe)}`;
    const sizeWith = async (options: string) => {
      const args = ['--dev', '--memory', '--port', '0', '--json', '--log-level', 'silent'];
      const { child, firstLine, output, exited } = run(args, { NODE_OPTIONS: `${load} ${options}` });
      await firstLine;
      child.kill('SIGUSR2');
      while (!/size \d+/.test(output.out)) await once(child.stdout, 'data');
      child.kill('SIGTERM');
      await exited;
      return Number(/size (\d+)/.exec(output.out)?.[1]);
    };
    const MB = 1024 * 1024;
    expect(await sizeWith('')).toBeLessThan(40 * MB);
    expect(await sizeWith('--max-semi-space-size=64')).toBeGreaterThan(60 * MB);
  }, 60_000);

  it('prints a banner with the file of the operator key', async () => {
    const dataDir = openFolder();
    const started = run(['--dev', '--data-dir', dataDir, '--port', '0', '--log-level', 'silent']);
    await started.firstLine;
    started.child.kill('SIGINT');
    expect(await started.exited).toBe(0);
    expect(started.output.out).toMatch(/http:\/\/127\.0\.0\.1:\d+/);
    expect(started.output.out).toContain(join(dataDir, 'operator-key'));
    expect(started.output.err).toBe('');
  });

  it('does not start in production without its keys: exit code 2 and both names', async () => {
    const refused = run(['--memory', '--port', '0']);
    expect(await refused.exited).toBe(2);
    expect(refused.output.err).toContain('ADMIN_TOKEN');
    expect(refused.output.err).toContain('SECRETS_ENCRYPTION_KEY');
    expect(refused.output.err).toContain('--dev');
    expect(refused.output.out).toBe('');
  });

  it('does not print the key of production, but that it listens on all interfaces', async () => {
    const environment = { ADMIN_TOKEN: 'a-very-secret-operator-key', SECRETS_ENCRYPTION_KEY: 'k'.repeat(32) };
    const started = run(['--memory', '--port', '0', '--host', '0.0.0.0'], environment);
    await started.firstLine;
    started.child.kill('SIGTERM');
    expect(await started.exited).toBe(0);
    expect(started.output.out).toContain('all interfaces (0.0.0.0)');
    expect(started.output.out + started.output.err).not.toContain('very-secret');
  });

  it('distinguishes invalid options from a port in use', async () => {
    const started = run(['--dev', '--memory', '--port', '0', '--json']);
    const { port } = new URL(JSON.parse(await started.firstLine).url);
    const taken = run(['--dev', '--memory', '--port', port]);
    const wrong = run(['--dev', '--port', 'eighty']);
    const outside = run(['--dev', '--memory', '--host', '0.0.0.0']);
    expect([await taken.exited, await wrong.exited, await outside.exited]).toEqual([1, 2, 2]);
    expect(taken.output.err).toContain(`Port ${port}`);
    expect(taken.output.err).toContain('choose another port (PORT, --port)');
    expect(outside.output.err).toContain('host (HOST, --host)');
    expect(outside.output.err).toContain('production mode');
  });

  it('releases the data folder even when killed', async () => {
    const dataDir = openFolder();
    const args = ['--dev', '--data-dir', dataDir, '--port', '0', '--json'];
    const first = run(args);
    await first.firstLine;
    const second = run(args);
    expect(await second.exited).toBe(1);
    expect(second.output.err).toContain('data folder');
    first.child.kill('SIGKILL');
    await first.exited;
    const third = run(args);
    expect(JSON.parse(await third.firstLine)).toHaveProperty('url');
  });

  it('writes an error that nothing expects in one line, and its stack only for debugging', async () => {
    const failing = `
      const { Server } = process.getBuiltinModule('node:net');
      Server.prototype.listen = () => {
        throw new Error('out of\\nluck');
      };`;
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(failing)}`;
    const start = async (...args: string[]) => {
      const { exited, output } = run(['--dev', '--memory', '--port', '0', ...args], { NODE_OPTIONS });
      return { code: await exited, err: output.err };
    };
    expect(await start()).toEqual({
      code: 1,
      err: 'Unexpected error: out of luck\nRun it again with --log-level debug to see where it happens.\n',
    });
    expect(await start('--log-level', 'debug')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/Unexpected error: Error: out of\nluck\n +at /),
    });
  }, 30_000);
});
