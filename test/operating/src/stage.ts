import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MemoryTokenStore, RemoteAgentClient, type RemoteAgentClientOptions } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { buildSendMessage } from '@molecule-ai/protocol';
import { type PlatformProcess, ProgramProcess, startPlatformProcess } from '@molecule-tests/harness';
import { freePort, type ProxySetup, type RunningProxy, startCaddy, startNginx } from './proxies.ts';
import { changed, sampleText } from './samples.ts';
import { type Certificate, writeCertificate } from './trusted-certificate.ts';

const AGENT_PROGRAM = fileURLToPath(new URL('agent-program.ts', import.meta.url));

/** A workspace, by its id and token. */
export interface Member {
  readonly id: string;
  readonly token: string;
}

/** The addresses that a proxy connects. */
export interface Ports {
  readonly proxy: number;
  readonly platform: number;
}

/** How the samples for one proxy become a configuration of a test. */
export interface ProxyKind {
  readonly start: (setup: ProxySetup) => Promise<RunningProxy>;
  readonly config: (ports: Ports, certificate: Certificate) => string;
  /** The server of an agent, below `/researcher/`. */
  readonly agentConfig: (ports: { proxy: number; agent: number }, certificate: Certificate) => string;
  /** A proxy that waits for a response for three seconds only. */
  readonly impatient: readonly [string, string];
}

export type ProxyName = 'nginx' | 'Caddy';

export const PROXIES: Readonly<Record<ProxyName, ProxyKind>> = {
  nginx: {
    start: startNginx,
    config: ({ proxy, platform }, { cert, key }) =>
      changed(sampleText('nginx.conf'), [
        ['listen 443 ssl;', `listen 127.0.0.1:${proxy} ssl;`],
        ['listen [::]:443 ssl;', ''],
        ['molecule.example.com', 'localhost'],
        ['/etc/ssl/molecule/fullchain.pem', cert],
        ['/etc/ssl/molecule/privkey.pem', key],
        ['127.0.0.1:8080', `127.0.0.1:${platform}`],
      ]),
    agentConfig: ({ proxy, agent }, { cert, key }) =>
      changed(sampleText('agents-nginx.conf'), [
        ['listen 443 ssl;', `listen 127.0.0.1:${proxy} ssl;`],
        ['agents.example.com', 'localhost'],
        ['/etc/ssl/agents/fullchain.pem', cert],
        ['/etc/ssl/agents/privkey.pem', key],
        ['127.0.0.1:9000', `127.0.0.1:${agent}`],
      ]),
    impatient: ['proxy_read_timeout 310s', 'proxy_read_timeout 3s'],
  },
  Caddy: {
    start: startCaddy,
    config: ({ proxy, platform }, { cert, key }) =>
      changed(sampleText('Caddyfile'), [
        ['molecule.example.com {', `https://localhost:${proxy} {\n\ttls ${cert} ${key}\n\tlog`],
        ['127.0.0.1:8080', `127.0.0.1:${platform}`],
      ]),
    agentConfig: ({ proxy, agent }, { cert, key }) =>
      changed(sampleText('agents-Caddyfile'), [
        ['agents.example.com {', `https://localhost:${proxy} {\n\ttls ${cert} ${key}`],
        ['127.0.0.1:9000', `127.0.0.1:${agent}`],
      ]),
    impatient: ['dial_timeout 5s', 'dial_timeout 5s\n\t\t\tresponse_header_timeout 3s'],
  },
};

export interface StageOptions {
  readonly kind: ProxyKind;
  /** Changes the configuration of the sample. */
  readonly change?: readonly [string, string];
  readonly environment?: Readonly<Record<string, string>>;
}

/** A platform in production mode, a proxy with TLS in front of it, and agents that know the address of the proxy only. */
export class Stage {
  readonly folder: string;
  /** The public URL. */
  readonly url: string;
  /** Asks through the proxy. */
  readonly operator: OperatorClient;
  /** Asks the platform itself. */
  readonly inside: OperatorClient;
  readonly #ends: AsyncDisposableStack;
  readonly #port: number;
  readonly #environment: Readonly<Record<string, string>>;
  readonly certificate: Certificate;
  proxy: RunningProxy = notStarted();
  #platform: PlatformProcess | undefined;

