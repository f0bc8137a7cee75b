import { randomUUID } from 'node:crypto';
import { type Jwks, type PeerTokenClaims, routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import type { PlatformContext } from '../context.ts';
import { mount } from '../http/mount.ts';
import { LatestMap } from '../latest-map.ts';
import { SigningKeys } from './signing-keys.ts';

/** How long a token is valid, and the part of it in which it is given to others who ask for the same. */
const LIFETIME_SECONDS = 300;
const REUSED_FOR_MS = 240_000;
/** A probe makes its own request, so its token need not outlive it. */
const PROBE_LIFETIME_SECONDS = 60;
const MAX_TOKENS = 10_000;

/** The key of `platform_meta` with the id of this platform. */
const PLATFORM_ID = 'platform-id';

/** Who calls whom: `sub` is a workspace id, or `canvas` for people, operators and the platform itself. */
type Parties = Pick<PeerTokenClaims, 'sub' | 'aud' | 'use'>;

export interface PeerToken {
  readonly token: string;
  readonly jti: string;
  /** In seconds since the epoch. */
  readonly expiresAt: number;
}

export interface PeerTokensOptions
  extends Pick<PlatformContext, 'clock' | 'database' | 'logger' | 'settings'> {
  /** Tokens that are kept; the one that was made first is dropped. @default 10_000 */
  readonly maxTokens?: number | undefined;
}

/**
 * Issues peer tokens: short-lived JWTs by which an agent knows that a request comes from this platform, or from a peer
 * that it allowed to call. See docs/contract/authentication.md#peer-tokens.
 */
export class PeerTokensService {
  readonly #options: PeerTokensOptions;
  readonly #keys: SigningKeys;
  /** By use, caller and target. */
  readonly #tokens: LatestMap<string, { readonly madeAt: number; readonly token: Promise<PeerToken> }>;
  #platformId: Promise<string> | undefined;
  #hasWarned = false;

  constructor(options: PeerTokensOptions) {
    this.#options = options;
    this.#keys = new SigningKeys(options);
    this.#tokens = new LatestMap(options.maxTokens ?? MAX_TOKENS);
  }

  /** The `iss` of all tokens: the configured public URL, or the id of this platform. */
  async issuer(): Promise<string> {
    const { publicUrl } = this.#options.settings.server;
    if (publicUrl !== undefined) return publicUrl;
    this.#platformId ??= this.#readPlatformId().catch((error: unknown) => {
      this.#platformId = undefined;
      throw error;
    });
    return `urn:molecule:${await this.#platformId}`;
  }

  /** Logs a warning if the stored keys cannot be used. */
  checkKeys(): Promise<void> {
    return this.#keys.check();
  }

  /** The public keys that verify the tokens. */
  jwks(): Promise<Jwks> {
    return this.#keys.published();
  }

  /** A token for calls of a workspace to a peer; undefined without a public URL, where agents call through the platform. */
  async forDirectCall(callerId: string, targetId: string): Promise<PeerToken | undefined> {
    if (this.#options.settings.server.publicUrl !== undefined) {
      return this.#reused({ sub: callerId, aud: targetId, use: 'direct' });
    }
    if (!this.#hasWarned) {
      this.#options.logger.warn(
        {},
        'No public URL is configured, so agents call each other through the platform only; set publicUrl (EXTERNAL_PLATFORM_URL, --public-url)',
      );
    }
    this.#hasWarned = true;
    return undefined;
  }

  /** A token for requests of the platform to an agent; `callerId` is null for people and operators. */
  forPush(callerId: string | null, targetId: string): Promise<PeerToken> {
    return this.#reused({ sub: callerId ?? 'canvas', aud: targetId, use: 'push' });
  }

  /** A token that nobody else is given, for one request of the platform to an agent. */
  forProbe(targetId: string): Promise<PeerToken> {
    return this.#sign({ sub: 'canvas', aud: targetId, use: 'push' }, PROBE_LIFETIME_SECONDS);
  }

  #reused(parties: Parties): Promise<PeerToken> {
    const key = `${parties.use} ${parties.sub} ${parties.aud}`;
    const now = this.#options.clock.now();
    const known = this.#tokens.get(key);
    const age = known === undefined ? -1 : now - known.madeAt;
    // Also after the clock was set back, because a token of the future is refused.
    if (known !== undefined && age >= 0 && age < REUSED_FOR_MS) return known.token;
    const made = { madeAt: now, token: this.#sign(parties, LIFETIME_SECONDS) };
    this.#tokens.set(key, made);
    made.token.catch(() => {
      if (this.#tokens.get(key) === made) this.#tokens.delete(key);
    });
    return made.token;
  }

  async #sign(parties: Parties, lifetimeSeconds: number): Promise<PeerToken> {
    const [iss, { kid, privateKey }, { SignJWT }] = await Promise.all([
      this.issuer(),
      this.#keys.current(),
      import('jose/jwt/sign'),
    ]);
    const jti = randomUUID();
    const issuedAt = Math.floor(this.#options.clock.now() / 1_000);
    const expiresAt = issuedAt + lifetimeSeconds;
    const claims: PeerTokenClaims = { iss, ...parties, iat: issuedAt, exp: expiresAt, jti };
    const token = await new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'JWT' })
      .sign(privateKey);
    return { token, jti, expiresAt };
  }

  /** The id that the first start of a platform with this database stored. */
  #readPlatformId(): Promise<string> {
    return this.#options.database.transaction(async ({ trx }) => {
      await trx
        .insertInto('platform_meta')
        .values({ key: PLATFORM_ID, value: randomUUID() })
        .onConflict((conflict) => conflict.column('key').doNothing())
        .execute();
      const ids = trx.selectFrom('platform_meta').select('value').where('key', '=', PLATFORM_ID);
      return (await ids.executeTakeFirstOrThrow()).value;
    });
  }
}

/** Half of the time that a key is published before it signs, so that a copy is never without the key of a good token. */
const CACHED_FOR = 'public, max-age=300';

/** The public keys of peer tokens, for everybody. */
export function mountPeerTokensRoutes(app: FastifyInstance, peerTokens: PeerTokensService): void {
  mount(app, routes.jwks, async ({ reply }) => {
    const keys = await peerTokens.jwks();
    reply.header('cache-control', CACHED_FOR);
    return keys;
  });
}
