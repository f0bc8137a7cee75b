import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, vi } from 'vitest';
import { JestProject, TypedJestProject } from '../projects/index.ts';
import { verifies } from '../verifies.ts';

/** npm and Jest in processes of their own. */
vi.setConfig({ testTimeout: 240_000 });

/** The samples of docs/testing.md. */
const SAMPLES = ['greeter', 'chaos'];

verifies('testing.jest', 'jest', async () => {
  const fileOf = (name: string) =>
    fileURLToPath(new URL(`../../../../examples/testing-an-agent/src/${name}.test.cjs`, import.meta.url));
  const project = new JestProject(
    Object.fromEntries(SAMPLES.map((name) => [`${name}.test.js`, fileOf(name)])),
  );
  onTestFinished(() => project.remove());
  const { hasPassed, output } = await project.run();
  expect(output).toMatch(/Tests:\s+2 passed, 2 total/);
  expect(hasPassed).toBe(true);
  expect(output).not.toMatch(/open handle|did not exit|after the Jest environment/i);
});

verifies('testing.jest', 'jest types', () => {
  const project = new TypedJestProject();
  onTestFinished(() => project.remove());
  expect(project.compile('@jest/globals')).toBe('');
  expect(project.compile('@types/jest')).toBe('');
});
