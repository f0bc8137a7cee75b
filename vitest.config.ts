import { defineConfig } from 'vitest/config';
import { ConformanceReporter } from './test/conformance/src/report/conformance-reporter.ts';

export default defineConfig({
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      'examples/*/{src,test}/**/*.test.ts',
      'test/*/src/**/*.test.ts',
      'benchmarks/src/**/*.test.ts',
      'scripts/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    env: {
      // Each platform that a test starts, in this process or another, checks every request it
      // accepts and every answer it gives against the strict wire schemas.
      MOLECULE_CONTRACT_CHECK: 'all',
    },
    reporters: ['default', new ConformanceReporter()],
    maxWorkers: 2,
  },
});
