import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { RemoteAgentClient } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';

export interface PlatformProcess {
  readonly url: string;
  join(name: string, url?: string): Promise<{ id: string; token: string }>;
  close(): Promise<void>;
}

/**
 * The platform's bin in a process of its own, on a file, as a user runs it; contract checks are off. `synchronous`
 * is how it meets a power cut: `full` waits for the disk at each commit, `normal` may lose the last ones.
 */
export async function startPlatformProcess(
  synchronous: 'full' | 'normal' = 'full',
): Promise<PlatformProcess> {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve('@molecule-ai/platform/package.json');
  const { bin } = require('@molecule-ai/platform/package.json') as { bin: Record<string, string> };
  const dataDir = mkdtempSync(join(tmpdir(), 'molecule-bench-'));
  const child = spawn(
    process.execPath,
    [
      join(dirname(manifest), bin['molecule-platform'] ?? ''),
      '--dev',
      '--json',
      '--port',
      '0',
      '--data-dir',
      dataDir,
    ],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, MOLECULE_CONTRACT_CHECK: 'off', MOLECULE_SYNCHRONOUS: synchronous },
    },
  );
  const { url, operatorKey } = await new Promise<{ url: string; operatorKey: string }>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line)));
    child.once('exit', (code) => reject(new Error(`the platform ended with ${code}`)));
  });
  const operator = new OperatorClient({ platformUrl: url, operatorKey });
  return {
    url,
    join: async (name, agentUrl) => {
      const created = await operator.createWorkspace({ name });
      const token = created.authToken ?? '';
      const client = new RemoteAgentClient({
        workspaceId: created.id,
        platformUrl: url,
        authToken: token,
        stateDirectory: join(dataDir, created.id),
        reportedUrl: agentUrl,
      });
      await client.register();
      await client.close();
      return { id: created.id, token };
    },
    close: async () => {
      await operator.close();
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      await ended;
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
