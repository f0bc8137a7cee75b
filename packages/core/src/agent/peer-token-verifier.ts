import crypto from 'node:crypto';
import type { CryptoKey } from 'jose';
import type { ClientPort } from '../client/client-port.ts';
import type { InboundAccess } from '../inbound-http/inbound-agent.ts';
import { LatestMap } from '../storage/latest-map.ts';
import { unauthorized } from './inbound-auth.ts';

const SKEW_SECONDS = 60;
/** The platform publishes a key ten minutes before it signs with it. */
const KEYS_TTL_MS = 300_000;
const REFETCH_AFTER_MS = 30_000;
const MAX_VERIFIED = 1_000;
const MAX_TOKEN_LENGTH = 4_096;
const WORKSPACE_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export interface PeerTokenVerifierOptions {
  /** Its workspace, in lower case, is the audience of the tokens. */
  readonly client: Pick<ClientPort, 'workspaceId' | 'clock' | 'fetchSigningKeys'>;
  /** The platform signs its pushes in another name than it registered with, as it does when its public URL is changed. */
  readonly onIssuerChanged: () => void;
  /**
   * A token of the platform was new or expired by the clock of this machine, or good again (`null`): so many milliseconds
   * have passed by it since the token was signed, negative when it is behind.
   */
  readonly onClockSkew: (skewMs: number | null) => void;
}

interface Verified {
  readonly access: InboundAccess;
  readonly untilMs: number;
}

/**
 * Verifies the tokens of requests with the keys of the platform, and of nobody else. An unknown key makes it read the keys
 * again, at most once in 30 s, whoever asks. What was verified is kept by its hash until it expires.
 */
export class PeerTokenVerifier {
  /** Who signs, as the register response says it: `null` when the platform signs none, `undefined` before the response. */
  issuer: string | null | undefined;
  readonly #options: PeerTokenVerifierOptions;
  #verified = new LatestMap<Verified>(MAX_VERIFIED);
  #keys = new Map<string, CryptoKey>();
  #fetchedAt = Number.NEGATIVE_INFINITY;
  /** Unix time of the last read that succeeded. */
  #keysOf = 0;
  #fetching: Promise<void> | undefined;

  constructor(options: PeerTokenVerifierOptions) {
    this.#options = options;
  }

  /** A token that was verified before is found by its hash. Never rejects. */
  verify(token: string): InboundAccess | Promise<InboundAccess> {
    const { clock } = this.#options.client;
    if (token.length > MAX_TOKEN_LENGTH) return REFUSED;
    const hash = crypto.hash('sha256', token, 'base64url');
    const known = this.#verified.get(hash);
    if (known !== undefined && known.untilMs > clock.now()) return known.access;
    const { issuer } = this;
    if (issuer === undefined) return NOT_REGISTERED;
    if (issuer === null) return NOT_SIGNED;
    return this.#verify(token, hash, issuer).catch(() => REFUSED);
  }

