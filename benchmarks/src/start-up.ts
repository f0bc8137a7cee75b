import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { platformBin } from '@molecule-tests/harness';
import type { Figure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { median } from './statistics.ts';

const IMPORT_TARGET_MS = 100;
const START_TARGET_MS = 300;

/**
 * Measures start-up times: of Node with core imported, as an ES module and as CommonJS, compared with Node alone, and of
 * the platform until the first response of `/health`. The first start fills the platform's compile cache and is not
 * measured.
 */
export async function benchStartUp({ starts }: BenchmarkOptions): Promise<Figure[]> {
  const bare: number[] = [];
  const imported: number[] = [];
  const required: number[] = [];
  const platform: number[] = [];
  const home = mkdtempSync(join(tmpdir(), 'molecule-bench-'));
  try {
    await timePlatform(home);
    for (let round = 0; round < starts; round += 1) {
      bare.push(timeNode('module', ''));
      imported.push(timeNode('module', `import '@molecule-ai/core';`));
      required.push(timeNode('commonjs', `require('@molecule-ai/core');`));
      platform.push(await timePlatform(home));
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  const bareMs = median(bare);
  return [
    importFigure('import of core', median(imported), bareMs),
    importFigure('require of core', median(required), bareMs),
    {
      name: 'platform, start to first /health',
      value: `${median(platform).toFixed(0)} ms (bare Node ${bareMs.toFixed(0)} ms)`,
      target: `below ${START_TARGET_MS} ms on an idle machine`,
      met: median(platform) < START_TARGET_MS,
    },
  ];
}

function importFigure(name: string, ms: number, bareMs: number): Figure {
  return {
    name,
    value: `${(ms - bareMs).toFixed(0)} ms above bare Node (${ms.toFixed(0)} : ${bareMs.toFixed(0)} ms, ${(ms / bareMs).toFixed(1)} times)`,
    target: `at most ${IMPORT_TARGET_MS} ms above`,
    met: ms - bareMs <= IMPORT_TARGET_MS,
  };
}

/** Runs a script in a Node process and returns its run time, in milliseconds. */
function timeNode(type: 'module' | 'commonjs', script: string): number {
  const start = performance.now();
  execFileSync(process.execPath, [`--input-type=${type}`, '-e', script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return performance.now() - start;
}

/**
 * Returns the time until the first response, in milliseconds, of a platform that is started as users do. Each start has new data; `home`
 * contains the compile cache.
 */
async function timePlatform(home: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'molecule-bench-'));
  const start = performance.now();
  const given = ['--dev', '--json', '--port', '0', '--data-dir', join(folder, 'data')];
  const platform = spawn(process.execPath, [platformBin(), ...given], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: process.env.PATH, HOME: home },
  });
  const exit = once(platform, 'exit');
  try {
    const [line] = await once(createInterface(platform.stdout), 'line');
    const { url } = JSON.parse(line) as { url: string };
    const response = await fetch(`${url}/health`);
    await response.text();
    return performance.now() - start;
  } finally {
    platform.kill();
    await exit;
    rmSync(folder, { recursive: true, force: true });
  }
}
