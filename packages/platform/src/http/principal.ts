/**
 * The caller of a request, identified once by the credential. Headers such as `X-Workspace-ID` are only compared
 * with it.
 */
export type Principal =
  | { readonly kind: 'operator'; readonly via: 'operator-key' | 'session' | 'dev' }
  | { readonly kind: 'workspace'; readonly workspaceId: string; readonly tokenId: string }
  /** No credential; accepted for a first claim and by the anonymous routes. */
  | { readonly kind: 'anonymous' };

/** The principals that a route with a caller accepts. */
export type Caller = Exclude<Principal, { kind: 'anonymous' }>;

/** The token of a removed workspace; its holder gets an error that says so. */
export interface RemovedHolder {
  readonly kind: 'removed';
  readonly workspaceId: string;
  readonly removedAt: string | null;
}

/** A credential that does not exist here; never treated better than none, in dev mode too. */
export interface UnknownCredential {
  readonly kind: 'unknown-credential';
  /** Whether the same request without any credential would be one of the operator, as in dev mode on this machine. */
  readonly isOptional: boolean;
}

/** The result of checking the credential of a request. */
export type Identity = Principal | RemovedHolder | UnknownCredential;

/** The holder of a known workspace token: a live one, or one of a removed workspace. */
export type TokenHolder = Extract<Principal, { kind: 'workspace' }> | RemovedHolder;

/** Whose requests the rate limiter counts together. */
export interface RateOwner {
  readonly kind: 'workspace' | 'operator' | 'address';
  readonly id: string;
}

/** Finds credentials; the `tokens` and `session` modules implement it. */
export interface CredentialSource {
  /** Finds the holder by the hex SHA-256 of a token and records that the token was used. */
  findToken(tokenHash: string): Promise<TokenHolder | undefined>;
  /** True while the session of that hex SHA-256 lasts. */
  findSession(sessionHash: string): Promise<boolean>;
}

/** The `caller` column of messages of people and operators. */
export const CANVAS_CALLER = 'canvas';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before the body is read; a handler gets it as `caller`, after the access of its route was enforced. */
    identity: Identity;
    /** Whose requests the rate limiter counts together. */
    rateOwner: RateOwner;
  }
}
