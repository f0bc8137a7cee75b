import { randomBytes } from 'node:crypto';
import { createPlatform, type Platform, type PlatformOptions } from '@molecule-ai/platform';
import { ManualClock } from '@molecule-tests/harness';
import type { PreparedDatabase } from './databases.ts';
import { Caller, type Http } from './http.ts';

/** A real platform on a real socket, started for one test. */
export interface RunningPlatform {
  /** Scheme, host and port. */
  readonly url: string;
  readonly port: number;
  /** Where its data lies, or null in memory. */
  readonly dataDir: string | null;
  /** Sends the operator key with each request. */
  readonly operator: Caller;
  /** Sends no credential. */
  readonly anonymous: Caller;
  readonly operatorKey: string;
  /** Throws unless the test asked for a manual clock. */
  readonly clock: ManualClock;
  /** The SQL statements that ran so far. */
  readonly queries: readonly string[];
  /** A caller with this bearer token and no other header. */
  as(token: string): Caller;
  /** Stops it and starts it again on the same port with the same data; `between` runs while it is down. */
  restart(between?: () => void | Promise<void>, changes?: PlatformChanges): Promise<void>;
  stop(): Promise<void>;
}

/** What differs after a restart. */
export type PlatformChanges = Pick<NonNullable<PlatformOptions['server']>, 'publicUrl'>;

/** Options of a test's platform. It listens on a loopback socket. `contractCheck` is `responses` unless it is given. */
export interface TestPlatformOptions extends Omit<PlatformOptions, 'clock' | 'limits'> {
  /** @default the system's time */
  readonly clock?: 'manual' | ManualClock;
  /** The addresses that names of agents resolve to; other names do not resolve. */
  readonly dns?: Readonly<Record<string, readonly string[]>>;
  readonly limits?: Omit<NonNullable<PlatformOptions['limits']>, 'rateLimit'> & {
    /** Requests a minute; `default` is the platform's own limit. @default practically none */
    readonly rateLimit?: number | 'off' | 'default';
  };
}

/** Starts a real platform for one test. */
export async function startPlatform(
  options: TestPlatformOptions,
  database: PreparedDatabase,
  http: Http,
): Promise<RunningPlatform> {
  const clock = options.clock === 'manual' ? new ManualClock() : options.clock;
  const operatorKey = `operator-${randomBytes(24).toString('base64url')}`;
  const queries: string[] = [];
  const onQuery = (sql: string) => void queries.push(sql);
  const platformOptions = toPlatformOptions(options, operatorKey, clock);
  const data = { ...platformOptions.data, ...database.options, onQuery };
  const start = (server: PlatformOptions['server']) =>
    createPlatform({ ...platformOptions, data, server: { ...platformOptions.server, ...server } });
  let current: Platform = await start({ port: 0 });
  const port = Number(new URL(current.url).port);
  const base = () => current.url;
  const stop = () => current.close();
  const running: RunningPlatform = {
    url: current.url,
    port,
    dataDir: database.folder,
    operatorKey,
    operator: bearer(operatorKey),
    anonymous: new Caller(http, base, {}),
    get clock() {
      if (clock === undefined) throw new Error('this test did not ask for a manual clock');
      return clock;
    },
    queries,
    as: bearer,
    restart: async (between, changes) => {
      await stop();
      await http.closeConnections();
      await between?.();
      current = await start({ ...changes, port });
    },
    stop,
  };
  return running;

  function bearer(token: string): Caller {
    return new Caller(http, base, { authorization: `Bearer ${token}` });
  }
}

function toPlatformOptions(
  options: TestPlatformOptions,
  operatorKey: string,
  clock: ManualClock | undefined,
): PlatformOptions {
  const { mode = 'production', clock: _clock, dns, limits, server, security, ...rest } = options;
  const { rateLimit = 1_000_000, ...otherLimits } = limits ?? {};
  return {
    ...rest,
    mode,
    ...(clock === undefined ? {} : { clock }),
    server: { contractCheck: 'responses', ...server },
    limits: { ...otherLimits, ...(rateLimit === 'default' ? {} : { rateLimit }) },
    security: {
      ...security,
      operatorKey,
      ...(mode === 'production' ? { secretsEncryptionKey: randomBytes(32).toString('base64') } : {}),
      ...(dns === undefined ? {} : { resolve: resolverOf(dns) }),
    },
  };
}

function resolverOf(
  dns: NonNullable<TestPlatformOptions['dns']>,
): NonNullable<NonNullable<PlatformOptions['security']>['resolve']> {
  return async (hostname) => {
    const addresses = dns[hostname];
    if (addresses !== undefined) return addresses.map((address) => ({ address }));
    throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' });
  };
}
