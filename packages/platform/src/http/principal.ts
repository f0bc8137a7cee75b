/**
 * Who makes a request, decided once from the credential. Headers such as `X-Workspace-ID` are only compared with it.
 */
export type Principal =
  | { readonly kind: 'operator'; readonly via: 'operator-key' | 'session' | 'dev' }
  | { readonly kind: 'workspace'; readonly workspaceId: string; readonly tokenId: string }
  /** No credential at all; accepted for a first claim and by the anonymous routes. */
  | { readonly kind: 'anonymous' };

/** The principals that a route accepts once it demands a caller. */
export type Caller = Exclude<Principal, { kind: 'anonymous' }>;

/** A token that died with its workspace; its holder learns that the workspace is gone. */
export interface RemovedHolder {
  readonly kind: 'removed';
  readonly workspaceId: string;
  readonly removedAt: string | null;
}

/** A credential that is there and is nothing we know: never better than none, in dev mode too. */
export interface UnknownCredential {
  readonly kind: 'unknown-credential';
}

/** What the credential of a request turned out to be. */
export type Identity = Principal | RemovedHolder | UnknownCredential;

/** A workspace token that is known: a live one, or one that died with its workspace. */
export type TokenHolder = Extract<Principal, { kind: 'workspace' }> | RemovedHolder;

/** Where credentials are kept; the token and session rooms implement it. */
export interface CredentialSource {
  /** Finds the holder by the hex SHA-256 of a token and notes that the token was used. */
  findToken(tokenHash: string): Promise<TokenHolder | undefined>;
  /** True while the session of that hex SHA-256 lasts. */
  findSession(sessionHash: string): Promise<boolean>;
}

/** How the dedupe record and the feed name a caller that is no workspace. */
export const CANVAS_CALLER = 'canvas';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before the body is read; a handler gets it as `caller`, after the access of its route was enforced. */
    identity: Identity;
    /** Whose requests the limiter counts: a known credential, else the address. */
    limitKey: string;
  }
}
