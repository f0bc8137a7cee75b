// Runs the tests for node:test; those for vitest and Jest run in the tests of the repository.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const files = ['with-node-test.js', 'peers-with-node-test.js'].map((name) =>
  fileURLToPath(new URL(name, import.meta.url)),
);
const { status, stdout } = spawnSync(process.execPath, ['--test', ...files], { encoding: 'utf8' });
const hasPassed = status === 0 && /pass 2$/m.test(stdout);
console.log(hasPassed ? '✓ the agent waits while it is paused, and asks its peers' : `✗ ${stdout}`);
process.exitCode = hasPassed ? 0 : 1;
