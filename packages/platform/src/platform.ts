import { statSync } from 'node:fs';
import { createContext } from './context.ts';
import { PlatformDatabase } from './database/platform-database.ts';
import { openSqliteDialect } from './database/sqlite-dialect.ts';
import { primaryCode, toStartError } from './database/sqlite-errors.ts';
import { errorFacts } from './foreign-error.ts';
import { type Connections, socketConnections } from './http/listening.ts';
import type { PlatformLogger } from './logging/logger.ts';
import { createModules } from './modules.ts';
import { processEnvironment } from './options/option-reader.ts';
import { IN_MEMORY } from './options/options-schema.ts';
import type { PlatformOptions } from './options/platform-options.ts';
import { type PlatformSettings, resolveSettings } from './options/resolve-settings.ts';
import { openDataFolder, resolveOperatorKey } from './storage/data-folder.ts';

/** A running platform. */
export interface Platform extends AsyncDisposable {
  /** The URL under which this machine reaches it, without a trailing slash. */
  readonly url: string;
  /** The address it listens on; `0.0.0.0` or `::` for all interfaces. */
  readonly host: string;
  readonly mode: NonNullable<PlatformOptions['mode']>;
  /** The bearer token of the operator. */
  readonly operatorKey: string;
  /** The 0600 file that keeps the operator key; null in production and in memory. */
  readonly operatorKeyPath: string | null;
  /**
   * Resolves with the reason when the disk has not taken what was to be stored: every request fails from then on, and only another start
   * helps. The bin ends then, with exit code 1.
   */
  readonly failed: Promise<Error>;
  /**
   * Stops: new requests are refused, held ones get a response, those in flight may finish within `stopTimeoutMs`, then
   * the database is closed. Calling it again returns the same promise.
   */
  close(): Promise<void>;
}

/**
 * Starts a platform and resolves once it listens.
 *
 * @throws PlatformOptionsError when settings are missing or invalid; nothing was opened.
 * @throws PlatformStartError when the port or the data folder cannot be used, or the data cannot be read; what was opened is
 * closed again.
 */
export async function createPlatform(options: PlatformOptions = {}): Promise<Platform> {
  return startPlatform(resolveSettings(options, processEnvironment()), socketConnections);
}

/** Starts a platform that is reached by these connections. Errors are those of {@link createPlatform}. */
export async function startPlatform(settings: PlatformSettings, connections: Connections): Promise<Platform> {
  const opened = new OpenedResources(settings.logger);
  try {
    return await open(settings, connections, opened);
  } catch (error) {
    await opened.closeAll();
    throw error;
  }
}

/** Opens in order: data folder, database, services, HTTP. */
async function open(
  settings: PlatformSettings,
  connections: Connections,
  opened: OpenedResources,
): Promise<Platform> {
  const { directory } = settings.data;
  const folder = directory === IN_MEMORY ? null : await openDataFolder(directory);
  if (folder !== null) opened.add('data folder', folder.release);
  const path = folder?.databasePath ?? IN_MEMORY;
  const isEmptyFile = statSync(path, { throwIfNoEntry: false })?.size === 0;
  const database = await openDatabase(path, settings);
  opened.add('database', () => database.close());
  const operator = resolveOperatorKey(settings, folder);

  const shutdown = new AbortController();
  const address = { url: settings.server.publicUrl ?? '' };
  const plain = createContext({ settings, database, shutdown: shutdown.signal, address });
  // A first start that was killed leaves such a file, and so does a disk or a copy that lost the data.
  const emptyFile = `The database ${path} was a file of 0 bytes, and a new one was made. If the platform had data, stop it and restore the last backup with --force`;
  if (isEmptyFile) plain.logger.warn({ path }, emptyFile);
  const context = { ...plain, addressGuard: connections.toAgents(plain.addressGuard) };
  const modules = await createModules(context, operator.key).catch((error: unknown) => {
    throw primaryCode(error) === undefined ? error : toStartError(error, path);
  });
  opened.add('background work', modules.stop);
  opened.add('HTTP', () => connections.close(modules.app, settings));
  const url = await connections.open(modules.app, settings);
  address.url ||= url;
  modules.start();
  const { mode } = settings;
  const { host } = settings.server;
  context.logger.info({ url, host, mode }, `Platform listening on ${url}`);

  const failed = database.failed.then((error) => {
    const { message: reason } = errorFacts(error.cause);
    context.logger.error({ reason }, `${error.message} Start the platform again.`);
    return error;
  });
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= (async () => {
      shutdown.abort();
      await opened.closeAll();
      context.logger.info({}, 'Platform stopped');
    })();
    return closing;
  };
  return {
    url,
    host,
    mode,
    operatorKey: operator.key,
    operatorKeyPath: operator.path,
    failed,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function openDatabase(path: string, { clock, data }: PlatformSettings): Promise<PlatformDatabase> {
  const { synchronous, onQuery } = data;
  try {
    return await PlatformDatabase.open(await openSqliteDialect({ path, synchronous }), { clock, onQuery });
  } catch (error) {
    throw toStartError(error, path);
  }
}

/** Closes what was opened, in reverse order; a failure does not prevent closing the others. */
class OpenedResources {
  readonly #logger: PlatformLogger;
  readonly #resources: { readonly name: string; readonly close: () => void | Promise<void> }[] = [];

  constructor(logger: PlatformLogger) {
    this.#logger = logger;
  }

  add(name: string, close: () => void | Promise<void>): void {
    this.#resources.push({ name, close });
  }

  async closeAll(): Promise<void> {
    for (const { name, close } of this.#resources.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        this.#logger.error({ step: name, reason: String(error) }, `Failed to close: ${name}`);
      }
    }
  }
}
