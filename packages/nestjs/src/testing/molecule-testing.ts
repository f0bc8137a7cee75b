import {
  MemoryInboundStore,
  MemoryTokenStore,
  type PeerReply,
  type RemoteAgent,
  silentLogger,
} from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import {
  type ScriptedPeer,
  type ScriptedPeerOptions,
  scriptedPeer,
  temporaryState,
} from '@molecule-ai/core/testing';
import { type DynamicModule, Module, type OnApplicationShutdown } from '@nestjs/common';
import { MoleculeModule } from '../molecule-module.ts';
import type { MoleculeModuleExtras, MoleculeModuleOptions } from '../molecule-options.ts';

/** What `createTestPlatform()` returns, or the options of clients of a platform that runs elsewhere. */
type TestConnection = Parameters<typeof scriptedPeer>[0];

/** Options of the module, and of the workspace. */
export interface MoleculeTestingOptions extends MoleculeModuleOptions {
  /** Of the workspace. @default 'application' */
  readonly workspaceName?: string | undefined;
}

/** The agent of an application on a test platform, and what talks to it. Nothing of it stays on disk. */
export class MoleculeTesting implements OnApplicationShutdown, AsyncDisposable {
  /** Of the agent, for `MoleculeModule.forRoot()`, or in place of the options of an application: `overrideProvider(getMoleculeOptionsToken())`. */
  readonly options: MoleculeModuleOptions;
  /** Of the agent of the application. */
  readonly workspaceId: string;
  readonly #platform: TestConnection;
  readonly #operator: OperatorClient;
  readonly #peers: ScriptedPeer[] = [];
  readonly #removeState: () => void;
  #caller: Promise<ScriptedPeer> | undefined;
  #closing: Promise<void> | undefined;

  private constructor(
    platform: TestConnection,
    operator: OperatorClient,
    workspaceId: string,
    options: MoleculeModuleOptions,
    removeState: () => void,
  ) {
    this.#platform = platform;
    this.#operator = operator;
    this.workspaceId = workspaceId;
    this.options = options;
    this.#removeState = removeState;
  }

  /**
   * Creates a workspace for the agent. The application closes it; without one, `close()` does.
   * @param platform what `createTestPlatform()` of `@molecule-ai/platform/testing` returned, or the connection to a platform that runs
   */
  static async open(platform: TestConnection, given: MoleculeTestingOptions = {}): Promise<MoleculeTesting> {
    const { platformUrl, operatorKey, connection, orgId = '' } = platform;
    // Blank options are unset, and nothing is read from the environment for them.
    const shared = { platformUrl, orgId, origin: '', logger: silentLogger };
    const operator = new OperatorClient({ ...shared, connection, operatorKey });
    const { workspaceName = 'application', client, agent, ...more } = given;
    const { id, authToken } = await operator.createWorkspace({ name: workspaceName });
    const { storage, remove } = temporaryState();
    const options: MoleculeModuleOptions = {
      enabled: true,
      ...more,
      client: {
        ...shared,
        agentCard: { name: workspaceName },
        reportedUrl: '',
        adminToken: '',
        ...client,
        connection: { ...connection, allowPeerNetworks: [], ...client?.connection },
        storage: { ...storage, tokenStore: new MemoryTokenStore(), ...client?.storage },
        workspaceId: id,
        authToken: authToken ?? '',
      },
      // A clock that a test moves does not wait for a handler.
      agent: {
        store: new MemoryInboundStore(),
        ...agent,
        limits: { handlerTimeoutMs: null, ...agent?.limits },
      },
    };
    return new MoleculeTesting(platform, operator, id, options, remove);
  }

