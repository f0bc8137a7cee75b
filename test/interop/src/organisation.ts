import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  createRemoteAgent,
  MemoryTokenStore,
  type MessageHandler,
  type RemoteAgent,
  RemoteAgentClient,
  silentLogger,
} from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { type PlatformProcess, startPlatformProcess } from '@molecule-tests/harness';

/** A workspace, by its id and token. */
export interface Member {
  readonly id: string;
  readonly token: string;
}

/** A platform in a process of its own, in production mode, with the agents and callers of this run. */
export class Organisation {
  readonly #platform: PlatformProcess;
  readonly #operator: OperatorClient;
  readonly #clients: RemoteAgentClient[] = [];
  readonly #agents: RemoteAgent[] = [];

  private constructor(platform: PlatformProcess) {
    this.#platform = platform;
    const { url: platformUrl, operatorKey } = platform;
    this.#operator = new OperatorClient({ platformUrl, operatorKey });
  }

  static async start(folder: string): Promise<Organisation> {
    const environment = {
      ADMIN_TOKEN: `operator-${randomBytes(24).toString('base64url')}`,
      SECRETS_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      MOLECULE_ALLOW_AGENT_NETWORKS: '127.0.0.0/8',
      RATE_LIMIT: '1000000',
      // The agents of SDKs send no heartbeats here.
      REMOTE_LIVENESS_STALE_AFTER: '1h',
      // Requests of the SDKs are looser than those of our own clients.
      MOLECULE_CONTRACT_CHECK: 'responses',
    };
    const dataDirectory = join(folder, 'platform');
    return new Organisation(await startPlatformProcess({ folder, dataDirectory, environment }));
  }

  /** Scheme, host and port of the platform. */
  get origin(): string {
    return this.#platform.url;
  }

  /** Where clients send messages to a workspace. */
  urlOf(workspaceId: string): string {
    return `${this.#platform.url}/workspaces/${workspaceId}/a2a`;
  }

  /** A workspace that sends. */
  async addCaller(): Promise<Member> {
    const { id, authToken } = await this.#operator.createWorkspace({ name: 'caller' });
    return { id, token: authToken ?? '' };
  }

  /** A caller that uses `@molecule-ai/core`. */
  clientOf(member: Member): RemoteAgentClient {
    return this.#client(member, { name: 'caller' });
  }

  /** The workspace of an agent that has a server. */
  async addPushAgent(url: string, card: object): Promise<Member> {
    const member = await this.addCaller();
    await this.#client(member, card, url).register();
    return member;
  }

  /** An agent of `@molecule-ai/core` in this process, which long-polls. */
  async addRemoteAgent(onMessage: MessageHandler): Promise<Member> {
    const member = await this.addCaller();
    const agent = createRemoteAgent({
      client: this.#client(member, { name: 'remote' }),
      onMessage,
    });
    this.#agents.push(agent);
    await agent.start();
    return member;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.stop()));
    await Promise.all([...this.#clients, this.#operator].map((client) => client.close()));
    await this.#platform.process.stop();
  }

  #client(
    { id: workspaceId, token: authToken }: Member,
    agentCard: object,
    reportedUrl?: string,
  ): RemoteAgentClient {
    const client = new RemoteAgentClient({
      platformUrl: this.#platform.url,
      workspaceId,
      authToken,
      storage: { tokenStore: new MemoryTokenStore() },
      agentCard: { name: 'agent', ...agentCard },
      reportedUrl,
      logger: silentLogger,
    });
    this.#clients.push(client);
    return client;
  }
}
