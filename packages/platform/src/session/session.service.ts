import type { PlatformContext } from '../context.ts';
import { ApiError } from '../http/api-error.ts';
import { type Authenticator, sha256Hex } from '../http/authenticator.ts';
import type { CredentialSource } from '../http/credential-source.ts';
import { timestamp } from '../time/clock.ts';
import { createTokenSecret } from '../tokens/token-secret.ts';
import * as store from './session.store.ts';

/** How long a browser stays signed in. */
export const SESSION_LIFETIME_MS = 24 * 60 * 60_000;

/** Browser sessions of the operator (decision 8). */
export interface SessionService extends Pick<CredentialSource, 'findSession'> {
  /** Exchanges the operator key for the value of a session cookie; 401 for any other key. */
  open(operatorKey: string, authenticator: Pick<Authenticator, 'isOperatorKey'>): Promise<string>;
  /** Ends a session; a cookie that is none is fine. */
  close(cookie: string): Promise<void>;
}

export function createSessionService({ db, clock }: PlatformContext): SessionService {
  return {
    findSession: (hash) => store.isSessionLive(db, hash, timestamp(clock)),
    open: async (operatorKey, authenticator) => {
      if (!authenticator.isOperatorKey(operatorKey)) {
        throw new ApiError(401, 'invalid_credentials', 'invalid operator key');
      }
      const { token, hash } = createTokenSecret();
      const now = timestamp(clock);
      await store.deleteExpiredSessions(db, now);
      const expires_at = timestamp(clock, SESSION_LIFETIME_MS);
      await store.insertSession(db, { token_hash: hash, created_at: now, expires_at });
      return token;
    },
    close: (cookie) => store.deleteSession(db, sha256Hex(cookie)),
  };
}