  private constructor(folder: string, ports: Ports, environment: Readonly<Record<string, string>>) {
    this.folder = folder;
    this.certificate = writeCertificate(folder);
    this.url = `https://localhost:${ports.proxy}`;
    this.#port = ports.platform;
    this.#ends = new AsyncDisposableStack();
    const operatorKey = `operator-${randomBytes(24).toString('base64url')}`;
    this.#environment = {
      ADMIN_TOKEN: operatorKey,
      SECRETS_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      EXTERNAL_PLATFORM_URL: this.url,
      MOLECULE_ALLOW_AGENT_NETWORKS: '127.0.0.0/8',
      MOLECULE_CONTRACT_CHECK: 'all',
      NODE_EXTRA_CA_CERTS: this.certificate.cert,
      ...environment,
    };
    this.operator = new OperatorClient({ platformUrl: this.url, operatorKey });
    this.inside = new OperatorClient({ platformUrl: `http://127.0.0.1:${ports.platform}`, operatorKey });
    this.#ends.defer(() => this.operator.close());
    this.#ends.defer(() => this.inside.close());
  }

  static async open({ kind, change, environment = {} }: StageOptions): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), 'molecule-operating-'));
    const ports = { proxy: await freePort(), platform: await freePort() };
    const stage = new Stage(folder, ports, environment);
    try {
      await stage.startPlatform();
      const sample = kind.config(ports, stage.certificate);
      const config = change === undefined ? sample : changed(sample, [change]);
      stage.proxy = await kind.start({ folder: stage.subfolder('proxy'), config });
      return stage;
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  get operatorKey(): string {
    return this.#environment.ADMIN_TOKEN ?? '';
  }

  subfolder(name: string): string {
    const path = join(this.folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  async startPlatform(): Promise<void> {
    this.#platform = await startPlatformProcess({
      folder: this.folder,
      dataDirectory: join(this.folder, 'data'),
      port: this.#port,
      environment: this.#environment,
    });
  }

  async stopPlatform(): Promise<void> {
    await this.#platform?.process.stop();
  }

  /** Sends a message to the platform itself, which is its own conversation, and waits for no answer. Its id is the text. */
  async leave({ id }: Member, text: string): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/workspaces/${id}/a2a`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.operatorKey}`,
        'content-type': 'application/json',
        'x-timeout': '1',
      },
      body: JSON.stringify(buildSendMessage({ messageId: text, contextId: text, text })),
    });
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
    await response.body?.cancel();
  }

  async addMember(name: string): Promise<Member> {
    const { id, authToken } = await this.inside.createWorkspace({ name });
    return { id, token: authToken ?? '' };
  }

  clientOf(member: Member, options: RemoteAgentClientOptions = {}): RemoteAgentClient {
    const client = new RemoteAgentClient({
      platformUrl: this.url,
      workspaceId: member.id,
      authToken: member.token,
      storage: { tokenStore: new MemoryTokenStore() },
      agentCard: { name: 'caller' },
      ...options,
    });
    this.#ends.defer(() => client.close());
    return client;
  }

  /** Starts the agent of `agent-program.ts` in a process of its own. Without `ca` it trusts what Node trusts. */
  startAgent(
    member: Member,
    name: string,
    { ca = this.certificate.cert as string | null } = {},
  ): ProgramProcess {
    const agent = new ProgramProcess({
      name,
      program: AGENT_PROGRAM,
      folder: this.folder,
      environment: {
        MOLECULE_PLATFORM_URL: this.url,
        MOLECULE_WORKSPACE_ID: member.id,
        MOLECULE_WORKSPACE_TOKEN: member.token,
        MOLECULE_STATE_DIR: join(this.folder, 'state'),
        ...(ca === null ? {} : { NODE_EXTRA_CA_CERTS: ca }),
      },
    });
    this.#ends.defer(async () => void (await agent.stop()));
    return agent;
  }

  async close(): Promise<void> {
    await this.#ends.disposeAsync();
    await this.proxy.stop();
    await this.stopPlatform();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Texts of messages that an agent has handled, in their order. */
export function handledBy(agent: ProgramProcess): string[] {
  return agent.log.entries.filter(({ event }) => event === 'handled').map(({ text }) => String(text));
}

function notStarted(): RunningProxy {
  const nothing = async () => {};
  return { reload: nothing, stop: nothing, start: nothing, log: () => '' };
}
