import { randomBytes } from 'node:crypto';
import { sha256Hex } from '../http/callers.ts';

/** A new token: the secret, which is returned once, and what is stored. */
export interface TokenSecret {
  /** 43 characters of base64url, 256 random bits. */
  readonly token: string;
  /** Lower-case hex SHA-256. */
  readonly hash: string;
  /** The first 8 characters, for lists. */
  readonly prefix: string;
}

const TOKEN_BYTES = 32;
const PREFIX_LENGTH = 8;

export function createTokenSecret(): TokenSecret {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  return { token, hash: sha256Hex(token), prefix: token.slice(0, PREFIX_LENGTH) };
}
