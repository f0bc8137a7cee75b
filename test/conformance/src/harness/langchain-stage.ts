import { RemoteAgentClient, silentLogger } from '@molecule-ai/core';
import { type ScriptedPeerOptions, scriptedPeer } from '@molecule-ai/core/testing';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import { onTestFinished } from 'vitest';

/** A platform, a peer that follows a script, and the client of an agent that asks it. */
export async function langchainStage(options: ScriptedPeerOptions = {}) {
  const platform = await createTestPlatform();
  const peer = await scriptedPeer(platform, options);
  const workspace = await platform.createWorkspace('asker');
  const client = new RemoteAgentClient({ ...platform, ...workspace, logger: silentLogger });
  await client.register();
  onTestFinished(async () => {
    await peer.stop();
    await client.close();
    await platform.close();
  });
  const settle = <T>(work: Promise<T>): Promise<T> => platform.clock.advanceUntilSettled(work);
  return { platform, peer, client, settle, ask: { peer_id: peer.id, text: 'How are the numbers?' } };
}
