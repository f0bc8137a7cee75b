import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  createRemoteAgent,
  MemoryInboundStore,
  type MessageHandler,
  type PeerReply,
  RemoteAgentClient,
  type RemoteAgentClientOptions,
  silentLogger,
  toNodeListener,
} from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import { createInboundHandler } from '@molecule-ai/core/inbound';
import { OperatorClient } from '@molecule-ai/core/operator';
import {
  type Chaos,
  chaos,
  type RecordingLogger,
  recordingLogger,
  type ScriptedPeer,
  scriptedPeer,
} from '@molecule-ai/core/testing';
import {
  createTestPlatform,
  type TestPlatform,
  type TestPlatformOptions,
} from '@molecule-ai/platform/testing';
import type { AdapterDriver, AgentSetup, StartedAgent } from './adapter-driver.ts';
import { ScriptedModel } from './scripted-model.ts';

export interface StageOptions extends Omit<Partial<AgentSetup>, 'client' | 'model'> {
  readonly driver: AdapterDriver;
  readonly platform?: TestPlatformOptions;
  /** Whether the agent calls a peer that has a URL without the platform, over a real connection: the clock must stand still meanwhile. @default false */
  readonly isDirect?: boolean;
}

/** Of the peers: as many messages as a test sends at once. */
const CONCURRENCY = 40;
const PEER_ORIGIN = 'https://peer.test';
/** Of the manual clock: longer than all that an agent tries again. */
const ASK_TIMEOUT_MS = 3_000_000;

/** An agent of the adapter, a peer that a test scripts, and a user, on a platform in this process. */
export class Stage implements AsyncDisposable {
  readonly platform: TestPlatform;
  readonly driver: AdapterDriver;
  readonly operator: OperatorClient;
  readonly peer: ScriptedPeer;
  readonly model = new ScriptedModel();
  readonly logger: RecordingLogger = recordingLogger();
  /** Between the tools of the agent and the platform: what a gateway may do. */
  readonly gateway: Chaos;
  /** Of the tools. The agent reads and answers its messages with one of its own, which no gateway disturbs. */
  readonly client: RemoteAgentClient;
  /** Why messages failed for good. */
  readonly failures: unknown[] = [];
  readonly store = new MemoryInboundStore();
  readonly setup: AgentSetup;
  /** Moves the clock until something is done. */
  readonly settle = <T>(work: Promise<T>): Promise<T> => this.platform.clock.advanceUntilSettled(work);
  readonly #own: RemoteAgentClient;
  #peerWithUrl: Promise<string> | undefined;
  #answerWithUrl: MessageHandler = () => null;
  readonly #others = new AsyncDisposableStack();
  readonly #options: RemoteAgentClientOptions;
  readonly #isDirect: boolean;
  #started: StartedAgent | undefined;

  private constructor(
    { driver, platform: _, isDirect = false, ...setup }: StageOptions,
    platform: TestPlatform,
    peer: ScriptedPeer,
    workspace: { readonly workspaceId: string; readonly authToken: string },
  ) {
    this.platform = platform;
    this.driver = driver;
    this.peer = peer;
    this.operator = new OperatorClient(platform);
    this.gateway = chaos(platform.connection.dispatcher, { seed: 1, clock: platform.clock });
    const options = { ...platform, ...workspace, logger: this.logger };
    this.#options = options;
    this.#own = new RemoteAgentClient(options);
    this.#isDirect = isDirect;
    this.client = new RemoteAgentClient({
      ...options,
      connection: {
        ...options.connection,
        dispatcher: this.gateway,
        ...(isDirect ? { allowPeerNetworks: ['127.0.0.0/8'] } : { directCalls: 'off' }),
      },
    });
    this.setup = {
      ...setup,
      client: this.client,
      model: this.model,
      memory: setup.memory ?? driver.createMemory(),
    };
  }

  get memory(): unknown {
    return this.setup.memory;
  }

  static async open(options: StageOptions): Promise<Stage> {
    const platform = await createTestPlatform(options.platform);
    const peer = await scriptedPeer(platform, { name: 'peer', agent: { concurrency: CONCURRENCY } });
    const workspace = await platform.createWorkspace('agent of the adapter');
    const stage = new Stage(options, platform, peer, workspace);
    await stage.start();
    return stage;
  }

  /** What a peer with a URL does, whose streams and long answers are not polled. Resolves with its id. */
  async scriptPeerWithUrl(answer: MessageHandler): Promise<string> {
    this.#answerWithUrl = answer;
    this.#peerWithUrl ??= this.#addPeerWithUrl();
    return this.#peerWithUrl;
  }

