import { defineConfig } from 'vitest/config';
import { ConformanceReporter } from './test/conformance/src/report/conformance-reporter.ts';

/** The tests of each command, by its mode: `pnpm test` has the mode `test`, `pnpm test:packed` the mode `packed`. */
const COMMANDS: Readonly<Record<string, { readonly name: string; readonly include: readonly string[] }>> = {
  test: {
    name: 'test',
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/test/*.test.ts',
      'test/*/src/*.test.ts',
      'test/*/src/{endurance,report,seeds}/*.test.ts',
      'benchmarks/src/**/*.test.ts',
      'scripts/*.test.ts',
    ],
  },
  packed: {
    name: 'test:packed',
    include: ['test/conformance/src/packed/*.test.ts', 'packages/*/test/packed/*.test.ts'],
  },
  versions: { name: 'test:versions', include: ['test/*/src/versions/*.test.ts'] },
  processes: { name: 'test:processes', include: ['test/conformance/src/processes/*.test.ts'] },
  examples: { name: 'test:examples', include: ['examples/**/*.test.ts'] },
};

export default defineConfig(({ mode }) => {
  const command = COMMANDS[mode];
  return {
    test: {
      // Other tools that read this file, such as knip, see all tests.
      include: [...(command?.include ?? Object.values(COMMANDS).flatMap(({ include }) => include))],
      exclude: ['**/node_modules/**', '**/dist/**'],
      testTimeout: 20_000,
      hookTimeout: 30_000,
      // A platform that a test starts, in this process or another, checks requests and responses against the strict wire schemas,
      // unless the test says what it checks: raw callers of the conformance suite write looser requests.
      env: { MOLECULE_CONTRACT_CHECK: 'all' },
      // Files share their worker, which imports each package once.
      isolate: mode !== 'test',
      pool: 'forks',
      maxWorkers: 2,
      reporters: ['default', ...(command === undefined ? [] : [new ConformanceReporter(command.name)])],
    },
  };
});
