import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface StartedProcess {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts one of the server modules beside this file in a process of its own. */
export async function startProcess(
  module: 'agent-server' | 'reverse-proxy',
  ...args: string[]
): Promise<StartedProcess> {
  const child = fork(fileURLToPath(new URL(`./${module}.js`, import.meta.url)), args);
  const url = await new Promise<string>((resolve, reject) => {
    child.once('message', (message) => resolve((message as { url: string }).url));
    child.once('exit', (code) => reject(new Error(`${module} ended with ${code}`)));
    child.once('error', reject);
  });
  return {
    url,
    close: async () => {
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.disconnect();
      await ended;
    },
  };
}
