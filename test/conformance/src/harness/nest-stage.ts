import 'reflect-metadata';
import {
  type JsonObject,
  MemoryInboundStore,
  type PeerReply,
  type RemoteAgent,
  type RemoteAgentClientOptions,
  silentLogger,
} from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import {
  type ScriptedPeer,
  type ScriptedPeerOptions,
  scriptedPeer,
  temporaryState,
} from '@molecule-ai/core/testing';
import { getAgentToken, MoleculeModule, type MoleculeModuleOptions } from '@molecule-ai/nestjs';
import {
  createTestPlatform,
  type TestPlatform,
  type TestPlatformOptions,
} from '@molecule-ai/platform/testing';
import { type INestApplicationContext, Module, type ModuleMetadata, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { onTestFinished } from 'vitest';

/** A platform in memory, and applications of Nest that join it. All of it ends with the test. */
export interface NestStage {
  readonly platform: TestPlatform;
  readonly operator: OperatorClient;
  /** A workspace of its own for each, and the options with which an agent is there. */
  workspace(options?: MoleculeModuleOptions): Promise<WorkspaceOptions>;
  /** Starts an application with one agent; it is online when this resolves. */
  start(metadata: ModuleMetadata, options?: MoleculeModuleOptions): Promise<StartedNest>;
  /** Closes it when the test ends. */
  opened<App extends INestApplicationContext>(app: App): App;
  peer(options?: ScriptedPeerOptions): Promise<ScriptedPeer>;
  /** What an agent answers to the user of its canvas, however long it takes. */
  ask(id: string, text: string): Promise<PeerReply>;
  /** Waits for the end of what was sent. */
  end(id: string, sent: Promise<PeerReply>): Promise<PeerReply>;
  /** The answer to a task in the form of the Python SDK, which needs a platform with `contractCheck: 'responses'`. */
  delegate(id: string, params: JsonObject): Promise<PeerReply>;
  /** Moves the clock until it is done. */
  settled<T>(work: Promise<T>): Promise<T>;
  /** Moves the clock until the agent runs. */
  online(agent: RemoteAgent): Promise<void>;
}

/** Options of the module, for an agent that has a workspace. */
export interface WorkspaceOptions extends MoleculeModuleOptions {
  readonly client: RemoteAgentClientOptions & { readonly workspaceId: string };
}

export interface StartedNest {
  readonly id: string;
  readonly app: INestApplicationContext;
  readonly agent: RemoteAgent;
}

export async function openNestStage(options: TestPlatformOptions = {}): Promise<NestStage> {
  const platform = await createTestPlatform(options);
  const operator = new OperatorClient(platform);
  onTestFinished(async () => {
    await operator.close();
    await platform.close();
  });
  const settled = <T>(work: Promise<T>): Promise<T> => platform.clock.advanceUntilSettled(work);
  const online = (agent: RemoteAgent) => platform.clock.advanceUntil(() => agent.state === 'running');
  const end: NestStage['end'] = async (id, sent) => {
    const reply = await settled(sent);
    return reply.status === 'queued' ? settled(operator.waitForAnswer(id, reply.messageId)) : reply;
  };
  const workspace: NestStage['workspace'] = async (options) => {
    const { workspaceId, authToken } = await platform.createWorkspace('nest');
    const state = temporaryState();
    onTestFinished(() => state.remove());
    const { platformUrl, connection } = platform;
    const client = {
      platformUrl,
      connection,
      workspaceId,
      authToken,
      storage: state.storage,
      logger: silentLogger,
    };
    return withMore({ client, agent: { store: new MemoryInboundStore() } }, options ?? {});
  };
  const opened: NestStage['opened'] = (app) => {
    onTestFinished(() => settled(app.close()));
    return app;
  };
  return {
    platform,
    operator,
    settled,
    online,
    delegate: async (id, params) => {
      const body = { method: 'delegate_task', params };
      const response = await settled(platform.request('POST', `/workspaces/${id}/a2a`, { body }));
      const { message_id: messageId } = response.body as { message_id: string };
      return settled(operator.waitForAnswer(id, messageId));
    },
    ask: (id, text) => end(id, operator.sendMessage(id, text)),
    end,
    workspace,
    opened,
    start: async (metadata, given) => {
      const options = await workspace(given);
      const root = moduleOf({
        ...metadata,
        imports: [MoleculeModule.forRoot(options), ...(metadata.imports ?? [])],
      });
      const app = opened(await NestFactory.createApplicationContext(root, QUIET));
      const agent = app.get<RemoteAgent>(getAgentToken());
      if (options.manualStart !== true) await online(agent);
      return { id: options.client.workspaceId, app, agent };
    },
    peer: async (options) => {
      const peer = await scriptedPeer(platform, options);
      onTestFinished(() => peer.stop());
      return peer;
    },
  };
}

/** The options with more, each group by itself. */
export function withMore<Options extends MoleculeModuleOptions>(
  options: Options,
  more: MoleculeModuleOptions,
): Options {
  const { client, agent } = options;
  return { ...options, ...more, client: { ...client, ...more.client }, agent: { ...agent, ...more.agent } };
}

/** Errors reach the test instead of ending the process. */
export const QUIET = { logger: false, abortOnError: false } as const;

/** A module class with this metadata. */
export function moduleOf(metadata: ModuleMetadata, name = 'AppModule'): Type {
  const made = { [name]: class {} }[name] as Type;
  Module(metadata)(made);
  return made;
}
