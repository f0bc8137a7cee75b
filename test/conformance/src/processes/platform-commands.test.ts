import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseEnv } from 'node:util';
import { createRemoteAgent } from '@molecule-ai/core';
import { createPlatform } from '@molecule-ai/platform';
import { expect } from 'vitest';
import { runBin } from '../harness/platform-bin.ts';
import { onEachDatabase } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

// One database is enough: the commands use the API.
onEachDatabase('commands of the platform', { onDisk: true }, (environment) => {
  verifies('platform.command.workspace-create', async () => {
    for (const options of [{ mode: 'production', security: { orgId: 'acme' } }, { mode: 'dev' }] as const) {
      const platform = await environment.platform(options);
      const org: Record<string, string> = options.mode === 'dev' ? {} : { MOLECULE_ORG_ID: 'acme' };
      const variables = {
        ...org,
        MOLECULE_PLATFORM_URL: platform.url,
        ...(options.mode === 'dev' ? {} : { ADMIN_TOKEN: platform.operatorKey }),
      };
      const parent = await runBin(environment, ['workspace', 'create', 'the parent'], variables);
      expect(parent).toMatchObject({ code: 0, err: '' });
      const { MOLECULE_WORKSPACE_ID: parentId = '' } = parseEnv(parent.out);
      const args = ['workspace', 'create', 'echo', '--parent', parentId];
      const created = await runBin(environment, args, variables);
      expect(created).toMatchObject({ code: 0, err: '' });
      const printed = parseEnv(created.out);
      expect(created.out.trimEnd().split('\n')).toHaveLength(Object.keys(printed).length);
      const { MOLECULE_WORKSPACE_ID: id = '', MOLECULE_WORKSPACE_TOKEN: authToken, ...rest } = printed;
      expect(rest).toEqual({ MOLECULE_PLATFORM_URL: platform.url, ...org });

      const client = environment.client(platform, { id }, { authToken, orgId: org.MOLECULE_ORG_ID });
      const agent = createRemoteAgent({ client, onMessage: ({ text }) => `echo: ${text}` });
      environment.onCleanup(() => agent.stop());
      await agent.start();
      const headers = { authorization: `Bearer ${platform.operatorKey}`, 'x-molecule-org-id': 'acme' };
      const seen = await fetch(`${platform.url}/workspaces/${id}`, { headers });
      expect(await seen.json()).toMatchObject({ name: 'echo', status: 'online', parent_id: parentId });
      const again = await runBin(environment, args, variables);
      expect([again.code, again.err]).toEqual([
        0,
        expect.stringContaining(`There is another workspace with the name echo: ${id}.`),
      ]);
      expect(parseEnv(again.out).MOLECULE_WORKSPACE_ID).not.toBe(id);
    }
  });

  verifies('platform.command.workspace-create-elsewhere', async ({ skip }) => {
    const folder = environment.folder();
    const start = (directory: string) => createPlatform({ mode: 'dev', data: { directory } });
    // Another process may have the default port just now.
    const platform = await start(folder).catch(() => skip('port 8080 is in use'));
    environment.onCleanup(() => platform.close());
    const args = ['workspace', 'create', 'echo'];
    const refused = await runBin(environment, args);
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toContain(
      `Another platform listens at http://localhost:8080: its data is in ${folder}, not in /`,
    );
    expect(refused.err).toMatch(/started at \d{4}-\d\d-\d\dT.*\n.*add --url http:\/\/localhost:8080\./);
    expect(await (await fetch(`${platform.url}/workspaces`)).json()).toEqual([]);
    const own = await runBin(environment, args, { MOLECULE_DATA_DIR: `${folder}/.` });
    expect(own).toMatchObject({ code: 0, err: '' });
    const meant = await runBin(environment, [
      'workspace',
      'create',
      'other',
      '--url',
      'http://localhost:8080',
    ]);
    expect(meant).toMatchObject({ code: 0, err: '' });
    await platform.close();
    const inMemory = await start(':memory:');
    environment.onCleanup(() => inMemory.close());
    expect((await runBin(environment, args)).err).toContain('its data is in memory, not in /');
    expect(await runBin(environment, args, { MOLECULE_DATA_DIR: ':memory:' })).toMatchObject({ code: 0 });
  });

  verifies('platform.command.workspace-create-errors', async () => {
    const platform = await environment.platform();
    const web = createServer((request, response) => {
      if (request.url?.startsWith('/moved/'))
        response.writeHead(302, { location: `${platform.url}/workspaces` });
      response.end('<html>');
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    environment.onCleanup(() => new Promise<void>((resolve) => void web.close(() => resolve())));
    const { port } = web.address() as AddressInfo;
    const key = 'a-very-secret-operator-key';
    const create = async (args: string[], operatorKey = key) => {
      const { code, out, err } = await runBin(environment, ['workspace', 'create', ...args], {
        MOLECULE_OPERATOR_KEY: operatorKey,
      });
      expect(out).toBe('');
      if (operatorKey !== '') expect(err).not.toContain(operatorKey);
      return { code, lines: err.trimEnd().split('\n') };
    };
    const owned = platform.operatorKey;
    const failures: [string[], string, number, RegExp, RegExp][] = [
      [
        ['echo', '--url', 'http://127.0.0.1:2'],
        key,
        1,
        /^No platform can be reached .* no server listens/,
        /^Start it/,
      ],
      [
        ['echo', '--url', 'http://127.0.0.1:1'],
        key,
        1,
        /^No platform can be reached .* bad port/,
        /^Start it/,
      ],
      [['echo', '--url', `http://127.0.0.1:${port}`], key, 1, /did not answer as a platform/, /--url/],
      [['echo', '--url', `http://127.0.0.1:${port}/moved`], owned, 1, /did not answer .* HTTP 302/, /--url/],
      [['echo', '--url', 'localhost:8080'], key, 2, /not an http or https URL/, /--url/],
      [['echo', '--url', 'http://me:secret@localhost'], key, 2, /without credentials/, /--url/],
      [['echo', '--url', platform.url], key, 1, /refuses this operator key/, /MOLECULE_OPERATOR_KEY/],
      [['echo', '--url', platform.url], '', 1, /asks for the operator key/, /MOLECULE_OPERATOR_KEY/],
      [['echo', '--url', platform.url, '--parent', '3'], owned, 1, /parent_id/, /./],
      [['', '--url', platform.url], owned, 1, /name/, /./],
      [['my', 'agent'], owned, 2, /too many arguments for 'create'/, /--help/],
      [['--url', platform.url], owned, 2, /missing required argument 'name'/, /--help/],
    ];
    for (const [args, operatorKey, code, cause, hint] of failures) {
      const failed = await create(args, operatorKey);
      expect(failed, args.join(' ')).toEqual({ code, lines: [expect.any(String), expect.any(String)] });
      expect(failed.lines[0]).toMatch(cause);
      expect(failed.lines[1]).toMatch(hint);
    }
    const unusable: [Record<string, string>, string][] = [
      [{ MOLECULE_OPERATOR_KEY: `${key}\r\nx: y` }, 'MOLECULE_OPERATOR_KEY'],
      [{ MOLECULE_OPERATOR_KEY: `${key}\n` }, 'MOLECULE_OPERATOR_KEY'],
      [{ ADMIN_TOKEN: `${key}☃` }, 'ADMIN_TOKEN'],
      [{ MOLECULE_OPERATOR_KEY: owned, MOLECULE_ORG_ID: 'a\nb' }, 'MOLECULE_ORG_ID'],
      [{ MOLECULE_OPERATOR_KEY: owned, MOLECULE_ORG_ID: '$(id)' }, 'MOLECULE_ORG_ID'],
    ];
    for (const [variables, name] of unusable) {
      const args = ['workspace', 'create', 'echo', '--url', platform.url];
      const { code, out, err } = await runBin(environment, args, variables);
      expect([code, out]).toEqual([2, '']);
      expect(err).toMatch(new RegExp(`^${name} has characters that .*\nCorrect ${name};.*\n$`));
      expect(err).not.toContain(key);
    }
    const { body } = await platform.operator.get('/workspaces');
    expect(body).toEqual([]);
  });
});
