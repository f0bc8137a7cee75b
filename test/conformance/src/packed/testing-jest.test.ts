import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, vi } from 'vitest';
import { startHeartbeatProxy } from '../harness/heartbeat-proxy.ts';
import { createMember } from '../harness/members.ts';
import { onEachDatabase } from '../harness/test-environment.ts';
import { JestProject, TypedJestProject } from '../projects/index.ts';
import { verifies } from '../verifies.ts';

/** npm and Jest in processes of their own. */
vi.setConfig({ testTimeout: 240_000 });

const HEARTBEATS = fileURLToPath(new URL('../../../consumers/jest/heartbeats.test.cjs', import.meta.url));
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

onEachDatabase('an agent in Jest', (environment) => {
  verifies('testing.jest', 'an agent keeps its heartbeats in the worker', async () => {
    const platform = await environment.platform();
    const proxy = await startHeartbeatProxy(environment, platform.url);
    const { id, token } = await createMember(platform);
    const project = new JestProject({ 'heartbeats.test.js': HEARTBEATS });
    environment.onCleanup(() => project.remove());
    const { hasPassed, output } = await project.run({
      arguments: ['--detectOpenHandles'],
      environment: {
        MOLECULE_PLATFORM_URL: proxy.url,
        MOLECULE_WORKSPACE_ID: id,
        MOLECULE_WORKSPACE_TOKEN: token,
        MOLECULE_STATE_DIR: join(project.folder, 'state'),
        HEARTBEATS_URL: `${proxy.heartbeatsUrl}?id=${id}`,
      },
    });
    expect(output).toMatch(/Tests:\s+1 passed, 1 total/);
    expect(hasPassed).toBe(true);
    expect(output).not.toMatch(/open handle|did not exit|after the Jest environment/i);
  });
});
