import { routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import type { PlatformContext } from '../context.ts';
import type { PlatformDatabase } from '../database/platform-database.ts';
import { type Authenticator, SESSION_COOKIE, sessionCookie, sha256Hex } from '../http/callers.ts';
import { HttpError } from '../http/http-error.ts';
import { mount } from '../http/mount.ts';
import { type Clock, timestamp } from '../time/clock.ts';
import { createTokenSecret } from '../tokens/token-secret.ts';

/** How long a browser stays signed in. */
export const SESSION_LIFETIME_MS = 24 * 60 * 60_000;

/** Browser sessions of the operator. */
export class SessionService {
  readonly #clock: Clock;
  readonly #database: PlatformDatabase;

  constructor({ clock, database }: Pick<PlatformContext, 'clock' | 'database'>) {
    this.#clock = clock;
    this.#database = database;
  }

  /** Whether the session with this hex SHA-256 has not expired. */
  async findSession(hash: string): Promise<boolean> {
    const row = await this.#database.query
      .selectFrom('sessions')
      .select('token_hash')
      .where('token_hash', '=', hash)
      .where('expires_at', '>', timestamp(this.#clock))
      .executeTakeFirst();
    return row !== undefined;
  }

  /** Exchanges the operator key for the value of a session cookie; 401 for any other key. */
  async open(operatorKey: string, authenticator: Pick<Authenticator, 'isOperatorKey'>): Promise<string> {
    if (!authenticator.isOperatorKey(operatorKey)) {
      throw new HttpError(401, 'invalid_credentials', 'invalid operator key');
    }
    const { query } = this.#database;
    const { token, hash } = createTokenSecret();
    const now = timestamp(this.#clock);
    const expires_at = timestamp(this.#clock, SESSION_LIFETIME_MS);
    await query.deleteFrom('sessions').where('expires_at', '<=', now).execute();
    await query.insertInto('sessions').values({ token_hash: hash, created_at: now, expires_at }).execute();
    return token;
  }

  /** Ends a session; does nothing for a cookie without one. */
  async close(cookie: string): Promise<void> {
    const hash = sha256Hex(cookie);
    await this.#database.query.deleteFrom('sessions').where('token_hash', '=', hash).execute();
  }
}

/** Sign-in and sign-out of a browser: an HttpOnly, SameSite=Strict cookie. */
export function mountSessionRoutes(
  app: FastifyInstance,
  context: PlatformContext,
  sessions: SessionService,
  authenticator: Authenticator,
): void {
  const cookie = (value: string, lifetime: string) => {
    const secure = context.address.url.startsWith('https:') ? ' Secure;' : '';
    return `${SESSION_COOKIE}=${value}; ${lifetime}; HttpOnly;${secure} SameSite=Strict`;
  };

  mount(app, routes.createSession, async ({ body, reply }) => {
    const value = await sessions.open(body.operator_key, authenticator);
    reply.header('set-cookie', cookie(value, `Max-Age=${SESSION_LIFETIME_MS / 1_000}; Path=/`));
    return { status: 'ok' };
  });

  mount(app, routes.deleteSession, async ({ request, reply }) => {
    const value = sessionCookie(request.headers);
    if (value !== undefined) await sessions.close(value);
    reply.header('set-cookie', cookie('', 'Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT'));
    return { status: 'ok' };
  });
}
