import { onTestFinished, vi } from 'vitest';
import { runCommandLine } from '../src/command-line/run.ts';
import * as settings from '../src/options/option-reader.ts';

/** What a command wrote, and its exit code; null while the platform runs that it started. */
export interface CommandRun {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** Those of `err`. */
  readonly lines: readonly string[];
}

export interface CommandOptions {
  /** All its variables. @default none */
  readonly environment?: Readonly<Record<string, string>>;
  /** Aborts when the bin gets a signal. */
  readonly signal?: AbortSignal;
}

/** Runs a command line as the bin does, in this process. A platform that it starts ends with the test. */
export async function runCommand(
  args: readonly string[],
  { environment = {}, signal = new AbortController().signal }: CommandOptions = {},
): Promise<CommandRun> {
  const written = { out: '', err: '' };
  const write = (name: keyof typeof written) => (text: string | Uint8Array) => {
    written[name] += text;
    return true;
  };
  const variables = vi.spyOn(settings, 'processEnvironment').mockReturnValue(environment);
  // Wrong options are written to the streams of the process, before the first turn.
  const streams = [
    vi.spyOn(process.stdout, 'write').mockImplementation(write('out')),
    vi.spyOn(process.stderr, 'write').mockImplementation(write('err')),
  ];
  const running = runCommandLine(args, { out: write('out'), err: write('err') }, signal);
  for (const stream of streams) stream.mockRestore();
  const outcome = await running.finally(() => variables.mockRestore());
  if ('platform' in outcome) onTestFinished(() => outcome.platform.close());
  const code = 'exitCode' in outcome ? outcome.exitCode : null;
  return { code, ...written, lines: written.err.trimEnd().split('\n') };
}
