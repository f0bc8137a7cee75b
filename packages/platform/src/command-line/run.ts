import { CommanderError } from 'commander';
import { processEnvironment } from '../options/option-reader.ts';
import { PlatformOptionsError } from '../options/platform-options-error.ts';
import type { Platform } from '../platform.ts';
import { PlatformStartError } from '../platform-start-error.ts';
import { CommandError, describeUnexpected, FAILED, WRONG_OPTIONS } from './command-error.ts';
import type { Output } from './output.ts';
import { type PlatformCommand, parsePlatformCommand } from './platform-command.ts';

/** A running platform, or the exit code. */
export type RunOutcome = { readonly platform: Platform } | { readonly exitCode: number };

/** Runs a command line; without a command it starts a platform. Commands other than that end when `signal` aborts. */
export async function runCommandLine(
  argv: readonly string[],
  output: Output,
  signal: AbortSignal,
): Promise<RunOutcome> {
  let command: PlatformCommand;
  try {
    command = parsePlatformCommand(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { exitCode: error.exitCode === 0 ? 0 : WRONG_OPTIONS };
  }
  try {
    return await run(command, output, signal);
  } catch (error) {
    return { exitCode: report(error, output, command.logLevel === 'debug') };
  }
}

/** Each command is loaded when it runs: starting a platform loads none of the others. */
async function run(command: PlatformCommand, output: Output, signal: AbortSignal): Promise<RunOutcome> {
  const environment = { ...processEnvironment(), ...command.variables };
  if (command.name === 'start') {
    const { startFromCommand } = await import('./start-platform.ts');
    return { platform: await startFromCommand(command, environment, output) };
  }
  if (command.name === 'workspace create') {
    const { createWorkspace } = await import('./create-workspace.ts');
    await createWorkspace(command, environment, output, signal);
  } else if (command.name === 'backup') {
    const { backUp } = await import('./backup.ts');
    await backUp(command, environment, output, signal);
  } else {
    const { restore } = await import('./restore.ts');
    await restore(command, environment, output, signal);
  }
  return { exitCode: 0 };
}

/** Writes why a command failed, and returns the exit code. */
function report(error: unknown, { err }: Output, withStack: boolean): number {
  const isOptions = error instanceof PlatformOptionsError;
  if (isOptions || error instanceof PlatformStartError || error instanceof CommandError) {
    err(`${error.message}\n${error.hint}\n`);
    if (isOptions) return WRONG_OPTIONS;
    return error instanceof CommandError ? error.exitCode : FAILED;
  }
  err(`${describeUnexpected(error, withStack)}\n`);
  return FAILED;
}
