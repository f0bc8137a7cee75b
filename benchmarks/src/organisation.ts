import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RemoteAgentClient } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createPlatform } from '@molecule-ai/platform';

export interface Organisation {
  readonly url: string;
  readonly dataDir: string;
  readonly operator: OperatorClient;
  /** Creates a workspace and a registered client with its first token. */
  join(name: string, options?: JoinOptions): Promise<RemoteAgentClient>;
  close(): Promise<void>;
}

export interface JoinOptions {
  readonly parentId?: string;
  readonly url?: string;
  /** Another URL of the platform, such as that of a counting relay. */
  readonly platformUrl?: string;
}

/** Starts a platform in this process, with a database in a temporary folder. Contract checks are off. */
export async function startOrganisation(options: { readonly dataDir?: string } = {}): Promise<Organisation> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'molecule-bench-'));
  const platform = await createPlatform({
    mode: 'dev',
    server: { port: 0, contractCheck: 'off' },
    data: { directory: dataDir },
  });
  const operator = new OperatorClient({ platformUrl: platform.url, operatorKey: platform.operatorKey });
  const clients: RemoteAgentClient[] = [];
  return {
    url: platform.url,
    dataDir,
    operator,
    join: async (name, joinOptions = {}) => {
      const created = await operator.createWorkspace({
        name,
        parentId: joinOptions.parentId,
      });
      const client = new RemoteAgentClient({
        workspaceId: created.id,
        platformUrl: joinOptions.platformUrl ?? platform.url,
        authToken: created.authToken ?? undefined,
        storage: { directory: join(dataDir, created.id) },
        reportedUrl: joinOptions.url,
      });
      await client.register();
      clients.push(client);
      return client;
    },
    close: async () => {
      for (const client of clients) await client.close();
      await operator.close();
      await platform.close();
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