  async #verify(token: string, hash: string, issuer: string): Promise<InboundAccess> {
    const { clock, workspaceId } = this.#options.client;
    const { decodeJwt, decodeProtectedHeader, jwtVerify } = await import('jose');
    const { kid, alg } = decodeProtectedHeader(token);
    if (alg !== 'EdDSA' || typeof kid !== 'string') return REFUSED;
    const key = await this.#keyOf(kid);
    if (key === undefined) {
      const { iat = 0 } = decodeJwt(token);
      // The keys are older than the token, and may not be read again yet: it may be good.
      return iat * 1_000 > this.#keysOf ? KEYS_UNKNOWN : REFUSED;
    }
    // Valid at its own time; that of the clock follows.
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['EdDSA'],
      audience: workspaceId,
      clockTolerance: SKEW_SECONDS,
      currentDate: new Date((decodeJwt(token).iat ?? 0) * 1_000),
      requiredClaims: ['iss', 'exp', 'iat', 'sub', 'jti', 'use'],
    });
    const { sub = '', jti = '', use, exp = 0, iat = 0 } = payload;
    const ageMs = clock.now() - iat * 1_000;
    const isExpired = clock.now() >= (exp + SKEW_SECONDS) * 1_000;
    if (payload.iss !== issuer) {
      // That of a peer may be from before the change: the peer gets a new one.
      if (use !== 'push' || isExpired) return REFUSED;
      this.#options.onIssuerChanged();
      return ISSUER_CHANGED;
    }
    const isPush = use === 'push' && (sub === 'canvas' || WORKSPACE_ID.test(sub));
    const isDirect = use === 'direct' && WORKSPACE_ID.test(sub);
    if (jti === '' || !(isPush || isDirect)) return REFUSED;
    if (isExpired || ageMs < -SKEW_SECONDS * 1_000) {
      // Peers keep tokens that have expired, and say nothing about the clock by them.
      if (!isPush) return REFUSED;
      // So that the first one after this is verified again, and reported.
      this.#verified = new LatestMap(MAX_VERIFIED);
      this.#options.onClockSkew(ageMs);
      return CLOCK_SKEWED;
    }
    if (isPush) this.#options.onClockSkew(null);
    const caller = { use: isPush ? 'push' : 'direct', subject: sub.toLowerCase() } as const;
    const access: InboundAccess = { kind: 'granted', caller, tokenId: jti };
    this.#verified.set(hash, { access, untilMs: (exp + SKEW_SECONDS) * 1_000 });
    return access;
  }

  async #keyOf(kid: string): Promise<CryptoKey | undefined> {
    const age = this.#options.client.clock.monotonic() - this.#fetchedAt;
    const isKnown = this.#keys.has(kid);
    if (age >= KEYS_TTL_MS || (!isKnown && age >= REFETCH_AFTER_MS)) {
      this.#fetching ??= this.#fetch().finally(() => {
        this.#fetching = undefined;
      });
    }
    // A known key does not wait for newer ones.
    if (!isKnown) await this.#fetching;
    return this.#keys.get(kid);
  }

  /** Keeps the keys that it has when the platform cannot be reached. */
  async #fetch(): Promise<void> {
    const { client } = this.#options;
    this.#fetchedAt = client.clock.monotonic();
    const startedAt = client.clock.now();
    try {
      const [{ keys }, { importJWK }] = await Promise.all([client.fetchSigningKeys(), import('jose')]);
      const imported = new Map<string, CryptoKey>();
      for (const key of keys) {
        const { kty, crv, x, kid } = key;
        if (kty !== 'OKP' || crv !== 'Ed25519') continue;
        const value = await importJWK({ kty, crv, x }, 'EdDSA').catch(() => null);
        if (value !== null && !(value instanceof Uint8Array)) imported.set(kid, value);
      }
      this.#keys = imported;
      this.#keysOf = startedAt;
    } catch {
      // The next unknown key, or the next read, tries again.
    }
  }
}

const REFUSED = unauthorized(
  'The token is not accepted.',
  'Send a token that the platform signed for this agent: its own push has one, and discovery gives one to peers.',
);
const NOT_SIGNED = unauthorized(
  'The agent cannot check tokens, because its platform signs none.',
  'On a platform without peer tokens the agent needs inboundAuth "shared-secret".',
);
const NOT_REGISTERED = later('The agent has not registered yet.', 1);
const KEYS_UNKNOWN = later('The keys of the platform cannot be read at the moment.', 30);
const ISSUER_CHANGED = later('The platform has another name now: the agent registers again.', 5);
const CLOCK_SKEWED: InboundAccess = {
  ...later('The token is not valid by the clock of the agent, which differs from that of the platform.', 30),
  hasWrongTime: true,
};

function later(message: string, retryAfterSeconds: number): InboundAccess & { kind: 'refused' } {
  return { kind: 'refused', refusal: { status: 503, code: 'not_accepting', message, retryAfterSeconds } };
}