  /** Another agent, which the agent of the application can call, and which can call it. It ends with the application. */
  async peer(options: ScriptedPeerOptions = {}): Promise<ScriptedPeer> {
    this.#checkOpen();
    const peer = await this.settled(scriptedPeer(this.#platform, options));
    this.#peers.push(peer);
    if (this.#closing === undefined) return peer;
    await this.settled(peer.stop());
    throw closed();
  }

  /** Sends a message to the agent of the application, as a person does on its canvas. Resolves as {@link ask}. */
  async say(text: string): Promise<PeerReply> {
    this.#checkOpen();
    const reply = await this.settled(this.#operator.sendMessage(this.workspaceId, text));
    return this.#ended(reply, () => this.#operator.waitForAnswer(this.workspaceId, reply.messageId));
  }

  /**
   * Sends a message to the agent of the application, as another agent. Resolves when it has ended, whatever its handler waits for and
   * however often it is tried again; with the status `queued` only where the agent is not online.
   */
  async ask(text: string): Promise<PeerReply> {
    this.#checkOpen();
    this.#caller ??= this.peer({ name: 'caller' });
    const { client } = await this.#caller;
    const reply = await this.settled(client.callPeer(this.workspaceId, text));
    return this.#ended(reply, () => client.waitForAnswer(reply.messageId));
  }

  async #ended(sent: PeerReply, wait: () => Promise<PeerReply>): Promise<PeerReply> {
    let reply = sent;
    while (reply.status === 'queued') {
      const { status } = await this.settled(this.#operator.getWorkspace(this.workspaceId));
      if (status !== 'online' && status !== 'degraded') return reply;
      reply = await this.settled(wait());
    }
    return reply;
  }

  /** Resolves when the agent runs. A clock that a test moves is moved until then. */
  async online(agent: RemoteAgent): Promise<void> {
    const { clock } = this.#platform.connection ?? {};
    const isOnline = () => agent.state === 'running';
    if (clock?.advanceUntil !== undefined) return clock.advanceUntil(isOnline);
    const stopped = agent.closed.then((outcome) => {
      throw new Error(`The agent ended before it was online: ${outcome}.`);
    });
    const started = new Promise<void>((resolve) => {
      const off = agent.on('started', () => {
        off();
        resolve();
      });
      if (isOnline()) resolve();
    });
    await Promise.race([started, stopped]);
  }

  /** The result of work that takes time of the platform's clock, such as a call or `app.close()`; a clock that a test moves is moved until it is there. */
  async settled<T>(work: Promise<T>): Promise<T> {
    let isSettled = false;
    const end = () => {
      isSettled = true;
    };
    work.then(end, end);
    await this.#platform.connection?.clock?.advanceUntil?.(() => isSettled);
    return work;
  }

  /** Ends the peers, and deletes what the agent stored. The application calls it. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Called by the application. */
  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw closed();
  }

  async #close(): Promise<void> {
    await this.#caller?.catch(() => {});
    await Promise.all(this.#peers.map((peer) => peer.stop()));
    await this.#operator.close();
    this.#removeState();
  }
}

function closed(): Error {
  return new Error(
    'This MoleculeTesting is closed, as an application closes its own: call MoleculeTesting.open() again.',
  );
}

/**
 * An agent of the application on a test platform, in place of `MoleculeModule`.
 *
 * @example
 * const testing = await MoleculeTesting.open(await createTestPlatform());
 * const module = await Test.createTestingModule({
 *   imports: [MoleculeTestingModule.forRoot(testing)],
 *   providers: [OrderAgent],
 * }).compile();
 */
// biome-ignore lint/complexity/noStaticOnlyClass: a module of Nest
export class MoleculeTestingModule {
  /** The module has what `MoleculeModule` has, and {@link MoleculeTesting}. */
  static forRoot(testing: MoleculeTesting, extras: MoleculeModuleExtras = {}): DynamicModule {
    return {
      module: MoleculeTestingModule,
      global: extras.isGlobal ?? false,
      imports: [MoleculeModule.forRoot({ ...testing.options, ...extras })],
      providers: [{ provide: MoleculeTesting, useFactory: () => testing }],
      exports: [MoleculeModule, MoleculeTesting],
    };
  }
}

Module({})(MoleculeTestingModule);
