import { routes } from '@molecule-ai/protocol';
import { expect, it } from 'vitest';
import { createPlatform } from '../index.ts';
import { silentLogger } from '../logging/logger.ts';
import { mount } from './mount.ts';

it('serves only routes of the table, with the bodies that it declares', () => {
  const check = (app: Parameters<typeof mount>[0]) => {
    // @ts-expect-error: no such route
    mount(app, { ...routes.health, name: 'nowhere', path: '/nowhere' }, () => ({ status: 'ok' }));
    // @ts-expect-error: the path of another route
    mount(app, { ...routes.health, path: '/nowhere' }, () => ({ status: 'ok' }));
    // @ts-expect-error: not the declared body
    mount(app, routes.health, () => ({ state: 'ok' }));
    // @ts-expect-error: an undeclared parameter
    mount(app, routes.health, ({ params }) => ({ status: params.id }));
  };
  expect(check).toBeTypeOf('function');
});

it('names the routes that this platform does not serve, once, at the start', async () => {
  const absent: unknown[] = [];
  const logger = {
    ...silentLogger,
    debug: (fields: object) => {
      if ('routes' in fields) absent.push(fields.routes);
    },
  };
  const platform = await createPlatform({ mode: 'dev', memory: true, port: 0, logger });
  await platform.close();
  expect(absent).toHaveLength(1);
  expect(String(absent[0]).split(', ')).toMatchInlineSnapshot(`
    [
      "getBudget",
      "setBudget",
      "uploadFiles",
      "downloadFile",
      "delegate",
      "listDelegations",
      "getDelegation",
      "cancelDelegation",
      "recordDelegation",
      "updateDelegation",
      "pullSecrets",
      "listSecrets",
      "pullOwnSecrets",
      "setSecret",
      "putSecret",
      "deleteSecret",
      "listGlobalSecrets",
      "setGlobalSecret",
      "putGlobalSecret",
      "deleteGlobalSecret",
      "listAdminSecrets",
      "setAdminSecret",
      "deleteAdminSecret",
      "listPlugins",
      "listPluginSources",
      "downloadOwnPlugin",
      "downloadPlugin",
      "listInstalledPlugins",
      "listAvailablePlugins",
      "pluginCompatibility",
      "reportPlugin",
      "removePlugin",
      "listOrgKeys",
      "mintOrgKey",
      "revokeOrgKey",
      "listEvents",
      "listWorkspaceEvents",
      "streamEvents",
      "openSocket",
      "adminLiveness",
      "metrics",
    ]
  `);
});
