import { routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import type { PlatformContext } from '../context.ts';
import { type Authenticator, SESSION_COOKIE, sessionCookie } from '../http/callers.ts';
import { mount } from '../http/mount.ts';
import { SESSION_LIFETIME_MS, type SessionService } from './session.service.ts';

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
