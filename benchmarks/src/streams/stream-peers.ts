import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RemoteAgentClient } from '@molecule-ai/core';
import { type BenchmarkPlatform, startPlatform } from '../servers/start-platform.ts';
import { agentEnvironment, type StartedProcess, startProcess } from '../servers/start-process.ts';

/** A platform, one workspace that reads streams, and agents that make them: the platform and each agent are processes. */
export interface StreamPeers {
  readonly platform: BenchmarkPlatform;
  readonly client: RemoteAgentClient;
  readonly token: string;
  /** The workspaces of the agents, in the order in which they were asked for. */
  readonly agentIds: readonly string[];
  close(): Promise<void>;
}

/** The platform does not flush commits to disk; agents flush what they accept, as always. */
export async function startStreamPeers(...deliveries: ('push' | 'long-poll')[]): Promise<StreamPeers> {
  const platform = await startPlatform('normal');
  const agents: StartedProcess[] = [];
  const agentIds: string[] = [];
  for (const delivery of deliveries) {
    const workspace = await platform.join(delivery, undefined, { isRegistered: false });
    agents.push(await startProcess('stream-agent', [delivery], agentEnvironment(workspace, platform.url)));
    agentIds.push(workspace.id);
  }
  const reader = await platform.join('reader');
  const stateDirectory = mkdtempSync(join(tmpdir(), 'molecule-bench-'));
  const client = new RemoteAgentClient({
    workspaceId: reader.id,
    platformUrl: platform.url,
    authToken: reader.token,
    storage: { directory: stateDirectory },
  });
  await client.heartbeat();
  return {
    platform,
    client,
    token: reader.token,
    agentIds,
    close: async () => {
      await client.close();
      for (const agent of agents) await agent.close();
      await platform.close();
      rmSync(stateDirectory, { recursive: true, force: true });
    },
  };
}
