import { copyFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';
import { blocksOf } from './harness/documents.ts';
import { runShell, shell } from './harness/programs.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const AGENT = join(ROOT, 'examples/quickstart/src/agent.ts');
const ADDRESS = 'http://localhost:8080';

// npm packs, and installs from its registry.
vi.setConfig({ testTimeout: 120_000 });

/** A platform in dev mode, and the commands of "Sixty seconds" with its address. */
async function sixtySeconds(environment: TestEnvironment) {
  const { url } = await environment.platform({ mode: 'dev' });
  const [, create = '', run = '', send = '', read = '', snippet = ''] = blocksOf(
    'README.md',
    'Sixty seconds',
  );
  const at = (commands: string) => commands.replaceAll(ADDRESS, url);
  const variables = '\necho "$MOLECULE_WORKSPACE_TOKEN"';
  const created = (await shell(environment, at(create) + variables)).trim().split('\n');
  const [id = '', token = ''] = created;
  const env = { MOLECULE_PLATFORM_URL: url, WORKSPACE_ID: id, MOLECULE_WORKSPACE_TOKEN: token };
  return { at, env, id, create, run, send, read, snippet };
}

// One database is enough: the pages name none.
onEachDatabase('commands of the README', { onDisk: true }, (environment) => {
  verifies('documents.sixty-seconds', async () => {
    const { at, env, id, create, run, send, read, snippet } = await sixtySeconds(environment);
    const folder = environment.folder();
    // Nobody is there yet: a short time limit instead of 25 seconds.
    const early = at(send).replace('<id>', id).replace('curl', 'curl -H "X-Timeout: 1"');
    const queued = JSON.parse(await shell(environment, early)) as Record<string, unknown>;
    expect(queued.status).toBe('queued');
    expect(run).toContain('examples/quickstart/dist/agent.js');
    const agent = runShell(environment, `exec node ${join(ROOT, 'examples/quickstart/dist/agent.js')}`, {
      env,
    });
    await agent.wrote('online');
    const record = at(read).replace('<message_id>', String(queued.message_id));
    expect(await shell(environment, record, { env })).toContain('echo: hello');
    expect(await shell(environment, at(send).replace('<id>', id))).toContain('echo: hello');
    await shell(environment, at(create) + snippet, { cwd: folder });
    expect(await shell(environment, 'cat agent.py', { cwd: folder })).toContain('def answer(text)');
    agent.interrupt();
    expect((await agent.exit).code).toBe(0);
  });

  verifies('documents.own-project', async () => {
    const { at, env, id, send } = await sixtySeconds(environment);
    const folder = environment.folder();
    const packages = join(environment.folder(), 'molecule-packages');
    const [pack = '', install = '', start = ''] = blocksOf('README.md', 'In your own project').map((block) =>
      block.replaceAll('~/molecule-packages', packages),
    );
    expect(pack).toContain('npx -y pnpm@12 build\n');
    // The tests ran the build before, and other files of them read it now.
    const npm = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
    await shell(environment, pack.replace('npx -y pnpm@12 build\n', ''), { cwd: ROOT, env: npm });
    await shell(environment, install, { cwd: folder, env: npm });
    const project = join(folder, 'echo-agent');
    copyFileSync(AGENT, join(project, 'agent.ts'));
    const agent = runShell(environment, `exec ${start}`, { cwd: project, env: { ...env, PATH: npm.PATH } });
    await agent.wrote('online');
    expect(await shell(environment, at(send).replace('<id>', id))).toContain('echo: hello');
  });
});
