import * as z from 'zod';
import { columnText, urlText } from './field-limits.ts';
import { type WireType, wire } from './wire.ts';

/** SHA-256 as 64 lower-case hex digits. */
export const Sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);

/** One plugin that the platform offers; lists may be null on other platforms. */
export const PluginRow = wire('PluginRow', (w) =>
  w.object({
    name: z.string(),
    version: w.promised(z.string()),
    description: w.promised(z.string()),
    author: w.promised(z.string()),
    tags: w.promised(z.array(z.string())),
    skills: w.promised(z.array(z.string())),
    runtimes: w.promised(z.array(z.string())),
  }),
);
export type PluginRow = WireType<typeof PluginRow>;

/** Response of `GET /plugins` and `GET /workspaces/:id/plugins/available`. */
export const PluginList = wire('PluginList', (w) => z.array(w.use(PluginRow)));
export type PluginList = WireType<typeof PluginList>;

/** Query of `GET /plugins` and of the compatibility route. */
export const PluginsQuery = wire('PluginsQuery', (w) => w.object({ runtime: w.maybe(z.string()) }));
export type PluginsQuery = WireType<typeof PluginsQuery>;

/** Response of `GET /plugins/sources`. */
export const PluginSources = wire('PluginSources', (w) => w.object({ schemes: z.array(z.string()) }));
export type PluginSources = WireType<typeof PluginSources>;

/** Response of `GET /workspaces/:id/plugins/compatibility`. */
export const PluginCompatibility = wire('PluginCompatibility', (w) =>
  w.object({
    target_runtime: z.string(),
    compatible: w.promised(z.array(z.string())),
    incompatible: w.promised(z.array(z.string())),
    all_compatible: z.boolean(),
  }),
);
export type PluginCompatibility = WireType<typeof PluginCompatibility>;

/** Query of a plugin download: the source (`local://name`, `github://owner/repo#ref`). */
export const PluginDownloadQuery = wire('PluginDownloadQuery', (w) =>
  w.object({ source: w.maybe(z.string()) }),
);
export type PluginDownloadQuery = WireType<typeof PluginDownloadQuery>;

/** Body of `POST /workspaces/:id/plugins`: the agent reports a plugin that it installed. */
export const ReportPluginRequest = wire('ReportPluginRequest', (w) =>
  w.object({
    source: urlText().min(1),
    name: w.maybe(columnText()),
    version: w.maybe(columnText()),
    sha256: w.maybe(Sha256Hex),
    commit: w.maybe(columnText()),
  }),
);
export type ReportPluginRequest = WireType<typeof ReportPluginRequest>;

/** Response of `POST /workspaces/:id/plugins`. */
export const ReportPluginResponse = wire('ReportPluginResponse', (w) =>
  w.object({
    status: w.oneOf(['recorded']),
    plugin: w.promised(z.string()),
    source: w.promised(z.string()),
    version: w.maybe(z.string()),
    sha256: w.maybe(z.string()),
    installed_at: w.maybe(w.timestamp()),
  }),
);
export type ReportPluginResponse = WireType<typeof ReportPluginResponse>;

/** One plugin an agent has installed. */
export const InstalledPlugin = wire('InstalledPlugin', (w) =>
  w.object({
    name: z.string(),
    source: w.promised(z.string()),
    version: w.promised(z.string().nullable()),
    sha256: w.promised(z.string().nullable()),
    commit: w.maybe(z.string()),
    installed_at: w.promised(w.timestamp()),
  }),
);
export type InstalledPlugin = WireType<typeof InstalledPlugin>;

/** Response of `GET /workspaces/:id/plugins`. */
export const InstalledPluginList = wire('InstalledPluginList', (w) => z.array(w.use(InstalledPlugin)));
export type InstalledPluginList = WireType<typeof InstalledPluginList>;

/** Response of `DELETE /workspaces/:id/plugins/:name`. */
export const RemovePluginResponse = wire('RemovePluginResponse', (w) =>
  w.object({ status: w.oneOf(['removed', 'uninstalled']), plugin: z.string() }),
);
export type RemovePluginResponse = WireType<typeof RemovePluginResponse>;
