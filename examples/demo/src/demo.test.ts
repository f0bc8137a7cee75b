import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, type TestContext, vi } from 'vitest';

const program = fileURLToPath(new URL('../dist/main.js', import.meta.url));

// Six processes each: more of them at once take as long in all, and each of them longer.
vi.setConfig({ maxConcurrency: 3 });

describe.concurrent('the demo', { timeout: 90_000 }, () => {
  it('keeps every promise and leaves nothing behind', async (test) => {
    const run = await runDemo(test);
    expect(run.broken).toEqual([]);
    expect(run.checks).toContain('once');
    expect(run.code).toBe(0);
    expect(await run.leftovers()).toEqual([]);
  });

  it.for([
    ['drop-reply', 'answered'],
    ['double', 'once'],
    ['no-server', 'direct'],
    ['at-once', 'streamed'],
    ['push-only', 'long-polled'],
    ['no-wrap', 'wrapped'],
    ['hide-failure', 'gave-up'],
    ['obey-peer', 'undecided'],
    ['keep-alive', 'removed'],
  ])(
    '--break=%s breaks the promise "%s", reports it, and leaves nothing behind',
    async ([name, promise], test) => {
      const run = await runDemo(test, `--break=${name}`);
      expect(run.broken).toContain(promise);
      expect(run.broken).not.toContain('clean');
      expect(run.code).toBe(1);
      expect(await run.leftovers()).toEqual([]);
    },
  );

  it('clears up when it is interrupted half-way', async (test) => {
    const run = await runDemo(test, '', { interruptAfter: 'Can we ship' });
    expect(run.checks).toEqual([]);
    expect(run.code).toBe(130);
    expect(await run.leftovers()).toEqual([]);
  });

  it('keeps everything running until it is interrupted, when asked to', async (test) => {
    const run = await runDemo(test, '--keep', { interruptAfter: 'Everything keeps running' });
    expect(run.broken).toEqual([]);
    expect(run.code).toBe(0);
    expect(await run.leftovers()).toEqual([]);
  });
});

interface Run {
  readonly code: number | null;
  readonly checks: readonly string[];
  readonly broken: readonly string[];
  /** Processes of the run that still live, and files in its temporary folder. */
  readonly leftovers: () => Promise<string[]>;
}

async function runDemo(
  test: TestContext,
  argument = '',
  options: { interruptAfter?: string } = {},
): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), 'molecule-demo-test-'));
  test.onTestFinished(() => rm(folder, { recursive: true, force: true }));
  // Detached: the demo and all it starts are one process group, which can be asked for afterwards.
  const demo = spawn(process.execPath, [program, '--json', ...(argument === '' ? [] : [argument])], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  demo.stdout.on('data', (chunk: Buffer) => {
    if (options.interruptAfter !== undefined && chunk.includes(options.interruptAfter)) demo.kill('SIGINT');
  });
  const ended = new Promise<number | null>((resolve) => demo.once('close', resolve));
  const lines = (await text(demo.stdout)).trim().split('\n');
  const code = await ended;
  const verdicts = lines.map((line) => JSON.parse(line)).filter((line) => 'check' in line);
  return {
    code,
    checks: verdicts.map(({ check }) => check),
    broken: verdicts.filter(({ holds }) => !holds).map(({ check }) => check),
    leftovers: async () => [...(isGroupAlive(demo.pid) ? ['a process'] : []), ...(await readdir(folder))],
  };
}

function isGroupAlive(leader: number | undefined): boolean {
  try {
    return leader !== undefined && process.kill(-leader, 0);
  } catch {
    return false;
  }
}
