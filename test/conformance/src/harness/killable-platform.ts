import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type ProgramProcess, startPlatformProcess } from '@molecule-tests/harness';
import { Caller, type Http } from './http.ts';
import type { RunningPlatform } from './running-platform.ts';

/** A platform in a process of its own. It has no manual clock and counts no SQL. */
export interface KillablePlatform extends RunningPlatform {
  /** The process that runs now, or that has ended last. */
  readonly process: ProgramProcess;
  /** Kills it, unless it has ended, and starts it again on the same port with the same data. */
  crash(): Promise<void>;
  /** Asks it to stop and returns its exit code. */
  stopProcess(): Promise<number | null>;
}

export interface KillablePlatformOptions {
  /** @default the bin */
  readonly program?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts the platform's bin, or another program, in production mode, its data and logs in `folder`. */
export async function startKillablePlatform(
  folder: string,
  http: Http,
  options: KillablePlatformOptions = {},
): Promise<KillablePlatform> {
  const dataDirectory = join(folder, 'data');
  const environment = {
    ADMIN_TOKEN: `operator-${randomBytes(24).toString('base64url')}`,
    SECRETS_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    MOLECULE_ALLOW_AGENT_NETWORKS: '127.0.0.0/8',
    MOLECULE_CONTRACT_CHECK: 'responses',
    RATE_LIMIT: '1000000',
    ...options.environment,
  };
  const shared = { ...options, folder, dataDirectory, environment };
  let current = await startPlatformProcess(shared);
  const { url, operatorKey } = current;
  const port = Number(new URL(url).port);
  const startAgain = async () => {
    await http.closeConnections();
    current = await startPlatformProcess({ ...shared, port });
  };
  const bearer = (token: string) => new Caller(http, () => url, { authorization: `Bearer ${token}` });
  const stopProcess = async () => (await current.process.stop()).code;
  return {
    get process() {
      return current.process;
    },
    url,
    port,
    dataDir: dataDirectory,
    operatorKey,
    operator: bearer(operatorKey),
    anonymous: new Caller(http, () => url, {}),
    get clock(): never {
      throw new Error('a platform in another process has its own clock');
    },
    queries: [],
    as: bearer,
    crash: async () => {
      await current.process.kill();
      await startAgain();
    },
    restart: async (between) => {
      await stopProcess();
      await between?.();
      await startAgain();
    },
    stop: async () => void (await stopProcess()),
    stopProcess,
  };
}
