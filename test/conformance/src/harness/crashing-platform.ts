import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { KillablePlatform } from './killable-platform.ts';
import type { TestEnvironment } from './test-environment.ts';

const PROGRAM = fileURLToPath(new URL('./crashing-platform-program.ts', import.meta.url));

/**
 * Where the platform kills its own process: in the transaction that stores a message (of a sender, or the late answer of an
 * agent), records an answer, or registers an agent; before or after its commit.
 */
export type PlatformCrashPoint =
  | 'storing'
  | 'stored'
  | 'recording'
  | 'recorded'
  | 'registering'
  | 'registered';

export interface CrashingPlatform {
  readonly platform: KillablePlatform;
  /** From now on the process kills itself when it comes to the point for the `nth` time, counted from 1. */
  arm(at: PlatformCrashPoint, nth: number): Promise<void>;
  /** Waits until the process has killed itself, and starts the platform again. */
  startAgain(): Promise<void>;
}

/** Starts a platform in a process of its own that allows direct calls and can be armed to kill itself. */
export async function startCrashingPlatform(environment: TestEnvironment): Promise<CrashingPlatform> {
  const file = join(environment.folder(), 'crash.json');
  const platform = await environment.platformProcess({
    program: PROGRAM,
    environment: { CRASH_FILE: file, EXTERNAL_PLATFORM_URL: 'https://molecule.example.com' },
  });
  return {
    platform,
    arm: async (at, nth) => {
      writeFileSync(file, JSON.stringify({ at, nth }));
      platform.process.signal('SIGUSR2');
      await platform.process.waitForEvent('armed');
    },
    startAgain: async () => {
      // As long as the point is not reached, this waits.
      expect(await platform.process.exit).toMatchObject({ signal: 'SIGKILL' });
      await platform.crash();
    },
  };
}
