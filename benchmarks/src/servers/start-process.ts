import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ProgramProcess } from '@molecule-tests/harness';

export interface StartedProcess {
  readonly url: string;
  close(): Promise<void>;
}

type Module = 'agent-server' | 'reverse-proxy' | 'push-agent' | 'a2a-sdk-agent';

/** Starts one of the server modules in this folder as a process; `folder` is its own, deleted when it is closed. */
export async function startProcess(
  module: Module,
  args: readonly string[] = [],
  environment: (folder: string) => Readonly<Record<string, string>> = () => ({}),
): Promise<StartedProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'molecule-bench-'));
  const program = fileURLToPath(new URL(`./${module}.js`, import.meta.url));
  const started = new ProgramProcess({
    name: module,
    program,
    arguments: args,
    environment: environment(folder),
    folder,
  });
  const { url } = await started.waitForLog(([first]) => first);
  return {
    url: String(url),
    close: async () => {
      await started.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
