import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, type TestContext, vi } from 'vitest';
import { blocksOf, inlineCode, stepsOf } from '../harness/documents.ts';
import { textAt } from '../harness/http.ts';
import { type LocalRegistry, startEmptyRegistry, startLocalRegistry } from '../harness/local-registry.ts';
import { areInstalled, runShell, shell } from '../harness/programs.ts';
import { NODES, Reader } from '../harness/reader.ts';
import { onEachDatabase, type TestEnvironment } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const HEADING = 'Sixty seconds';
const GUIDE = 'docs/first-agent.md';
const READMES = [
  'packages/core/README.md',
  'packages/langchain/README.md',
  'packages/ai-sdk/README.md',
  'packages/nestjs/README.md',
  'packages/platform/README.md',
  'packages/protocol/README.md',
  'packages/net-guard/README.md',
  'packages/telemetry/README.md',
];

// npm installs frameworks, and packs.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let folder: string;
let registry: LocalRegistry;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'molecule-registry-'));
  registry = await startLocalRegistry(folder);
});
afterAll(async () => {
  await registry.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Does what a section prints on the oldest Node and on this one; the second time in the folder of the first. */
async function follow(
  environment: TestEnvironment,
  page: string,
  { onTestFailed }: TestContext,
): Promise<void> {
  const reader = new Reader(environment, registry.url);
  onTestFailed(() => void process.stderr.write(`${page}:\n${reader.transcript()}\n`));
  const steps = stepsOf(page, HEADING);
  for (const [at, [version, node]] of Object.entries(NODES).entries()) {
    reader.useNode(node);
    await reader.run('node --version', `v${version}`);
    await reader.follow(steps, { installed: at > 0 });
    await reader.interrupt();
  }
}

// One database is enough: the pages name none.
onEachDatabase('the first minute', { onDisk: true }, (environment) => {
  verifies('documents.first-minute', 'sixty seconds', async (context) => {
    if (areInstalled('curl')) await follow(environment, 'README.md', context);
  });

  verifies('documents.from-a-clone', 'own project', async (context) => {
    if (!areInstalled('curl')) return;
    const empty = await startEmptyRegistry();
    environment.onCleanup(() => empty.stop());
    const reader = new Reader(environment, empty.url);
    context.onTestFailed(() => void process.stderr.write(reader.transcript()));
    reader.useNode(dirname(process.execPath));
    const [pack = '', install = ''] = blocksOf('README.md', 'From a clone');
    const build = 'npx -y pnpm@12 build\n';
    expect(pack).toContain(build);
    // The tests ran the build before.
    const packOnly = pack.replace(build, '').replace('~/', `${reader.home}/`);
    await shell(environment, packOnly, { cwd: ROOT, env: { ...process.env } });
    const published = 'npm install @molecule-ai/core @molecule-ai/platform\n';
    const steps = stepsOf('README.md', HEADING).map((step) =>
      step.kind === 'file' ? step : { ...step, code: step.code.replace(published, install) },
    );
    expect(JSON.stringify(steps)).toContain('molecule-packages');
    await reader.follow(steps);
    await reader.interrupt();
  });

  verifies('documents.from-a-clone', 'platform from a clone', async () => {
    const [command = ''] = inlineCode('README.md', 'From a clone', 'npx -y pnpm@12 platform');
    expect(command).not.toBe('');
    const folder = environment.folder();
    const env = { ...process.env, PORT: '0', MOLECULE_DATA_DIR: folder, XDG_CACHE_HOME: folder };
    const platform = runShell(environment, `exec ${command}`, { cwd: ROOT, env });
    await platform.wrote('Ctrl+C stops it.');
    expect(platform.output()).toMatch(/dev mode\n\n +URL +http:\/\/127\.0\.0\.1:\d+\n/);
    platform.interrupt();
    const { output } = await platform.exit;
    expect(output).toContain('Platform stopped');
    expect(output).not.toMatch(/ELIFECYCLE|ERR_PNPM|"level":"(error|warn)"/);
  });

  verifies('documents.first-agent', async ({ onTestFailed }) => {
    if (!areInstalled('curl')) return;
    const reader = new Reader(environment, registry.url);
    onTestFailed(() => void process.stderr.write(reader.transcript()));
    reader.useNode(dirname(process.execPath));
    for (const heading of ['A project', 'A platform', 'A workspace']) {
      await reader.follow(stepsOf(GUIDE, heading));
    }
    const program = stepsOf(GUIDE, 'The program');
    await reader.follow(program);
    await reader.follow(stepsOf(GUIDE, 'The first message'));
    expect(await reader.interruptLast()).toContain('ended: stopped\n');
    const [ask = '', read = ''] = blocksOf(GUIDE, 'Stop and start');
    const variables = '. ./agent.env\n';
    const queued = (await reader.run(variables + ask)).output();
    expect(queued).toContain('"status":"queued"');
    await reader.follow(program);
    const messageId = textAt(JSON.parse(queued), 'message_id');
    const answer = await reader.run(variables + read.replace('<message_id>', messageId));
    expect(answer.output()).toContain('words: 3');
    const kept = (await reader.run('ls -A ~/.molecule/*')).output();
    expect(kept.split('\n')).toEqual(expect.arrayContaining(['inbound.jsonl', 'instance', 'agent.lock']));
    await reader.interrupt();
  });

  for (const page of READMES) {
    verifies('documents.first-minute', `the first minute of ${page}`, async (context) => {
      if (areInstalled('curl')) await follow(environment, page, context);
    });
  }
});
