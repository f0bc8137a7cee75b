import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ProgramProcess } from '@molecule-tests/harness';

export interface StartedProcess {
  readonly url: string;
  close(): Promise<void>;
}

/** The settings of an agent for a workspace, with its state in the folder of its process. */
export function agentEnvironment(
  workspace: { readonly id: string; readonly token: string },
  platformUrl: string,
) {
  return (folder: string): Readonly<Record<string, string>> => ({
    HOME: folder,
    MOLECULE_WORKSPACE_ID: workspace.id,
    MOLECULE_WORKSPACE_TOKEN: workspace.token,
    MOLECULE_PLATFORM_URL: platformUrl,
    MOLECULE_STATE_DIR: join(folder, 'state'),
  });
}

type Module =
  | 'agent-server'
  | 'reverse-proxy'
  | 'push-agent'
  | 'stream-agent'
  | 'event-server'
  | 'a2a-sdk-agent';

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
