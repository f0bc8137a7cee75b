import { relative } from 'node:path';
import type { Reporter, TestModule, TestRunEndReason, Vitest } from 'vitest/node';
import { BEHAVIOURS, LATER } from '../behaviours.ts';
import { type ClaimingTest, isFullRun, judge } from './judge.ts';
import { printVerdict } from './print-verdict.ts';

/**
 * At the end of a full run of a command, fails it when one of its behaviours is unclaimed, a claim is unknown or belongs
 * to another command, or a claiming test failed or was skipped. A filtered run is not judged.
 */
export class ConformanceReporter implements Reporter {
  readonly #command: string;
  #vitest: Vitest | undefined;

  constructor(command: string) {
    this.#command = command;
  }

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  async onTestRunEnd(
    modules: readonly TestModule[],
    _errors: unknown,
    reason: TestRunEndReason,
  ): Promise<void> {
    const included = (await this.#vitest?.globTestSpecifications()) ?? [];
    const full = isFullRun({
      filesIncluded: included.map(({ moduleId }) => moduleId),
      filesRun: modules.map((module) => module.moduleId),
      pickedByName: this.#vitest?.config.testNamePattern !== undefined,
      interrupted: reason === 'interrupted',
    });
    const ids = Object.entries(BEHAVIOURS).flatMap(([id, { command }]) =>
      command === this.#command ? [id] : [],
    );
    if (!full || ids.length === 0) return;
    const verdict = judge({ ids, later: LATER }, modules.flatMap(claimsOf));
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
