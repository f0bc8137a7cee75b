import { routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import type { PlatformContext } from '../context.ts';
import { type Authenticator, SESSION_COOKIE } from '../http/callers.ts';
import { mount } from '../http/mount.ts';
import { SESSION_LIFETIME_MS, type SessionService } from './session.service.ts';

/** Sign-in and sign-out of a browser: an HttpOnly, SameSite=Strict cookie. */
export function mountSessionRoutes(
  app: FastifyInstance,
  context: PlatformContext,
  sessions: SessionService,
  authenticator: Authenticator,
): void {
  const cookieOptions = () => ({
    path: '/',
    httpOnly: true,
    sameSite: 'strict' as const,
    secure: context.publicUrl().startsWith('https:'),
  });

  mount(app, routes.createSession, async ({ body, reply }) => {
    const value = await sessions.open(body.operator_key, authenticator);
    reply.setCookie(SESSION_COOKIE, value, { ...cookieOptions(), maxAge: SESSION_LIFETIME_MS / 1_000 });
    return { status: 'ok' };
  });

  mount(app, routes.deleteSession, async ({ request, reply }) => {
    const cookie = request.cookies[SESSION_COOKIE];
    if (cookie !== undefined) await sessions.close(cookie);
    reply.clearCookie(SESSION_COOKIE, cookieOptions());
    return { status: 'ok' };
  });
}
