import { fileURLToPath } from 'node:url';
import { JestProject } from '@molecule-tests/consumers';
import { expect, onTestFinished, vi } from 'vitest';
import { verifies } from './verifies.ts';

/** npm and Jest in processes of their own. */
vi.setConfig({ testTimeout: 240_000 });

const SAMPLE = '../../../examples/testing-an-agent/src/greeter.test.cjs';

verifies('testing.jest', () => {
  const project = new JestProject({ 'greeter.test.js': fileURLToPath(new URL(SAMPLE, import.meta.url)) });
  onTestFinished(() => project.remove());
  const { hasPassed, output } = project.run();
  expect(output).toMatch(/Tests:\s+1 passed, 1 total/);
  expect(hasPassed).toBe(true);
  expect(output).not.toMatch(/open handle|did not exit|after the Jest environment/i);
});
