// Runs the tests for node:test; those for vitest and Jest run in the tests of the repository.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('with-node-test.js', import.meta.url));
const { status, stdout } = spawnSync(process.execPath, ['--test', file], { encoding: 'utf8' });
const hasPassed = status === 0 && /pass 1$/m.test(stdout);
console.log(hasPassed ? '✓ the agent waits while it is paused' : `✗ ${stdout}`);
process.exitCode = hasPassed ? 0 : 1;
