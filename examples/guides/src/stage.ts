/** What the checks of the guides share: a platform in this process, its operator, and agents. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AnswerHandler,
  createRemoteAgent,
  type Logger,
  type MessageHandler,
  type RemoteAgent,
  RemoteAgentClient,
  silentLogger,
} from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createPlatform, type Platform } from '@molecule-ai/platform';
import { ProgramProcess } from '@molecule-tests/harness';

export interface Member {
  readonly id: string;
  readonly token: string;
  readonly client: RemoteAgentClient;
}

export interface MemberOptions {
  readonly parentId?: string;
  /** @default none: some handlers of the guides fail on purpose */
  readonly logger?: Logger;
}

export interface Stage {
  readonly platform: Platform;
  readonly operator: OperatorClient;
  /** Of the files of agents. */
  readonly folder: string;
  /** Runs at the end, the latest first. */
  onEnd(cleanUp: () => Promise<unknown>): void;
  /** A workspace, and the client of its agent, which is not running. */
  member(name: string, options?: MemberOptions): Promise<Member>;
  /** A workspace whose agent runs here. */
  agent(
    name: string,
    onMessage: MessageHandler,
    onAnswer?: AnswerHandler,
  ): Promise<Member & { agent: RemoteAgent }>;
  /** Runs a program of this package in a process of its own. */
  program(name: string, environment: Readonly<Record<string, string>>): ProgramProcess;
}

/** Starts a platform, runs `check`, and ends everything. */
export async function onStage(check: (stage: Stage) => Promise<void>): Promise<void> {
  await using ends = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'molecule-guides-'));
  ends.defer(() => rm(folder, { recursive: true, force: true }));
  // Requests by hand, such as a delegate_task, are in no strict schema.
  const platform = await createPlatform({
    mode: 'dev',
    server: { port: 0, contractCheck: 'responses' },
    data: { directory: ':memory:' },
  });
  ends.defer(() => platform.close());
  const { url: platformUrl, operatorKey } = platform;
  const operator = new OperatorClient({ platformUrl, operatorKey });
  ends.defer(() => operator.close());

  const member: Stage['member'] = async (name, { parentId, logger = silentLogger } = {}) => {
    const { id, authToken } = await operator.createWorkspace({ name, parentId });
    const stateDirectory = join(folder, id);
    const client = new RemoteAgentClient({
      platformUrl,
      workspaceId: id,
      authToken,
      agentCard: { name },
      storage: { directory: stateDirectory },
      logger,
    });
    ends.defer(() => client.close());
    return { id, token: authToken ?? '', client };
  };
  await check({
    platform,
    operator,
    folder,
    member,
    onEnd: (cleanUp) =>
      ends.defer(async () => {
        await cleanUp();
      }),
    agent: async (name, onMessage, onAnswer) => {
      const joined = await member(name);
      const agent = createRemoteAgent({ client: joined.client, onMessage, onAnswer });
      ends.defer(() => agent.stop());
      await agent.start();
      return { ...joined, agent };
    },
    program: (name, environment) => {
      const program = new URL(`./${name}.js`, import.meta.url).pathname;
      const running = new ProgramProcess({ name, program, folder, environment });
      ends.defer(() => running.kill());
      return running;
    },
  });
}