  /** Starts the agent, again after {@link kill} with another memory maybe. */
  async start(setup: Partial<AgentSetup> = {}): Promise<void> {
    this.#started = await this.#startedWith({ ...this.setup, ...setup });
    const { agent } = this.#started;
    agent.on('failed', (_message, failure) => this.failures.push(failure));
    agent.on('dead-letter', (_message, { error }) => this.failures.push(error));
    await this.settle(agent.start());
  }

  /** Ends the agent without waiting for its handler, which is run again later. */
  async kill(): Promise<void> {
    const started = this.#started;
    this.#started = undefined;
    if (started === undefined) return;
    await this.settle(started.agent.stop({ timeoutMs: 0 }));
    await this.settle(started.close());
  }

  /** Resolves when the agent has no message that it handles, or will handle again. */
  async idle(): Promise<void> {
    await this.platform.clock.advanceUntil(() => (this.#started?.agent.health().unfinished ?? 0) === 0);
  }

  /** A message of the user, in a conversation of its own unless one is named. */
  ask(text: string, contextId: string = crypto.randomUUID()): Promise<PeerReply> {
    const options = { contextId, timeoutMs: ASK_TIMEOUT_MS };
    return this.settle(this.operator.sendMessage(this.client.workspaceId, text, options));
  }

  /** Messages of the peer at once, each in a conversation of its own. */
  async askAllAsPeer(texts: readonly string[]): Promise<void> {
    const { peer, client } = this;
    const asked = texts.map((text) =>
      peer.client.callPeer(client.workspaceId, text, { contextId: crypto.randomUUID() }),
    );
    for (const { status } of await this.settle(Promise.all(asked))) {
      if (status !== 'answered') throw new Error(`A message of the peer ended as ${status}.`);
    }
  }

  /** A message of the peer. */
  askAsPeer(text: string, contextId: string = crypto.randomUUID()): Promise<PeerReply> {
    return this.settle(this.peer.client.callPeer(this.client.workspaceId, text, { contextId }));
  }

  /** Messages of the peer as it may write them itself, at once. */
  async sendAsPeer(...messages: readonly Readonly<Record<string, unknown>>[]): Promise<void> {
    const token = await clientPort(this.peer.client).currentToken();
    const sent = messages.map((message) => {
      const params = {
        message: { role: 'user', messageId: randomUUID(), contextId: randomUUID(), ...message },
      };
      return this.platform.request('POST', `/workspaces/${this.client.workspaceId}/a2a`, {
        token,
        body: { jsonrpc: '2.0', id: randomUUID(), method: 'message/send', params },
      });
    });
    for (const { status, body } of await this.settle(Promise.all(sent))) {
      if (status !== 200) throw new Error(`The message was not handled: ${status} ${JSON.stringify(body)}`);
    }
  }

  async #startedWith(setup: AgentSetup): Promise<StartedAgent> {
    const { driver, store } = this;
    const client = this.#own;
    const onMessage = driver.createHandler?.(setup);
    if (onMessage !== undefined) {
      const agent = createRemoteAgent({ client, store, onMessage });
      return { agent, close: async () => {} };
    }
    const started = await driver.startAgent?.(setup, { ...this.#options, store });
    if (started === undefined) throw new Error(`The driver ${driver.name} starts no agent.`);
    return started;
  }

  async #addPeerWithUrl(): Promise<string> {
    const { platform, settle } = this;
    const workspace = await platform.createWorkspace('peer with a URL');
    const server = createServer();
    const origin = this.#isDirect ? await this.#listen(server) : PEER_ORIGIN;
    const reportedUrl = `${origin}/a2a`;
    const client = new RemoteAgentClient({ ...platform, ...workspace, reportedUrl, logger: silentLogger });
    const agent = createRemoteAgent({
      client,
      store: new MemoryInboundStore(),
      delivery: 'push',
      concurrency: CONCURRENCY,
      limits: {
        // One sender may have a quarter of it.
        readAhead: 200,
      },
      onMessage: (message, context) => this.#answerWithUrl(message, context),
    });
    const handler = createInboundHandler(agent);
    platform.serve(origin, handler);
    server.on('request', toNodeListener(handler));
    this.#others.defer(async () => {
      await settle(agent.stop({ timeoutMs: 0 }));
      await client.close();
    });
    await settle(agent.start());
    return workspace.workspaceId;
  }

  /** Resolves with the origin. */
  async #listen(server: Server): Promise<string> {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    this.#others.defer(async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.gateway.rules = [];
    await this.kill();
    await this.#others.disposeAsync();
    await this.peer.stop();
    await Promise.all([this.client.close(), this.#own.close(), this.operator.close()]);
    await this.platform.close();
  }
}
