import { Caller, type Http } from './http.ts';
import { type PlatformProcess, startPlatformProcess } from './platform-process.ts';
import type { RunningPlatform } from './running-platform.ts';

/** A platform in a process of its own. It has no manual clock and counts no SQL. */
export interface KillablePlatform extends RunningPlatform {
  /** Kills it and starts it again on the same port with the same data. */
  crash(): Promise<void>;
  /** Asks it to stop and gives its exit code. */
  stopProcess(): Promise<number | null>;
}

export async function startKillablePlatform(dataDir: string, http: Http): Promise<KillablePlatform> {
  let current: PlatformProcess = await startPlatformProcess({ dataDir });
  const { url, port, operatorKey } = current;
  const again = async () => {
    await http.hangUp();
    current = await startPlatformProcess({ dataDir, port, operatorKey });
  };
  const bearer = (token: string) => new Caller(http, () => url, { authorization: `Bearer ${token}` });
  return {
    url,
    port,
    dataDir,
    operatorKey,
    operator: bearer(operatorKey),
    anonymous: new Caller(http, () => url, {}),
    get clock(): never {
      throw new Error('a platform in another process has its own clock');
    },
    queries: [],
    as: bearer,
    crash: async () => {
      await current.kill();
      await again();
    },
    restart: async (between) => {
      await current.stop();
      await between?.();
      await again();
    },
    stop: async () => void (await current.stop()),
    stopProcess: () => current.stop(),
  };
}
