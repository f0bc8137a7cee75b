import { randomBytes } from 'node:crypto';
import {
  type ContractCheck,
  createPlatform,
  type Platform,
  type PlatformOptions,
} from '@molecule-ai/platform';
import type { PreparedDatabase } from './databases.ts';
import { Caller, type Http } from './http.ts';
import { ManualClock } from './manual-clock.ts';
import type { RunningPlatform } from './running-platform.ts';

/** What a test wants of its platform; production mode on a loopback socket unless it says otherwise. */
export interface PlatformWishes {
  /** @default 'production' */
  readonly mode?: 'production' | 'dev';
  /** @default the system's time */
  readonly clock?: 'manual' | ManualClock;
  /** The addresses that names of agents resolve to; other names do not resolve. */
  readonly dns?: Readonly<Record<string, readonly string[]>>;
  readonly resolve?: PlatformOptions['resolve'];
  readonly allowAgentNetworks?: readonly string[];
  readonly livenessStaleAfterMs?: number;
  readonly hierarchy?: 'direct' | 'ancestors';
  readonly wrapPeerResults?: boolean;
  readonly publicUrl?: string;
  readonly orgId?: string;
  readonly inboxLimit?: number;
  readonly maxAttempts?: number;
  readonly pushTimeoutMs?: number;
  /** Requests a minute; `default` is the platform's own limit. @default practically none */
  readonly rateLimit?: number | 'default';
  /** What is held against the strict schemas: foreign clients write looser requests than ours. @default 'answers' */
  readonly contractCheck?: ContractCheck;
}

/** Starts a real platform for one test. */
export async function startPlatform(
  wishes: PlatformWishes,
  database: PreparedDatabase,
  http: Http,
): Promise<RunningPlatform> {
  const clock = wishes.clock === 'manual' ? new ManualClock() : wishes.clock;
  const operatorKey = `operator-${randomBytes(24).toString('base64url')}`;
  const queries: string[] = [];
  const onQuery = (sql: string) => void queries.push(sql);
  const options = { ...toOptions(wishes, operatorKey, clock), onQuery };
  let current: Platform = await createPlatform({ ...options, ...database.options, port: 0 });
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
    restart: async (between) => {
      await stop();
      await http.hangUp();
      await between?.();
      current = await createPlatform({ ...options, ...database.options, port });
    },
    stop,
  };
  return running;

  function bearer(token: string): Caller {
    return new Caller(http, base, { authorization: `Bearer ${token}` });
  }
}

function toOptions(
  wishes: PlatformWishes,
  operatorKey: string,
  clock: ManualClock | undefined,
): PlatformOptions {
  const { mode = 'production', clock: _clock, dns, rateLimit, contractCheck = 'answers', ...rest } = wishes;
  const keys =
    mode === 'production'
      ? { adminToken: operatorKey, secretsEncryptionKey: randomBytes(32).toString('base64') }
      : { operatorKey };
  return {
    ...rest,
    mode,
    ...keys,
    contractCheck,
    ...(clock === undefined ? {} : { clock }),
    ...(dns === undefined ? {} : { resolve: resolverOf(dns) }),
    ...(rateLimit === 'default' ? {} : { rateLimit: rateLimit ?? 1_000_000 }),
  };
}

function resolverOf(dns: NonNullable<PlatformWishes['dns']>): NonNullable<PlatformOptions['resolve']> {
  return async (hostname) => {
    const addresses = dns[hostname];
    if (addresses !== undefined) return addresses.map((address) => ({ address }));
    throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' });
  };
}
