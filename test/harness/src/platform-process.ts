import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ProgramProcess } from './program-process.ts';

/** The platform's bin in a process of its own, listening. */
export interface PlatformProcess {
  readonly process: ProgramProcess;
  readonly url: string;
  readonly operatorKey: string;
}

export interface PlatformProcessOptions {
  /** Where its logs are appended: `platform.log` and `platform.err`. */
  readonly folder: string;
  readonly dataDirectory: string;
  /** @default 0, any free one */
  readonly port?: number;
  /** Another program that takes the arguments of the bin and writes the same first line. @default the bin */
  readonly program?: string;
  /** Further arguments of the bin; production mode without `--dev`. */
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Stops waiting for the platform to listen. */
  readonly signal?: AbortSignal;
  /** Called with the process at once, before it listens. */
  readonly onProcess?: (process: ProgramProcess) => void;
}

/** Starts the bin that `@molecule-ai/platform` publishes, or another program, and resolves once it listens. */
export async function startPlatformProcess(options: PlatformProcessOptions): Promise<PlatformProcess> {
  const { folder, dataDirectory, port = 0, program = platformBin(), environment, signal } = options;
  const started = new ProgramProcess({
    name: 'platform',
    program,
    arguments: [
      '--json',
      '--data-dir',
      dataDirectory,
      '--port',
      String(port),
      ...(options.arguments ?? ['--log-level', 'error']),
    ],
    environment: environment ?? {},
    folder,
  });
  options.onProcess?.(started);
  const { url, operatorKey } = await started.waitForLog(([first]) => first, signal);
  return { process: started, url: String(url), operatorKey: String(operatorKey) };
}

/** What `npx @molecule-ai/platform` runs. */
export function platformBin(): string {
  const manifest = fileURLToPath(import.meta.resolve('@molecule-ai/platform/package.json'));
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: Record<string, string> };
  const file = bin['molecule-platform'];
  if (file === undefined) throw new Error(`${manifest} has no bin molecule-platform`);
  return join(dirname(manifest), file);
}
