import { createContext } from './context.ts';
import { PlatformDatabase } from './database/platform-database.ts';
import { openSqliteDialect } from './database/sqlite-dialect.ts';
import { closeApp, listen } from './http/listening.ts';
import { type PlatformLogger, silentLogger } from './logging/logger.ts';
import type { PlatformOptions } from './options/platform-options.ts';
import type { PlatformMode, PlatformSettings } from './options/platform-settings.ts';
import { resolveSettings } from './options/resolve-settings.ts';
import { processEnvironment } from './options/setting-reader.ts';
import { createRooms } from './rooms.ts';
import { openDataFolder, resolveOperatorKey } from './storage/data-folder.ts';

/** A running platform. */
export interface Platform extends AsyncDisposable {
  /** Where it listens, without a trailing slash. */
  readonly url: string;
  readonly mode: PlatformMode;
  /** The key that makes its bearer the operator. */
  readonly operatorKey: string;
  /** The 0600 file that keeps the operator key; null in production and in memory. */
  readonly operatorKeyPath: string | null;
  /**
   * Stops: no new requests, held ones are answered, those in flight may finish within `stopTimeoutMs`, then the
   * database is closed. Calling it again returns the same promise.
   */
  close(): Promise<void>;
}

/**
 * Starts a platform and resolves once it listens.
 *
 * @throws PlatformOptionsError when settings are missing or wrong; nothing was opened.
 * @throws PlatformStartError when the port or the data folder is taken; what was opened is closed again.
 */
export async function createPlatform(options: PlatformOptions = {}): Promise<Platform> {
  const settings = resolveSettings(options, processEnvironment());
  const opened = new OpenedResources(options.logger ?? silentLogger);
  try {
    return await open(options, settings, opened);
  } catch (error) {
    await opened.closeAll();
    throw error;
  }
}

/** Opens bottom up: data folder, database, services, HTTP. */
async function open(
  options: PlatformOptions,
  settings: PlatformSettings,
  opened: OpenedResources,
): Promise<Platform> {
  const folder = settings.dataDir === null ? null : await openDataFolder(settings.dataDir);
  if (folder !== null) opened.add('data folder', folder.release);
  const operator = resolveOperatorKey(settings, folder);

  const path = folder?.databasePath ?? ':memory:';
  const dialect = await openSqliteDialect({ path, synchronous: settings.synchronous });
  const database = await PlatformDatabase.open(dialect, { onQuery: options.onQuery });
  opened.add('database', () => database.close());

  const shutdown = new AbortController();
  let url = '';
  const publicUrl = () => settings.publicUrl ?? url;
  const context = createContext({ options, settings, database, shutdown: shutdown.signal, publicUrl });
  const rooms = await createRooms(context, operator.key);
  opened.add('background work', rooms.stop);
  opened.add('HTTP', () => closeApp(rooms.app, settings.stopTimeoutMs));
  url = await listen(rooms.app, settings);
  rooms.start();
  context.logger.info({ url, mode: settings.mode }, `Platform listening on ${url}`);

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
    mode: settings.mode,
    operatorKey: operator.key,
    operatorKeyPath: operator.path,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Closes what was opened, the last first; a failure does not keep the others open. */
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
