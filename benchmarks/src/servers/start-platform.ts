import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RemoteAgentClient } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { startPlatformProcess } from '@molecule-tests/harness';
import { freePort } from './free-port.ts';

export interface BenchmarkPlatform {
  readonly url: string;
  readonly pid: number;
  /** Creates a workspace, and registers an agent for it unless `isRegistered` is false. */
  join(
    name: string,
    url?: string,
    options?: { readonly isRegistered?: boolean },
  ): Promise<{ id: string; token: string }>;
  close(): Promise<void>;
}

/**
 * Starts the platform's bin as a process with a database file; contract checks are off. With `synchronous: 'full'` each
 * commit is flushed to disk; with `'normal'` a power failure may lose the last commits. It knows its own URL, and gives peers tokens for direct calls.
 */
export async function startPlatform(synchronous: 'full' | 'normal'): Promise<BenchmarkPlatform> {
  const folder = mkdtempSync(join(tmpdir(), 'molecule-bench-'));
  const port = await freePort();
  const platform = await startPlatformProcess({
    folder,
    dataDirectory: join(folder, 'data'),
    port,
    arguments: ['--dev', '--public-url', `http://127.0.0.1:${port}`],
    environment: { HOME: folder, MOLECULE_CONTRACT_CHECK: 'off', MOLECULE_SYNCHRONOUS: synchronous },
  });
  const { url, operatorKey } = platform;
  const operator = new OperatorClient({ platformUrl: url, operatorKey });
  return {
    url,
    pid: platform.process.pid,
    join: async (name, agentUrl, { isRegistered = true } = {}) => {
      const created = await operator.createWorkspace({ name });
      const token = created.authToken ?? '';
      if (!isRegistered) return { id: created.id, token };
      const client = new RemoteAgentClient({
        workspaceId: created.id,
        platformUrl: url,
        authToken: token,
        storage: { directory: join(folder, created.id) },
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
