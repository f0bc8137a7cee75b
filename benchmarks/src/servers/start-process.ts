import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ProgramProcess } from '@molecule-tests/harness';

export interface StartedProcess {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts one of the server modules in this folder as a process. */
export async function startProcess(
  module: 'agent-server' | 'reverse-proxy',
  ...args: string[]
): Promise<StartedProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'molecule-bench-'));
  const program = fileURLToPath(new URL(`./${module}.js`, import.meta.url));
  const started = new ProgramProcess({ name: module, program, arguments: args, folder });
  const { url } = await started.waitForLog(([first]) => first);
  return {
    url: String(url),
    close: async () => {
      await started.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
