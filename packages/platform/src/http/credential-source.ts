import type { RemovedHolder } from './identity.ts';

/** A workspace token that is known: a live one, or one that died with its workspace. */
export type TokenHolder =
  | { readonly kind: 'workspace'; readonly workspaceId: string; readonly tokenId: string }
  | RemovedHolder;

/** Where `http/` looks credentials up; the token and session rooms implement it. */
export interface CredentialSource {
  /** Finds the holder by the hex SHA-256 of a token and notes that the token was used. */
  findToken(tokenHash: string): Promise<TokenHolder | undefined>;
  /** True while the session of that hex SHA-256 lasts. */
  findSession(sessionHash: string): Promise<boolean>;
}
