import { renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRemoteAgent } from '@molecule-ai/core';
import { expect } from 'vitest';
import { blocksOf } from './harness/documents.ts';
import { textAt } from './harness/http.ts';
import { createMember } from './harness/members.ts';
import { areInstalled, runShell, shell } from './harness/programs.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PATH = `${dirname(process.execPath)}:${process.env.PATH}`;

// One database is enough: the pages name none.
onEachDatabase('commands of the guides', { onDisk: true }, (environment) => {
  verifies('documents.questions-curl', async () => {
    if (!areInstalled('curl')) return;
    const platform = await environment.platform();
    const member = await createMember(platform);
    const agent = createRemoteAgent({
      client: environment.client(platform, member),
      onMessage: ({ answers: [approval] }) => {
        if (approval !== undefined) return `${approval.decision}: ${approval.text}`;
        return { text: '', questions: [{ kind: 'approval', text: 'Deploy?', from: 'user' }] };
      },
    });
    environment.onCleanup(() => agent.stop());
    await agent.start();
    const operator = environment.operator(platform);
    const asked = await operator.sendMessage(member.id, 'Deploy.');
    expect(asked.status).toBe('input-required');
    const [list = '', answer = ''] = blocksOf('docs/questions.md', 'Who answers');
    const env = {
      MOLECULE_PLATFORM_URL: platform.url,
      WORKSPACE_ID: member.id,
      MOLECULE_OPERATOR_KEY: platform.operatorKey,
    };
    const listed = JSON.parse(await shell(environment, list, { env }));
    expect(textAt(listed, 'questions', 0, 'text')).toBe('Deploy?');
    const id = textAt(listed, 'questions', 0, 'id');
    await shell(environment, answer.replace('<id of the question>', id), { env });
    const { text } = await operator.waitForAnswer(member.id, asked.messageId);
    expect(text).toBe('approve: After six.');
  });

  verifies('documents.running-a-platform', async () => {
    if (!areInstalled('curl')) return;
    const blocks = (heading: string) => blocksOf('docs/running-a-platform.md', heading);
    const [start = ''] = blocks('Start');
    const [create = ''] = blocks('Workspaces');
    const [mint = '', list = ''] = blocks('Tokens of workspaces');
    const [copy = ''] = blocks('Back-up');
    const cwd = environment.folder();
    const data = environment.folder();
    const restored = environment.folder();
    const lines = start.trimEnd().split('\n');
    const command = (folder: string) =>
      `exec ${lines.at(-1)?.replace('packages/', `${ROOT}packages/`).replace('/var/lib/molecule', folder)} --port 0 --json`;
    const run = async (folder: string) => {
      const platform = runShell(environment, command(folder), { cwd, env: { PATH } });
      await platform.wrote('"operatorKey"');
      const { url, operatorKey } = JSON.parse(/^\{"url".*$/m.exec(platform.output())?.[0] ?? '');
      const env = {
        PATH,
        MOLECULE_PLATFORM_URL: url as string,
        MOLECULE_OPERATOR_KEY: operatorKey as string,
      };
      return { platform, env };
    };
    await shell(environment, lines.slice(0, -1).join('\n'), { cwd, env: { PATH } });
    const { platform, env } = await run(data);
    expect(await shell(environment, 'cat platform.env', { cwd })).toContain(
      `ADMIN_TOKEN=${env.MOLECULE_OPERATOR_KEY}`,
    );
    const id = textAt(JSON.parse(await shell(environment, create, { env })), 'id');
    const minted = await shell(environment, mint, { env: { ...env, WORKSPACE_ID: id } });
    const token = textAt(JSON.parse(minted), 'auth_token');
    await shell(environment, copy.replace('/var/lib/molecule', data), { cwd, env });
    platform.interrupt();
    expect((await platform.exit).code).toBe(0);

    renameSync(join(cwd, 'backup.db'), join(restored, 'platform.db'));
    const second = await run(restored);
    const listed = await shell(environment, list, { env: { ...second.env, WORKSPACE_ID: id } });
    expect(listed).toContain(token.slice(0, 8));
    const response = await fetch(`${second.env.MOLECULE_PLATFORM_URL}/workspaces/${id}/state`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(response.status).toBe(200);
    second.platform.interrupt();
    expect((await second.platform.exit).code).toBe(0);
  });
});
