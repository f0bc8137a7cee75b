import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createPlatform } from '@molecule-ai/platform';
import { ProgramProcess } from '@molecule-tests/harness';
import { afterAll, beforeAll, expect, onTestFinished, vi } from 'vitest';
import {
  type CompilerOptions,
  ConsumerApplication,
  Node10Project,
  StrictProject,
} from '../projects/index.ts';
import { verifies } from '../verifies.ts';

const TEMPLATES: readonly CompilerOptions[] = [
  { nest: 10, typescript: '5.1', strict: true },
  { nest: 10, typescript: '5.9', strict: false },
  { nest: 11, typescript: '5.9', strict: true },
  { nest: 12, typescript: '6.0', strict: true },
];
/** Compilers, npm and a platform in processes of their own. */
const TIME_LIMIT_MS = 240_000;

vi.setConfig({ testTimeout: TIME_LIMIT_MS, hookTimeout: TIME_LIMIT_MS });

let application: ConsumerApplication;
beforeAll(() => {
  application = new ConsumerApplication();
});
afterAll(() => application.remove());

verifies('packed.types', 'types cross module formats', () => {
  for (const template of TEMPLATES) {
    expect(application.compile(template).problems, JSON.stringify(template)).toBe('');
  }
});

verifies('packed.types', 'declarations compile', () => {
  const project = new StrictProject();
  onTestFinished(() => project.remove());
  expect(project.entries).toContain('@molecule-ai/platform/testing');
  expect(project.compile()).toBe('');
});

verifies('packed.types', 'declarations compile without types of Node', () => {
  const project = new StrictProject({ hasNodeTypes: false });
  onTestFinished(() => project.remove());
  expect(project.entries).toContain('@molecule-ai/core/testing');
  expect(project.compile()).toBe('');
});

verifies('packed.types', 'node10 resolution', () => {
  const project = new Node10Project();
  onTestFinished(() => project.remove());
  expect(project.entries.map((entry) => entry.slice('@molecule-ai/'.length))).toEqual(
    expect.arrayContaining([
      'ai-sdk',
      'ai-sdk/chat',
      'core/inbound',
      'langchain',
      'nestjs/testing',
      'platform/testing',
    ]),
  );
  expect(project.compile()).toEqual({
    own: [],
    // Frameworks that do not support this resolution in each of their own files.
    others: ['@ai-sdk/provider-utils/dist/index.d.ts', 'langchain/dist/agents/middleware/types.d.cts'],
  });
});

verifies('values.copies-share-a-process', async () => {
  for (const template of TEMPLATES.filter(({ nest, strict }) => strict && nest !== 11)) {
    expect(await run(application.compile(template).main), JSON.stringify(template)).toEqual({
      report: {
        event: 'started',
        label: expect.stringMatching(/^client of [0-9a-f-]{36}$/),
        code: 'workspace_in_use',
        recognised: true,
        injected: true,
        operator: 'function',
      },
      reply: {
        text: 'hello',
        answer: 'the answer',
        streamed: { text: 'the answer', isWhole: true },
        sameBytes: true,
        sameClient: true,
        sameMessage: true,
      },
      exit: { code: 0, signal: null },
    });
  }
});

/** Runs the compiled application as an agent of a platform, and sends it a message. */
async function run(program: string): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'molecule-consumer-run-'));
  const platform = await createPlatform({
    mode: 'dev',
    server: { port: 0 },
    data: { directory: ':memory:' },
  });
  const operator = new OperatorClient({ platformUrl: platform.url, operatorKey: platform.operatorKey });
  const { id, authToken } = await operator.createWorkspace({ name: 'assistant' });
  const other = await operator.createWorkspace({ name: 'other' });
  const client = new RemoteAgentClient({
    platformUrl: platform.url,
    workspaceId: other.id,
    authToken: other.authToken ?? undefined,
    storage: { directory: join(folder, 'other') },
  });
  const peer = createRemoteAgent({ client, onMessage: () => 'the answer' });
  await peer.start();
  const agent = new ProgramProcess({
    name: 'application',
    program,
    folder,
    environment: {
      MOLECULE_PLATFORM_URL: platform.url,
      MOLECULE_WORKSPACE_ID: id,
      MOLECULE_WORKSPACE_TOKEN: authToken ?? '',
      MOLECULE_STATE_DIR: join(folder, 'state'),
      PEER: other.id,
    },
  });
  try {
    const report = await agent.waitForEvent('started');
    const { text } = await operator.sendMessage(id, 'hello');
    return { report, reply: JSON.parse(text), exit: await agent.stop() };
  } finally {
    await agent.kill();
    await peer.stop();
    await client.close();
    await operator.close();
    await platform.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
