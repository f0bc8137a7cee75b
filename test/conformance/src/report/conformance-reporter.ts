import { globSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Reporter, TestModule, TestRunEndReason, Vitest } from 'vitest/node';
import { BEHAVIOURS, LATER } from '../behaviours.ts';
import { type ClaimingTest, isFullRun, judge } from './judge.ts';
import { printVerdict } from './print-verdict.ts';

const SOURCE = fileURLToPath(new URL('..', import.meta.url));

/**
 * At the end of a full run of the conformance suite, fails it when a behaviour is unclaimed, a claim is
 * unknown, or a claiming test failed or was skipped. A filtered run is not judged.
 */
export class ConformanceReporter implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[], _errors: unknown, reason: TestRunEndReason): void {
    const full = isFullRun({
      filesOnDisk: globSync('**/*.test.ts', { cwd: SOURCE }).map((file) => resolve(SOURCE, file)),
      filesRun: modules.map((module) => module.moduleId),
      pickedByName: this.#vitest?.config.testNamePattern !== undefined,
      interrupted: reason === 'interrupted',
    });
    if (!full) return;
    const verdict = judge({ ids: Object.keys(BEHAVIOURS), later: LATER }, modules.flatMap(claimsOf));
    console.log(`\n${printVerdict(verdict)}\n`);
    if (!verdict.ok) process.exitCode = 1;
  }
}

function claimsOf(module: TestModule): ClaimingTest[] {
  return [...module.children.allTests()]
    .map((test) => ({
      title: test.fullName,
      file: relative(process.cwd(), module.moduleId),
      state: test.result().state,
      claims: test.meta().verifies ?? [],
    }))
    .filter((test) => test.claims.length > 0);
}
