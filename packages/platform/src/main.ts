#!/usr/bin/env node
import { runPlatform } from './command-line/run.ts';
import { silenceSqliteWarning } from './command-line/silence-sqlite-warning.ts';

silenceSqliteWarning();
// Whoever reads our output may go away before we do.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

const starting = runPlatform(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
});

let isStopping = false;
const stop = async () => {
  if (isStopping) process.exit(1);
  isStopping = true;
  const outcome = await starting;
  if ('platform' in outcome) await outcome.platform.close();
  process.exit(0);
};
const onSignal = () => void stop().catch(() => process.exit(1));
process.on('SIGINT', onSignal);
process.on('SIGTERM', onSignal);

const outcome = await starting;
if ('exitCode' in outcome) process.exitCode = outcome.exitCode;
