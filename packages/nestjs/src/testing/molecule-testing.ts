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

/** Options of the agent, and of its workspace. */
export interface MoleculeTestingOptions extends Omit<MoleculeModuleOptions, 'workspaceId' | 'authToken'> {
  /** Of the workspace. @default 'application' */
  readonly workspaceName?: string | undefined;
}

/** The agent of an application on a test platform, and what talks to it. Nothing of it stays on disk. */
export class MoleculeTesting implements OnApplicationShutdown, AsyncDisposable {
  /** Of the agent, for `MoleculeModule.forRoot()`, or in place of the options of an application: `overrideProvider(getMoleculeOptionsToken())`. */
  readonly options: MoleculeModuleOptions & { readonly workspaceId: string };
  readonly #platform: TestConnection;
  readonly #operator: OperatorClient;
  readonly #peers: ScriptedPeer[] = [];
  readonly #removeState: () => void;
  #caller: Promise<ScriptedPeer> | undefined;
  #closing: Promise<void> | undefined;

  private constructor(
    platform: TestConnection,
    operator: OperatorClient,
    options: MoleculeModuleOptions & { readonly workspaceId: string },
    removeState: () => void,
  ) {
    this.#platform = platform;
    this.#operator = operator;
    this.options = options;
    this.#removeState = removeState;
  }

  /**
   * Creates a workspace for the agent. The application closes it; without one, `close()` does.
   * @param platform what `createTestPlatform()` of `@molecule-ai/platform/testing` returned, or the connection to a platform that runs
   */
  static async open(platform: TestConnection, given: MoleculeTestingOptions = {}): Promise<MoleculeTesting> {
    const { platformUrl, operatorKey, dispatcher, clock } = platform;
    // Blank options are unset, and nothing is read from the environment for them.
    const connection = { platformUrl, dispatcher, clock, orgId: platform.orgId ?? '', origin: '' };
    const operator = new OperatorClient({ ...connection, operatorKey, logger: silentLogger });
    const { workspaceName = 'application', ...more } = given;
    const { id, authToken } = await operator.createWorkspace({ name: workspaceName });
    const { stateDirectory, remove } = temporaryState();
    const options = {
      ...connection,
      stateDirectory,
      logger: silentLogger,
      tokenStore: new MemoryTokenStore(),
      store: new MemoryInboundStore(),
      agentCard: { name: workspaceName },
      reportedUrl: '',
      adminToken: '',
      allowPeerNetworks: [],
      ...more,
      workspaceId: id,
      authToken: authToken ?? '',
    };
    return new MoleculeTesting(platform, operator, options, remove);
  }

  /** Of the agent of the application. */
  get workspaceId(): string {
    return this.options.workspaceId;
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

  /** Sends a message to the agent of the application, as a person does on its canvas. */
  async say(text: string): Promise<PeerReply> {
    this.#checkOpen();
    return this.settled(this.#operator.sendMessage(this.workspaceId, text));
  }

  /** Sends a message to the agent of the application, as another agent. */
  async ask(text: string): Promise<PeerReply> {
    this.#checkOpen();
    this.#caller ??= this.peer({ name: 'caller' });
    const { client } = await this.#caller;
    return this.settled(client.callPeer(this.workspaceId, text));
  }

  /** Resolves when the agent runs. A clock that a test moves is moved until then. */
  async online(agent: RemoteAgent): Promise<void> {
    const { clock } = this.#platform;
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
    await this.#platform.clock?.advanceUntil?.(() => isSettled);
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
