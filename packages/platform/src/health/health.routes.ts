import { routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { sql } from 'kysely';
import type { PlatformContext } from '../context.ts';
import { HttpError } from '../http/http-error.ts';
import { mount } from '../http/mount.ts';

/** `/health`: the process runs. `/ready`: its database can be used as well. */
export function mountHealthRoutes(app: FastifyInstance, context: PlatformContext): void {
  mount(app, routes.health, () => ({ status: 'ok' }));

  mount(app, routes.ready, async () => {
    if (context.shutdown.aborted) {
      throw new HttpError(503, 'shutting_down', 'the platform is shutting down');
    }
    try {
      await sql`select 1`.execute(context.database.query);
    } catch (cause) {
      throw new HttpError(503, 'platform_unavailable', 'the database does not respond', { cause });
    }
    return { status: 'ready', checks: { database: 'ok' } };
  });
}
