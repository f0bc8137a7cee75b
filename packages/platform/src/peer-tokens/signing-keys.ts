import { createPrivateKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import type { Jwks } from '@molecule-ai/protocol';
import type { PlatformContext } from '../context.ts';
import type { Queryable } from '../database/platform-database.ts';
import { SealedTexts } from '../storage/sealed-texts.ts';
import { nextKey, publishedKeys, signingKey } from './key-schedule.rules.ts';

/** The keys of `platform_meta` with a signing key end in its generation. */
const PREFIX = 'signing-key:';
const GENERATION_DIGITS = 10;

/** One Ed25519 key. */
interface SigningKey {
  readonly name: string;
  readonly kid: string;
  /** The public part, base64url. */
  readonly x: string;
  readonly startsAt: number;
  readonly canSign: boolean;
  readonly privateKey: KeyObject | undefined;
}

/** 32 bytes in base64url. */
const PUBLIC_PART = /^[\w-]{43}$/;

/** The value of a row: the private part sealed, the rest as it is published. */
interface StoredKey {
  readonly kid: string;
  readonly x: string;
  readonly starts_at: number;
  readonly sealed: string;
}

/**
 * The keys that sign peer tokens, in the database, so that a restart keeps them and several processes share them. One
 * is made when it is first needed and replaced every day; see docs/decisions/0051-peer-tokens.md. No timer runs: a key
 * is replaced by the first use after its time.
 */
export class SigningKeys {
  readonly #options: Pick<PlatformContext, 'clock' | 'database' | 'logger'>;
  readonly #sealed: SealedTexts;
  #keys: readonly SigningKey[] = [];
  #refreshing: Promise<void> | undefined;
  #hasWarned = false;

  constructor(options: Pick<PlatformContext, 'clock' | 'database' | 'logger' | 'settings'>) {
    this.#options = options;
    this.#sealed = new SealedTexts(options.settings.security.secretsEncryptionKey);
  }

  /** The key to sign with now. */
  async current(): Promise<{ readonly kid: string; readonly privateKey: KeyObject }> {
    const now = await this.#refreshIfDue();
    const key = signingKey(this.#keys, now);
    if (key?.privateKey === undefined) throw new Error('There is no key to sign peer tokens with.');
    return { kid: key.kid, privateKey: key.privateKey };
  }

  /** The public parts of all keys by which a valid token may be signed, now and in the next minutes. */
  async published(): Promise<Jwks> {
    const now = await this.#refreshIfDue();
    const readable = publishedKeys(this.#keys, now).filter(({ x }) => x !== '');
    const form = { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig' } as const;
    return { keys: readable.map(({ kid, x }) => ({ ...form, kid, x })) };
  }

  /** Logs a warning if the keys in the database cannot be used, before the first one is needed. */
  async check(): Promise<void> {
    const { clock, database } = this.#options;
    const keys = await this.#read(database.query);
    if (nextKey(keys, clock.now()).dueAt <= clock.now()) this.#warnOfUnreadable(keys);
  }

  async #refreshIfDue(): Promise<number> {
    const { clock } = this.#options;
    if (nextKey(this.#keys, clock.now()).dueAt <= clock.now()) {
      this.#refreshing ??= this.#refresh().finally(() => {
        this.#refreshing = undefined;
      });
      await this.#refreshing;
    }
    return clock.now();
  }

  /** Reads the keys, adds one if it is time, and deletes those that nobody needs. */
  async #refresh(): Promise<void> {
    const { clock, database } = this.#options;
    this.#keys = await database.transaction(async ({ trx }) => {
      let keys = await this.#read(trx);
      const now = clock.now();
      const next = nextKey(keys, now);
      if (next.dueAt <= now) {
        this.#warnOfUnreadable(keys);
        // Another process may have added one of this generation at the same time, and then both use that one.
        await this.#insert(trx, keys.at(-1)?.name, next.startsAt);
        keys = await this.#read(trx);
      }
      const kept = new Set(publishedKeys(keys, now));
      const old = keys.filter((key) => !kept.has(key)).map(({ name }) => name);
      if (old.length > 0) await trx.deleteFrom('platform_meta').where('key', 'in', old).execute();
      return [...kept];
    });
  }

  async #read(db: Queryable): Promise<SigningKey[]> {
    const rows = await db
      .selectFrom('platform_meta')
      .selectAll()
      .where('key', 'like', `${PREFIX}%`)
      .execute();
    // Here, because databases order texts differently.
    rows.sort((a, b) => (a.key < b.key ? -1 : 1));
    return rows.map(({ key, value }) => this.#parse(key, value));
  }

  /** A key whose private part cannot be read is still published, because valid tokens may be signed with it. */
  #parse(name: string, value: string): SigningKey {
    try {
      const { kid, x, starts_at: startsAt, sealed } = JSON.parse(value) as StoredKey;
      if (!PUBLIC_PART.test(x)) return damaged(name);
      const d = this.#sealed.open(sealed, `${name}:${kid}`);
      if (d === undefined) return { name, kid, x, startsAt, canSign: false, privateKey: undefined };
      const privateKey = createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x, d }, format: 'jwk' });
      return { name, kid, x, startsAt, canSign: true, privateKey };
    } catch {
      return damaged(name);
    }
  }

  async #insert(db: Queryable, lastName: string | undefined, startsAt: number): Promise<void> {
    const generation = Number(lastName?.slice(PREFIX.length) ?? 0) + 1;
    const name = `${PREFIX}${String(generation).padStart(GENERATION_DIGITS, '0')}`;
    const kid = randomUUID();
    const { x = '', d = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
    const stored: StoredKey = {
      kid,
      x,
      starts_at: startsAt,
      sealed: this.#sealed.seal(d, `${name}:${kid}`),
    };
    await db
      .insertInto('platform_meta')
      .values({ key: name, value: JSON.stringify(stored) })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .execute();
  }

  #warnOfUnreadable(keys: readonly SigningKey[]): void {
    if (this.#hasWarned || keys.every(({ canSign }) => canSign)) return;
    this.#hasWarned = true;
    this.#options.logger.warn(
      {},
      'A stored key for peer tokens is damaged or belongs to another SECRETS_ENCRYPTION_KEY; a new one is used. Agents may refuse pushes until they read it, for at most 5 minutes. If the variable was changed by mistake, restart with its former value',
    );
  }
}

function damaged(name: string): SigningKey {
  return { name, kid: '', x: '', startsAt: 0, canSign: false, privateKey: undefined };
}
