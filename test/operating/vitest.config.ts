import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const inThisFolder = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** `pnpm operating`. Not part of `pnpm test`: these suites need nginx, Caddy and systemd. */
export default defineConfig({
  test: {
    root: inThisFolder('.'),
    include: ['suite/**/*.suite.ts'],
    globalSetup: inThisFolder('src/trusted-certificate.ts'),
    // A feed read is held for a minute.
    testTimeout: 100_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
  },
});
