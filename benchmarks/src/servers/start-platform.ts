import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RemoteAgentClient } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { startPlatformProcess } from '@molecule-tests/harness';

export interface BenchmarkPlatform {
  readonly url: string;
  readonly pid: number;
  join(name: string, url?: string): Promise<{ id: string; token: string }>;
  close(): Promise<void>;
}

/**
 * Starts the platform's bin as a process with a database file; contract checks are off. With `synchronous: 'full'` each
 * commit is flushed to disk; with `'normal'` a power failure may lose the last commits.
 */
export async function startPlatform(synchronous: 'full' | 'normal'): Promise<BenchmarkPlatform> {
  const folder = mkdtempSync(join(tmpdir(), 'molecule-bench-'));
  const platform = await startPlatformProcess({
    folder,
    dataDirectory: join(folder, 'data'),
    arguments: ['--dev'],
    environment: { HOME: folder, MOLECULE_CONTRACT_CHECK: 'off', MOLECULE_SYNCHRONOUS: synchronous },
  });
  const { url, operatorKey } = platform;
  const operator = new OperatorClient({ platformUrl: url, operatorKey });
  return {
    url,
    pid: platform.process.pid,
    join: async (name, agentUrl) => {
      const created = await operator.createWorkspace({ name });
      const token = created.authToken ?? '';
      const client = new RemoteAgentClient({
        workspaceId: created.id,
        platformUrl: url,
        authToken: token,
        stateDirectory: join(folder, created.id),
        reportedUrl: agentUrl,
      });
      await client.register();
      await client.close();
      return { id: created.id, token };
    },
    close: async () => {
      await operator.close();
      await platform.process.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
