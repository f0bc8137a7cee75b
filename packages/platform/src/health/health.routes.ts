import { statfs } from 'node:fs/promises';
import { routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { sql } from 'kysely';
import type { PlatformContext } from '../context.ts';
import { diskFull, HttpError } from '../http/http-error.ts';
import { mount } from '../http/mount.ts';
import { IN_MEMORY } from '../options/options-schema.ts';
import { timestamp } from '../time/clock.ts';

/**
 * `/health`: the process runs. `/ready`: its database can be used as well, and there is space for more. `/admin/platform`: which platform
 * it is, for a command that has found one.
 */
export function mountHealthRoutes(app: FastifyInstance, context: PlatformContext): void {
  const { directory, minFreeSpace } = context.settings.data;
  const started_at = timestamp(context.clock);
  mount(app, routes.health, () => ({ status: 'ok' }));
  mount(app, routes.platform, () => ({ data_directory: directory, started_at }));

  mount(app, routes.ready, async () => {
    if (context.shutdown.aborted) {
      throw new HttpError(503, 'shutting_down', 'the platform is shutting down');
    }
    try {
      await sql`select 1`.execute(context.database.query);
    } catch (cause) {
      throw new HttpError(503, 'platform_unavailable', 'the database does not respond', { cause });
    }
    if (directory === IN_MEMORY) return { status: 'ready', checks: { database: 'ok' } };
    if (context.database.hasNoSpace || (await isNearlyFull(directory, minFreeSpace))) {
      throw diskFull();
    }
    return { status: 'ready', checks: { database: 'ok', disk: 'ok' } };
  });
}

/** Whether less than `minBytes` are free for this process. A file system that does not say so counts as not full. */
async function isNearlyFull(folder: string, minBytes: number): Promise<boolean> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize < minBytes;
  } catch {
    return false;
  }
}
