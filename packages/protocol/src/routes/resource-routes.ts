import type { ErrorCode } from '../error-codes.ts';
import {
  InstalledPluginList,
  PluginCompatibility,
  PluginDownloadQuery,
  PluginList,
  PluginSources,
  PluginsQuery,
  RemovePluginAnswer,
  ReportPluginAnswer,
  ReportPluginRequest,
} from '../plugin.ts';
import {
  DeleteSecretAnswer,
  SecretList,
  SecretsAnswer,
  SecretsQuery,
  SecretValues,
  SetSecretAnswer,
  SetSecretRequest,
} from '../secrets.ts';
import { route } from './route.ts';

const UNREADABLE: readonly ErrorCode[] = ['secrets_undecryptable', 'secrets_unavailable'];
const SETTING: readonly ErrorCode[] = ['invalid_secret', 'secrets_unavailable'];
const PLUGIN: readonly ErrorCode[] = [
  'invalid_plugin_name',
  'invalid_plugin_source',
  'plugin_name_mismatch',
  'plugin_not_found',
  'plugin_not_allowed',
  'plugin_too_large',
  'unpinned_source',
  'plugin_integrity_failed',
  'invalid_plugin',
  'plugin_source_unavailable',
];
const NOT_MODIFIED = { media: '' } as const;
const GZIP = { media: 'application/gzip' } as const;
const SET = { request: SetSecretRequest, responses: { 200: SetSecretAnswer } } as const;
const DELETED = { responses: { 200: DeleteSecretAnswer } } as const;

/** Secrets and plugins (wire contract 3.17 and 3.18). */
export const resourceRoutes = {
  pullSecrets: route(
    {
      method: 'GET',
      path: '/workspaces/:id/secrets/values',
      auth: 'own',
      responses: { 200: SecretValues, 304: NOT_MODIFIED },
    },
    UNREADABLE,
  ),
  listSecrets: route(
    {
      method: 'GET',
      path: '/workspaces/:id/secrets',
      auth: 'workspace',
      query: SecretsQuery,
      responses: { 200: SecretsAnswer, 304: NOT_MODIFIED },
    },
    UNREADABLE,
  ),
  pullOwnSecrets: route(
    {
      method: 'GET',
      path: '/secrets',
      auth: 'own',
      query: SecretsQuery,
      responses: { 200: SecretsAnswer, 304: NOT_MODIFIED },
    },
    UNREADABLE,
  ),
  setSecret: route({ method: 'POST', path: '/workspaces/:id/secrets', auth: 'workspace', ...SET }, SETTING),
  putSecret: route({ method: 'PUT', path: '/workspaces/:id/secrets', auth: 'workspace', ...SET }, SETTING),
  deleteSecret: route(
    { method: 'DELETE', path: '/workspaces/:id/secrets/:key', auth: 'workspace', ...DELETED },
    ['secret_not_found'],
  ),
  listGlobalSecrets: route({
    method: 'GET',
    path: '/settings/secrets',
    auth: 'operator',
    responses: { 200: SecretList },
  }),
  setGlobalSecret: route({ method: 'POST', path: '/settings/secrets', auth: 'operator', ...SET }, SETTING),
  putGlobalSecret: route({ method: 'PUT', path: '/settings/secrets', auth: 'operator', ...SET }, SETTING),
  deleteGlobalSecret: route(
    { method: 'DELETE', path: '/settings/secrets/:key', auth: 'operator', ...DELETED },
    ['secret_not_found'],
  ),
  listAdminSecrets: route({
    method: 'GET',
    path: '/admin/secrets',
    auth: 'operator',
    responses: { 200: SecretList },
  }),
  setAdminSecret: route({ method: 'POST', path: '/admin/secrets', auth: 'operator', ...SET }, SETTING),
  deleteAdminSecret: route({ method: 'DELETE', path: '/admin/secrets/:key', auth: 'operator', ...DELETED }, [
    'secret_not_found',
  ]),
  listPlugins: route({
    method: 'GET',
    path: '/plugins',
    auth: 'caller',
    query: PluginsQuery,
    responses: { 200: PluginList },
  }),
  listPluginSources: route({
    method: 'GET',
    path: '/plugins/sources',
    auth: 'caller',
    responses: { 200: PluginSources },
  }),
  downloadOwnPlugin: route(
    {
      method: 'GET',
      path: '/plugins/:name/download',
      auth: 'own',
      query: PluginDownloadQuery,
      responses: { 200: GZIP },
    },
    PLUGIN,
  ),
  downloadPlugin: route(
    {
      method: 'GET',
      path: '/workspaces/:id/plugins/:name/download',
      auth: 'own',
      query: PluginDownloadQuery,
      responses: { 200: GZIP },
    },
    PLUGIN,
  ),
  listInstalledPlugins: route({
    method: 'GET',
    path: '/workspaces/:id/plugins',
    auth: 'workspace',
    responses: { 200: InstalledPluginList },
  }),
  listAvailablePlugins: route({
    method: 'GET',
    path: '/workspaces/:id/plugins/available',
    auth: 'workspace',
    responses: { 200: PluginList },
  }),
  pluginCompatibility: route({
    method: 'GET',
    path: '/workspaces/:id/plugins/compatibility',
    auth: 'workspace',
    query: PluginsQuery,
    responses: { 200: PluginCompatibility },
  }),
  reportPlugin: route(
    {
      method: 'POST',
      path: '/workspaces/:id/plugins',
      auth: 'workspace',
      request: ReportPluginRequest,
      responses: { 200: ReportPluginAnswer },
    },
    PLUGIN,
  ),
  removePlugin: route(
    {
      method: 'DELETE',
      path: '/workspaces/:id/plugins/:name',
      auth: 'workspace',
      responses: { 200: RemovePluginAnswer },
    },
    ['plugin_not_found', 'invalid_plugin_name'],
  ),
} as const;
