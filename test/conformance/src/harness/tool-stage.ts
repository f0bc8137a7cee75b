import {
  createRemoteAgent,
  MemoryInboundStore,
  type MessageHandler,
  RemoteAgentClient,
  type RemoteAgentClientOptions,
  silentLogger,
} from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import {
  expectNoUnfencedPeerText,
  type ScriptedPeerOptions,
  scriptedPeer,
  temporaryState,
} from '@molecule-ai/core/testing';
import { createTestPlatform, type TestPlatformOptions } from '@molecule-ai/platform/testing';
import { expect, onTestFinished } from 'vitest';

/** A platform, a peer, and the client of the agent whose model has the tools. */
export async function toolStage(
  options: ScriptedPeerOptions = {},
  platformOptions: TestPlatformOptions = {},
) {
  const platform = await createTestPlatform(platformOptions);
  const operator = new OperatorClient(platform);
  const peer = await scriptedPeer(platform, options);
  const workspace = await platform.createWorkspace('asker');
  const clients: RemoteAgentClient[] = [];
  /** Another process of the agent. */
  const newClient = (more: RemoteAgentClientOptions = {}): RemoteAgentClient => {
    const state = temporaryState();
    const client = new RemoteAgentClient({
      ...platform,
      ...state,
      ...workspace,
      logger: silentLogger,
      ...more,
    });
    clients.push(client);
    onTestFinished(() => state.remove());
    return client;
  };
  const client = newClient();
  await client.register();
  onTestFinished(async () => {
    await peer.stop();
    for (const each of clients) await each.close();
    await operator.close();
    await platform.close();
  });
  const settle = <T>(work: Promise<T>): Promise<T> => platform.clock.advanceUntilSettled(work);
  /** Runs the agent with this handler, and sends it a message of the user. */
  const handle = async (onMessage: MessageHandler, text = 'go') => {
    const agent = createRemoteAgent({ client, store: new MemoryInboundStore(), onMessage });
    await settle(agent.start());
    onTestFinished(() => settle(agent.stop({ timeoutMs: 0 })));
    return settle(operator.sendMessage(client.workspaceId, text));
  };
  return { platform, operator, peer, client, newClient, settle, handle };
}

/** What a model reads of an outcome has these words of peers, and has them in fences only. */
export function expectFencedOutcome(
  { forModel }: { readonly forModel: string },
  ...words: [string, ...string[]]
) {
  for (const word of words) expect(forModel).toContain(word);
  expectNoUnfencedPeerText(forModel, ...words);
}
