import { createAddressGuard } from '@molecule-ai/net-guard';
import { Closers } from './closers.ts';
import type { PlatformContext } from './context.ts';
import { PlatformDatabase } from './database/platform-database.ts';
import { rememberDatabase } from './database/prepared-query.ts';
import { openSqliteDialect } from './database/sqlite-dialect.ts';
import { createInProcessBus } from './events/event-bus.ts';
import { EventLog } from './events/event-log.ts';
import { closeApp, listen } from './http/listening.ts';
import { silentLogger } from './logging/logger.ts';
import { resolveOperatorKey } from './operator-key.ts';
import { processEnvironment } from './options/environment.ts';
import type { PlatformOptions } from './options/platform-options.ts';
import type { PlatformMode, PlatformSettings } from './options/platform-settings.ts';
import { resolveSettings } from './options/resolve-settings.ts';
import { createRooms } from './rooms.ts';
import { openDataFolder } from './storage/data-folder.ts';
import { systemClock } from './time/clock.ts';

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
   * Stops: no new requests, waiting ones are answered, those in flight may finish within `stopTimeoutMs`, then the
   * database is closed. Calling it again gives the same promise.
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
  const closers = new Closers(options.logger ?? silentLogger);
  try {
    return await open(options, settings, closers);
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
}

async function open(
  options: PlatformOptions,
  settings: PlatformSettings,
  closers: Closers,
): Promise<Platform> {
  const folder = settings.dataDir === null ? null : await openDataFolder(settings.dataDir);
  if (folder !== null) closers.add('data folder', folder.release);
  const operator = resolveOperatorKey(settings, folder?.operatorKeyPath ?? null);
  const path = folder?.databasePath ?? ':memory:';
  const dialect = await openSqliteDialect({ path, synchronous: settings.synchronous });
  const database = await PlatformDatabase.open(dialect, { onQuery: options.onQuery });
  closers.add('database', () => database.close());

  const shutdown = new AbortController();
  const address = { url: '' };
  const context = createContext(options, settings, database, shutdown.signal, address);
  const rooms = await createRooms(context, operator.key);
  closers.add('rooms', rooms.stop);
  closers.add('http', () => closeApp(rooms.app, settings.stopTimeoutMs));
  address.url = await listen(rooms.app, settings);
  rooms.start();
  context.logger.info({ url: address.url, mode: settings.mode }, 'The platform listens.');

  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= (async () => {
      shutdown.abort();
      await closers.closeAll();
      context.logger.info({}, 'The platform has stopped.');
    })();
    return closing;
  };
  return {
    url: address.url,
    mode: settings.mode,
    operatorKey: operator.key,
    operatorKeyPath: operator.path,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function createContext(
  options: PlatformOptions,
  settings: PlatformSettings,
  database: PlatformDatabase,
  shutdown: AbortSignal,
  address: { readonly url: string },
): PlatformContext {
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? silentLogger;
  const bus = createInProcessBus((error) =>
    logger.error({ reason: String(error) }, 'A listener of events failed.'),
  );
  const isDev = settings.mode === 'dev';
  const addressGuard = createAddressGuard({
    policy: { allowLoopback: isDev, allowPrivate: isDev, allowedNetworks: settings.allowAgentNetworks },
    resolve: options.resolve,
  });
  const publicUrl = () => settings.publicUrl ?? address.url;
  const events = new EventLog({ database, bus, clock });
  rememberDatabase(database);
  const db = database.query;
  return { database, db, clock, logger, settings, events, bus, addressGuard, shutdown, publicUrl };
}
