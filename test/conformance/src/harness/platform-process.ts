import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { platformBin } from './built-bins.ts';

/** A platform in a process of its own, so that it can be killed. */
export interface PlatformProcess {
  readonly url: string;
  readonly port: number;
  readonly operatorKey: string;
  /** Ends it without warning, as a crash or the kernel does. */
  kill(): Promise<void>;
  /** Asks it to stop, and gives its exit code. */
  stop(): Promise<number | null>;
}

export interface PlatformProcessOptions {
  readonly dataDir: string;
  /** @default any free one */
  readonly port?: number;
  /** @default a new one */
  readonly operatorKey?: string;
}

const ENCRYPTION_KEY = Buffer.alloc(32, 1).toString('base64');

/** Starts the bin in production mode and resolves once it listens. */
export async function startPlatformProcess(options: PlatformProcessOptions): Promise<PlatformProcess> {
  const operatorKey = options.operatorKey ?? `operator-${randomBytes(24).toString('base64url')}`;
  const args = [
    '--json',
    '--log-level',
    'error',
    '--data-dir',
    options.dataDir,
    '--port',
    `${options.port ?? 0}`,
  ];
  const child = spawn(process.execPath, [platformBin(), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      ADMIN_TOKEN: operatorKey,
      SECRETS_ENCRYPTION_KEY: ENCRYPTION_KEY,
      MOLECULE_ALLOW_AGENT_NETWORKS: '127.0.0.0/8',
      MOLECULE_CONTRACT_CHECK: 'answers',
      RATE_LIMIT: '1000000',
    },
  });
  const url = await readUrl(child);
  return {
    url,
    port: Number(new URL(url).port),
    operatorKey,
    kill: () => end(child, 'SIGKILL').then(() => undefined),
    stop: () => end(child, 'SIGTERM'),
  };
}

async function readUrl(child: ChildProcess): Promise<string> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('the platform has no output');
  let complaints = '';
  stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  for await (const line of createInterface({ input: stdout })) {
    stdout.resume();
    return (JSON.parse(line) as { url: string }).url;
  }
  throw new Error(`the platform did not start: ${complaints}`);
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
  return child.exitCode;
}
