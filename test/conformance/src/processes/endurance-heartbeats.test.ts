import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, type TestContext } from 'vitest';
import { type HeartbeatRunResult, heartbeatOffences, runHeartbeats } from '../endurance/heartbeat-run.ts';
import { verifies } from '../verifies.ts';

interface Times {
  readonly burnMs: number;
  readonly staleAfterMs: number;
  readonly maxBlockMs: number;
}

/** A short run of `pnpm endurance --only=heartbeats`. */
async function endure(times: Times, { onTestFinished, signal }: TestContext): Promise<HeartbeatRunResult> {
  const folder = mkdtempSync(join(tmpdir(), 'molecule-heartbeats-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const result = await runHeartbeats({
    ...times,
    folder,
    suspendMs: 0,
    heartbeatIntervalMs: 1_000,
    onProgress: () => {},
    signal,
  });
  expect(heartbeatOffences(result, { ...times, maxGapMs: Number.POSITIVE_INFINITY })).toEqual([]);
  return result;
}

describe('an agent that is blocked, and one that is suspended', { timeout: 120_000 }, () => {
  verifies(
    ['presence.blocked-stays-online', 'presence.suspended-returns'],
    'blocked stays online; suspended returns',
    async (test) => {
      await endure({ burnMs: 20_000, staleAfterMs: 10_000, maxBlockMs: 300_000 }, test);
    },
  );

  verifies(['presence.wedged', 'presence.reports-the-lag'], 'wedged; reports the lag', async (test) => {
    const { largestLagMs } = await endure({ burnMs: 8_000, staleAfterMs: 8_000, maxBlockMs: 2_000 }, test);
    expect(largestLagMs).toBeGreaterThan(4_000);
  });
});
