import type { FastifyInstance } from 'fastify';
import { sql } from 'kysely';
import type { PlatformContext } from '../context.ts';
import { ApiError } from '../http/api-error.ts';

/** `/health`: the process answers. `/ready`: it can also work, so send it traffic (wire contract 9, ✗40). */
export function registerHealthRoutes(app: FastifyInstance, context: PlatformContext): void {
  app.get('/health', async () => ({ status: 'ok' }));

  app.get('/ready', async () => {
    if (context.shutdown.aborted) {
      throw new ApiError(503, 'shutting_down', 'the platform is shutting down');
    }
    try {
      await sql`select 1`.execute(context.db);
    } catch (cause) {
      throw new ApiError(503, 'platform_unavailable', 'the database does not answer', { cause });
    }
    return { status: 'ready', checks: { database: 'ok' } };
  });
}
