import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, type TestContext } from 'vitest';
import type { KillTarget } from '../endurance/killing.ts';
import { ACTS } from '../endurance/plan.ts';
import { formatResult } from '../endurance/result-table.ts';
import { runEndurance } from '../endurance/run-endurance.ts';
import { verifies } from '../verifies.ts';

const KILLS = 8;

/** A small run of `pnpm endurance`, with a plan that has every end. */
async function endure(kill: KillTarget, { onTestFinished, signal }: TestContext): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'molecule-endurance-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const result = await runEndurance({
    messages: 100,
    kill,
    kills: KILLS,
    seed: 7,
    folder,
    stalledAfterMs: 40_000,
    onProgress: () => {},
    signal,
  });
  expect(result.offences).toEqual([]);
  expect(new Set([...result.ends.values()].map(({ status }) => status))).toEqual(
    new Set(Object.values(ACTS)),
  );
  expect([...result.kills.values()].reduce((sum, count) => sum + count, 0)).toBe(KILLS);
  expect(result.approvals).toBeGreaterThan(0);
  expect(formatResult(result)).toContain(`100 messages, ${KILLS} kills`);
}

describe('endurance', { timeout: 240_000 }, () => {
  verifies('endurance.one-end', 'platform killed', (test) => endure('platform', test));
  verifies('endurance.one-end', 'agents killed', (test) => endure('agents', test));
});
