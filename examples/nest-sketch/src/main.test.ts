import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const program = fileURLToPath(new URL('../dist/main.js', import.meta.url));

it('answers through a provider, drains when it closes, and ends', async () => {
  const { stdout } = await run(process.execPath, [program]);
  expect(stdout.match(/✓/g)).toHaveLength(3);
});
