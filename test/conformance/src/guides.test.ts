import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRemoteAgent } from '@molecule-ai/core';
import { expect } from 'vitest';
import { blocksOf } from './harness/documents.ts';
import { textAt } from './harness/http.ts';
import { createMember, inbox, inboxTexts, onboard, send } from './harness/members.ts';
import { PollingClient } from './harness/polling-client.ts';
import { areInstalled, runShell, shell } from './harness/programs.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PATH = `${dirname(process.execPath)}:${process.env.PATH}`;

// One database is enough: the pages name none.
onEachDatabase('commands of the guides', { onDisk: true }, (environment) => {
  verifies('documents.guides', 'in dev mode', () => answersWithCurl('dev'));
  verifies('documents.guides', 'in production', () => answersWithCurl('production'));

  async function answersWithCurl(mode: 'dev' | 'production'): Promise<void> {
    if (!areInstalled('curl')) return;
    const platform = await environment.platform({ mode });
    const member = await createMember(platform);
    const agent = createRemoteAgent({
      client: environment.client(platform, member),
      onMessage: () => ({ questions: [{ kind: 'approval', text: 'Deploy?', from: 'user' }] }),
      onAnswer: (answer) => {
        if (answer.kind === 'late') return null;
        return answer.questions.map(({ decision, answer: words }) => `${decision}: ${words}`).join();
      },
    });
    environment.onCleanup(() => agent.stop());
    await agent.start();
    const operator = environment.operator(platform);
    const asked = await operator.sendMessage(member.id, 'Deploy.');
    expect(asked.status).toBe('input-required');
    const [list = '', answer = ''] = blocksOf('docs/questions.md', 'Who answers');
    const cwd = environment.folder();
    writeFileSync(
      join(cwd, 'agent.env'),
      `MOLECULE_PLATFORM_URL=${platform.url}\nMOLECULE_WORKSPACE_ID=${member.id}\n`,
    );
    const page = readFileSync(join(ROOT, 'docs/questions.md'), 'utf8');
    const [key = ''] = /-H "Authorization: Bearer \$MOLECULE_OPERATOR_KEY"/.exec(page) ?? [];
    expect(key).not.toBe('');
    // In dev mode as printed; in production with what the page adds.
    const run = (commands: string) =>
      mode === 'dev'
        ? shell(environment, commands, { cwd, env: { PATH } })
        : shell(environment, commands.replace('curl -sS', `curl -sS ${key}`), {
            cwd,
            env: { PATH, MOLECULE_OPERATOR_KEY: platform.operatorKey },
          });
    const listed = JSON.parse(await run(list));
    expect(textAt(listed, 'questions', 0, 'text')).toBe('Deploy?');
    const id = textAt(listed, 'questions', 0, 'id');
    await run(`. ./agent.env\n${answer.replace('<id of the question>', id)}`);
    const { text } = await operator.waitForAnswer(member.id, asked.messageId);
    expect(text).toBe('approve: After six.');
  }

  verifies('documents.guides', 'operating', async () => {
    if (!areInstalled('curl')) return;
    const blocks = (heading: string) => blocksOf('docs/operating.md', heading);
    const [, start = ''] = blocks('Start'); // the first one installs the package
    const [create = ''] = blocks('Workspaces');
    const [mint = '', list = ''] = blocks('Tokens of workspaces');
    const [backup = '', restore = ''] = blocks('Back-up and restore');
    const cwd = environment.folder();
    const data = environment.folder();
    const lines = start.trimEnd().split('\n');
    const here = (command = '') =>
      command
        .replace('npx @molecule-ai/platform', `exec node ${ROOT}packages/platform/dist/main.js`)
        .replace('/var/lib/molecule', data);
    const run = async () => {
      const commands = `${here(lines.slice(-2).join('\n'))} --port 0 --json`;
      const platform = runShell(environment, commands, { cwd, env: { PATH } });
      await platform.wrote('"operatorKey"');
      const { url, operatorKey } = JSON.parse(/^\{"url".*$/m.exec(platform.output())?.[0] ?? '');
      const env = {
        PATH,
        MOLECULE_PLATFORM_URL: url as string,
        MOLECULE_OPERATOR_KEY: operatorKey as string,
      };
      return { platform, env };
    };
    await shell(environment, lines.slice(0, -2).join('\n'), { cwd, env: { PATH } });
    const { platform, env } = await run();
    expect(await shell(environment, 'cat platform.env', { cwd })).toContain(
      `ADMIN_TOKEN=${env.MOLECULE_OPERATOR_KEY}`,
    );
    const id = textAt(JSON.parse(await shell(environment, create, { env })), 'id');
    const minted = await shell(environment, mint, { env: { ...env, MOLECULE_WORKSPACE_ID: id } });
    const token = textAt(JSON.parse(minted), 'auth_token');
    expect(await shell(environment, here(backup), { cwd, env })).toContain('1 workspace, 0 messages');
    await shell(environment, create, { env });
    platform.interrupt();
    expect((await platform.exit).code).toBe(0);

    expect(await shell(environment, here(restore), { cwd, env })).toContain('1 workspace, 0 messages');
    const second = await run();
    const listed = await shell(environment, list, { env: { ...second.env, MOLECULE_WORKSPACE_ID: id } });
    expect(listed).toContain(token.slice(0, 8));
    const response = await fetch(`${second.env.MOLECULE_PLATFORM_URL}/workspaces/${id}/state`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(response.status).toBe(200);
    second.platform.interrupt();
    expect((await second.platform.exit).code).toBe(0);
  });
  verifies('documents.from-the-python-sdk', async () => {
    if (!areInstalled('python3')) return;
    const platform = await environment.platform();
    const [member, peer] = [await createMember(platform), await onboard(platform)];
    const [cwd, home] = [environment.folder(), environment.folder()];
    const python = new PollingClient('python-sdk', member);
    await python.start();
    await send(peer.caller, member.id, 'one two');
    await python.rounds();
    expect(python.handled).toEqual(['one two']);
    await python.reply(peer.id, 'words: 2');
    // What the Python SDK leaves behind: neither file ends with a line break.
    const [row] = await inbox(member);
    const folder = join(home, '.molecule', member.id);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, '.auth_token'), member.token, { mode: 0o600 });
    writeFileSync(join(cwd, 'cursor'), String(row?.id));

    const env = { PATH, HOME: home, PLATFORM_URL: platform.url, WORKSPACE_ID: member.id };
    const [copy = ''] = blocksOf('docs/from-the-python-sdk.md', 'Taking over a workspace');
    await shell(environment, copy, { cwd, env: { ...env, MOLECULE_CURSOR_FILE: 'cursor' } });
    await send(platform.operator, member.id, 'while nobody was there', { messageId: 'm-1' });
    const program = join(ROOT, 'examples/guides/src/from-the-python-sdk.ts');
    const agent = runShell(environment, `exec node ${program}`, { cwd, env });
    const operator = environment.operator(platform);
    expect((await operator.waitForAnswer(member.id, 'm-1')).text).toBe('words: 4');
    agent.interrupt();
    expect(await agent.exit).toMatchObject({ code: 0, output: 'loop ended: stopped\n' });
    expect(await inboxTexts(peer)).toEqual(['words: 2']);
    const source = join(ROOT, 'examples/guides/src/python/counter.py');
    await shell(environment, `python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' ${source}`, {
      env,
    });
  });
});
