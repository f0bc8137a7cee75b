import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OperatorClient } from '@molecule-ai/core/operator';
import { type PlatformProcess, ProgramProcess, startPlatformProcess } from '@molecule-tests/harness';
import { type Lane, SENDERS, type SenderName, TARGETS, type TargetName } from './plan.ts';

export type AgentName = Exclude<SenderName, 'operator'> | TargetName;

/** A workspace and the process of its agent. */
export interface Member {
  readonly name: AgentName;
  readonly id: string;
  readonly token: string;
  readonly stateDirectory: string;
  /** What all processes of it wrote to stdout. */
  readonly journal: string;
}

interface Running extends Member {
  readonly environment: Record<string, string>;
  readonly program: string;
  process: ProgramProcess | undefined;
}

/** A platform, two senders and three targets, each a process that can be killed and started again. */
export class Organisation {
  readonly operator: OperatorClient;
  readonly operatorKey: string;
  readonly platformUrl: string;
  readonly dataDirectory: string;
  readonly #folder: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #members = new Map<AgentName, Running>();
  #platform: PlatformProcess;

  private constructor(folder: string, environment: Record<string, string>, platform: PlatformProcess) {
    this.#folder = folder;
    this.#environment = environment;
    this.#platform = platform;
    this.platformUrl = platform.url;
    this.operatorKey = platform.operatorKey;
    this.dataDirectory = join(folder, 'platform');
    this.operator = new OperatorClient({ platformUrl: this.platformUrl, operatorKey: this.operatorKey });
  }

  /** Starts the platform in production mode and creates the workspaces; no agent runs yet. */
  static async start(folder: string): Promise<Organisation> {
    const environment = {
      ADMIN_TOKEN: `operator-${randomBytes(24).toString('base64url')}`,
      SECRETS_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      MOLECULE_ALLOW_AGENT_NETWORKS: '127.0.0.0/8',
      RATE_LIMIT: '1000000',
      MOLECULE_CONTRACT_CHECK: process.env.MOLECULE_CONTRACT_CHECK ?? 'off',
    };
    const dataDirectory = join(folder, 'platform');
    const platform = await startPlatformProcess({ folder, dataDirectory, environment });
    const organisation = new Organisation(folder, environment, platform);
    for (const name of [...SENDERS, ...TARGETS]) {
      if (name !== 'operator') await organisation.#create(name);
    }
    return organisation;
  }

  get members(): readonly Member[] {
    return [...this.#members.values()];
  }

  get targetIds(): Readonly<Record<string, string>> {
    return Object.fromEntries(TARGETS.map((name) => [name, this.#member(name).id]));
  }

  /** Starts the agents of the targets, and then the senders, each with its part of the plan. */
  async startAgents(lanes: readonly Lane[]): Promise<void> {
    await Promise.all(TARGETS.map((name) => this.#startAgent(this.#member(name))));
    for (const name of SENDERS) {
      if (name === 'operator') continue;
      const own = lanes.filter(({ messages }) => messages[0]?.sender === name);
      const plan = join(this.#folder, `${name}.plan.json`);
      writeFileSync(plan, JSON.stringify({ lanes: own, targetIds: this.targetIds }), { mode: 0o600 });
      this.#member(name).environment.PLAN = plan;
      await this.#startAgent(this.#member(name));
    }
  }

  /** Kills the platform and starts it on the same port with the same data. */
  async crashPlatform(): Promise<void> {
    await this.#platform.process.kill();
    this.#platform = await startPlatformProcess({
      folder: this.#folder,
      dataDirectory: this.dataDirectory,
      environment: this.#environment,
      port: Number(new URL(this.platformUrl).port),
    });
  }

  /** Kills an agent and starts it in the same state folder; waits until it works, unless `isHasty`. */
  async crashAgent(name: AgentName, isHasty: boolean): Promise<void> {
    const member = this.#member(name);
    await member.process?.kill();
    const started = this.#startAgent(member);
    if (isHasty) started.catch(() => {});
    else await started;
  }

  /** Asks the agents, then the platform, to end. */
  async stop(): Promise<readonly string[]> {
    const processes = [...this.#members.values()].map((member) => member.process);
    await Promise.all(processes.map((each) => each?.stop(20_000)));
    await this.operator.close();
    const exit = await this.#platform.process.stop();
    return exit.code === 0 ? [] : [`the platform ended with ${exit.signal ?? exit.code}`];
  }

  /** Ends every process without warning. */
  async killAll(): Promise<void> {
    const agents = [...this.#members.values()].map((member) => member.process);
    await Promise.all([...agents, this.#platform.process].map((each) => each?.kill()));
  }

  async #create(name: AgentName): Promise<void> {
    const { id, authToken } = await this.operator.createWorkspace({ name });
    const isSender = name.startsWith('sender');
    const file = isSender ? 'sending' : name === 'push' ? 'push' : 'handling';
    const stateDirectory = join(this.#folder, `${name}.state`);
    const journal = join(this.#folder, `${name}.log`);
    mkdirSync(stateDirectory, { mode: 0o700 });
    const program = fileURLToPath(new URL(`./${file}-program.ts`, import.meta.url));
    const environment = {
      HOME: this.#folder,
      MOLECULE_PLATFORM_URL: this.platformUrl,
      MOLECULE_WORKSPACE_ID: id,
      MOLECULE_WORKSPACE_TOKEN: authToken ?? '',
      MOLECULE_STATE_DIR: stateDirectory,
      DELIVERY: name,
      JOURNAL: journal,
      AGENT_PORT: '0',
    };
    const common = { name, id, token: authToken ?? '', stateDirectory, journal };
    this.#members.set(name, { ...common, environment, program, process: undefined });
  }

  async #startAgent(member: Running): Promise<void> {
    const { name, program, environment } = member;
    const started = new ProgramProcess({ name, program, environment, folder: this.#folder });
    member.process = started;
    const { port } = await started.waitForEvent('online');
    // The platform goes on posting to this address.
    if (port !== undefined) environment.AGENT_PORT = String(port);
  }

  #member(name: AgentName): Running {
    const member = this.#members.get(name);
    if (member === undefined) throw new Error(`no workspace ${name}`);
    return member;
  }
}
