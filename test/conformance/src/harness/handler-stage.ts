import {
  createRemoteAgent,
  type HandlerAnswer,
  MemoryInboundStore,
  type MessageHandler,
  type RemoteAgent,
  RemoteAgentClient,
  type RemoteAgentOptions,
  silentLogger,
} from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import {
  type ScriptedPeer,
  type ScriptedPeerOptions,
  scriptedPeer,
  temporaryState,
} from '@molecule-ai/core/testing';
import { createTestPlatform, type TestPlatform } from '@molecule-ai/platform/testing';
import { onTestFinished } from 'vitest';

/** A platform in memory, and what a test has on it. All of it ends with the test. */
export interface Stage {
  readonly platform: TestPlatform;
  readonly operator: OperatorClient;
  /** Starts an agent with this handler. */
  start(
    onMessage: MessageHandler,
    options?: Partial<Omit<RemoteAgentOptions, 'client'>>,
  ): Promise<StartedAgent>;
  peer(options?: ScriptedPeerOptions): Promise<ScriptedPeer>;
  /** Moves the clock until it is done. */
  settled<T>(work: Promise<T>): Promise<T>;
}

export interface StartedAgent {
  readonly id: string;
  readonly client: RemoteAgentClient;
  readonly agent: RemoteAgent;
  /** What its handler threw. */
  readonly failures: readonly unknown[];
}

export async function openStage(): Promise<Stage> {
  const platform = await createTestPlatform();
  const operator = new OperatorClient(platform);
  onTestFinished(async () => {
    await operator.close();
    await platform.close();
  });
  const settled = <T>(work: Promise<T>): Promise<T> => platform.clock.advanceUntilSettled(work);
  return {
    platform,
    operator,
    settled,
    start: async (onMessage, options = {}) => {
      const workspace = await platform.createWorkspace('agent');
      const state = temporaryState();
      const client = new RemoteAgentClient({ ...platform, ...workspace, ...state, logger: silentLogger });
      const failures: unknown[] = [];
      const noted =
        <Values extends unknown[]>(handle: (...values: Values) => HandlerAnswer | Promise<HandlerAnswer>) =>
        async (...values: Values) => {
          try {
            return await handle(...values);
          } catch (error) {
            failures.push(error);
            throw error;
          }
        };
      const agent = createRemoteAgent({
        client,
        store: new MemoryInboundStore(),
        // A handler that makes one of an adapter for each message gets answers as that does.
        onAnswer: noted(onMessage.onAnswer ?? (({ message }, context) => onMessage(message, context))),
        ...options,
        onMessage: noted(onMessage),
      });
      onTestFinished(async () => {
        await settled(agent.stop());
        await client.close();
        state.remove();
      });
      await agent.start();
      return { id: workspace.workspaceId, client, agent, failures };
    },
    peer: async (options) => {
      const peer = await scriptedPeer(platform, options);
      onTestFinished(() => peer.stop());
      return peer;
    },
  };
}
