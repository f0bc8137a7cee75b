import { copyFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';
import { createMember } from '../harness/members.ts';
import { runProgram } from '../harness/programs.ts';
import { onEachDatabase, type TestEnvironment } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const GUIDES = join(ROOT, 'examples/guides');
const PAGE = join(ROOT, 'docs/first-agent.md');

vi.setConfig({ testTimeout: 60_000 });

/** A project with the packages and the program of the page. */
function project(environment: TestEnvironment): string {
  const folder = environment.folder();
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  symlinkSync(join(GUIDES, 'node_modules'), join(folder, 'node_modules'));
  copyFileSync(join(GUIDES, 'src/first-agent.ts'), join(folder, 'agent.ts'));
  return folder;
}

onEachDatabase('the page "A first agent"', { onDisk: true }, (environment) => {
  verifies('documents.first-agent-errors', async () => {
    const platform = await environment.platform();
    const [agent, removed] = [await createMember(platform), await createMember(platform)];
    await platform.operator.delete(`/workspaces/${removed.id}`);
    const organisation = await environment.platform({ security: { orgId: 'acme' } });
    const pages = (status = 200) =>
      environment.scriptedAgent({
        script: () => ({ kind: 'text', text: '<html></html>', type: 'text/html', status }),
      });
    const [html, notFound, notImplemented] = [await pages(), await pages(404), await pages(501)];
    const cwd = project(environment);
    const valid = {
      MOLECULE_PLATFORM_URL: platform.url,
      MOLECULE_WORKSPACE_ID: agent.id,
      MOLECULE_WORKSPACE_TOKEN: agent.token,
      MOLECULE_STATE_DIR: join(cwd, 'state'),
    };
    const start = (changes: Record<string, string>, program = 'agent.ts') =>
      runProgram(environment, process.execPath, [program], { cwd, env: { ...valid, ...changes } });
    const elsewhere = () => ({ MOLECULE_STATE_DIR: environment.folder() });
    const answering = (name: string, handler: string) => {
      const text = readFileSync(join(cwd, 'agent.ts'), 'utf8');
      writeFileSync(join(cwd, name), text.replace(/onMessage: .*/, `onMessage: ${handler},`));
      return start(elsewhere(), name);
    };
    const ask = () =>
      platform.operator.post(`/workspaces/${agent.id}/a2a`, { text: 'hello' }, { 'x-timeout': '0' });
    const online = async () => {
      const running = start({});
      await running.wrote('online');
      return running;
    };

    const causes = [
      () => runProgram(environment, process.execPath, ['agent.ts'], { cwd, env: {} }),
      () => start({ MOLECULE_WORKSPACE_ID: '' }),
      () => start({ MOLECULE_WORKSPACE_ID: 'counter' }),
      () => start({ MOLECULE_PLATFORM_URL: 'localhost:8080' }),
      () => start({ MOLECULE_PLATFORM_URL: platform.url.replace('http:', 'https:'), ...elsewhere() }),
      () => start({ MOLECULE_PLATFORM_URL: 'http://127.0.0.1:9', ...elsewhere() }),
      () => start({ MOLECULE_PLATFORM_URL: html.url, ...elsewhere() }),
      () => start({ MOLECULE_PLATFORM_URL: notImplemented.url, ...elsewhere() }),
      () => start({ MOLECULE_PLATFORM_URL: notFound.url, ...elsewhere() }),
      () => start({ MOLECULE_PLATFORM_URL: `${platform.url}/api`, ...elsewhere() }),
      () => start({ MOLECULE_PLATFORM_URL: organisation.url, ...elsewhere() }),
      () => start({ MOLECULE_WORKSPACE_TOKEN: '', ...elsewhere() }),
      () => start({ MOLECULE_WORKSPACE_TOKEN: 'A'.repeat(43), ...elsewhere() }),
      () => start({ MOLECULE_WORKSPACE_TOKEN: `"${agent.token}"`, ...elsewhere() }),
      () => start({ MOLECULE_WORKSPACE_TOKEN: `Bearer ${agent.token}`, ...elsewhere() }),
      () => start({ MOLECULE_WORKSPACE_ID: removed.id, ...elsewhere() }),
      () =>
        start({ MOLECULE_WORKSPACE_ID: removed.id, MOLECULE_WORKSPACE_TOKEN: removed.token, ...elsewhere() }),
      () => start({}),
      () => start(elsewhere()),
      () => answering('throwing.ts', "() => { throw new Error('no disk') }"),
      () => answering('number.ts', '() => 42 as never'),
    ];
    const rows = [...readFileSync(PAGE, 'utf8').matchAll(/^\| `([^`]+)` \|.*\|$/gm)].map(
      (row) => row[1] ?? '',
    );
    const printed = rows.slice(
      rows.indexOf('workspaceId (or MOLECULE_WORKSPACE_ID, WORKSPACE_ID) are missing'),
    );
    expect(printed).toHaveLength(causes.length);

    const reader = await online();
    for (const [index, text] of printed.entries()) {
      if (text.includes('Handling a message')) {
        reader.interrupt();
        await reader.exit;
        await ask();
      }
      const running = causes[index]?.();
      await running?.wrote(text);
      running?.interrupt();
      await running?.exit;
      expect(running?.output()).not.toContain(agent.token);
    }
  });
});
