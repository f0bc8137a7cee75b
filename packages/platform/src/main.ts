#!/usr/bin/env node
import * as nodeModule from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { nodeRefusal } from './command-line/node-refusal.ts';

// This file imports nothing that an older Node cannot load, and little besides: a static import would be compiled
// before the compile cache is on.
const refusal = nodeRefusal(process.versions.node);
if (refusal === undefined) await run();
else {
  process.stderr.write(`${refusal}\n`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  enableCompileCache();
  // A closed pipe, such as `| head`, must not end the process.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});

  const cancellation = new AbortController();
  const { runCommandLine } = await import('./command-line/run.ts');
  const output = {
    out: (text: string) => void process.stdout.write(text),
    err: (text: string) => void process.stderr.write(text),
  };
  const running = runCommandLine(process.argv.slice(2), output, cancellation.signal);

  let isStopping = false;
  const stop = async () => {
    if (isStopping) process.exit(1);
    isStopping = true;
    cancellation.abort();
    const outcome = await running;
    if (!('platform' in outcome)) return;
    await outcome.platform.close();
    process.exit(0);
  };
  const onSignal = () => void stop().catch(() => process.exit(1));
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);

  const outcome = await running;
  if ('exitCode' in outcome) process.exitCode = outcome.exitCode;
  else {
    void outcome.platform.failed.then(() => process.exit(1));
    keepYoungGenerationSmall();
  }
}

/**
 * Keeps V8's space for new objects at its size after the start, about 16 MB. Under load it would grow to 128 MB, which V8
 * never returns and which makes no request faster. Sizes that the user sets have priority.
 */
function keepYoungGenerationSmall(): void {
  const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ');
  if (!/semi[-_]space/.test(given)) setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * Caches compiled code for the next start, in a folder that only this user can write to; Node's default below
 * the temporary folder may not be. `NODE_COMPILE_CACHE` and `NODE_DISABLE_COMPILE_CACHE` have priority.
 */
function enableCompileCache(): void {
  try {
    const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
    nodeModule.enableCompileCache(join(caches, 'molecule-platform'));
  } catch {
    // A user without a home folder starts without the cache.
  }
}
