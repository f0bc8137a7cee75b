// The program of `pnpm endurance`.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EnduranceArguments, parseArguments, UsageError, usage } from './arguments.ts';
import { heartbeatOffences, runHeartbeats } from './heartbeat-run.ts';
import { formatResult } from './result-table.ts';
import { runEndurance } from './run-endurance.ts';

const STALLED_AFTER_MS = 150_000;
/** Intervals and window are the defaults of agent and platform. */
const HEARTBEATS = {
  burnMs: 60_000,
  suspendMs: 180_000,
  heartbeatIntervalMs: 30_000,
  maxBlockMs: 300_000,
  staleAfterMs: 90_000,
};

class Interruption extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('Interrupted');
    this.exitCode = exitCode;
  }
}

process.exitCode = await main();

async function main(): Promise<number> {
  let args: EnduranceArguments;
  try {
    args = parseArguments(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${usage()}`);
    return 2;
  }
  if (args.help) {
    process.stdout.write(usage());
    return 0;
  }
  const interruption = new AbortController();
  process.on('SIGINT', () => interruption.abort(new Interruption(130)));
  process.on('SIGTERM', () => interruption.abort(new Interruption(143)));
  const folder = mkdtempSync(join(tmpdir(), 'molecule-endurance-'));
  try {
    return await runAndPrint(args, folder, interruption.signal);
  } catch (error) {
    const { reason } = interruption.signal;
    if (!(reason instanceof Interruption)) throw error;
    process.stderr.write('Interrupted; every process was ended.\n');
    return reason.exitCode;
  } finally {
    if (args.keep) process.stderr.write(`Data, state and logs: ${folder}\n`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

async function runAndPrint(args: EnduranceArguments, folder: string, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now();
  const onProgress = (line: string) => {
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1).padStart(7);
    process.stderr.write(`${seconds} s  ${line}\n`);
  };
  if (args.only === 'heartbeats') return runAndPrintHeartbeats(folder, onProgress, signal);
  onProgress(`${args.messages} messages, ${args.kills} kills of the ${args.kill}, seed ${args.seed}`);
  const result = await runEndurance({
    ...args,
    folder,
    signal,
    onProgress,
    stalledAfterMs: STALLED_AFTER_MS,
  });
  process.stdout.write(`${formatResult(result)}\n`);
  return result.offences.length === 0 ? 0 : 1;
}

async function runAndPrintHeartbeats(
  folder: string,
  onProgress: (line: string) => void,
  signal: AbortSignal,
): Promise<number> {
  const result = await runHeartbeats({ ...HEARTBEATS, folder, onProgress, signal });
  const offences = heartbeatOffences(result, { ...HEARTBEATS, maxGapMs: 35_000 });
  const gap = (result.largestGapMs / 1_000).toFixed(1);
  process.stdout.write(
    `${result.heartbeats} heartbeats, the largest gap of the blocked agent was ${gap} s\n`,
  );
  for (const offence of offences) process.stdout.write(`${offence}\n`);
  return offences.length === 0 ? 0 : 1;
}
