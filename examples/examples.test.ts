import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
// With a key, some ask a real model; with NODE_ENV=test, agents of NestJS are off.
const env = { ...process.env, NODE_ENV: '', OPENAI_API_KEY: '', ANTHROPIC_API_KEY: '' };
// The demo has tests of its own.
const programs = globSync('examples/*/dist/main.js').filter((program) => !program.includes('/demo/'));

describe.each(programs.sort())('%s', (program) => {
  it('runs offline, checks itself, and ends by itself', { timeout: 120_000 }, async () => {
    const { stdout } = await run(process.execPath, [program], { env });
    expect(stdout).toContain('✓');
    expect(stdout).not.toContain('✗');
  });
});

it('covers every example', () => {
  expect(programs).toHaveLength(globSync('examples/*/package.json').length - 1);
});
