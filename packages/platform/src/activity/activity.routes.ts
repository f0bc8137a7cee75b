import { routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import type { PlatformContext } from '../context.ts';
import type { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import { mount } from '../http/mount.ts';
import type { Caller } from '../http/principal.ts';
import { watchConnection } from '../waiting/client-connection.ts';
import type { ActivityService } from './activity.service.ts';
import { parseFeedQuery } from './feed-query.rules.ts';

/** The feed over HTTP: read it, report into it. Acknowledgements end messages and are mounted with them. */
export function mountActivityRoutes(
  app: FastifyInstance,
  context: PlatformContext,
  activity: ActivityService,
  workspaces: WorkspaceDirectory,
): void {
  /** The workspace of a token exists; an id from an operator may be unknown. */
  const requireWorkspace = async (caller: Caller, id: string): Promise<void> => {
    if (caller.kind === 'operator') await workspaces.require(id);
  };

  mount(
    app,
    routes.listActivity,
    { query: (values) => parseFeedQuery(values, context.clock.now()) },
    async ({ params, query, caller, reply }) => {
      await requireWorkspace(caller, params.id);
      const reader = { isAgent: caller.kind === 'workspace' };
      const page = await activity.read(params.id, query, reader, watchConnection(reply));
      if (page.nextCursor !== undefined) reply.header('x-next-cursor', page.nextCursor);
      reply.header('x-has-more', String(page.hasMore));
      if (query.waitSeconds !== undefined) reply.header('x-wait-applied', String(query.waitSeconds));
      return page.rows;
    },
  );

  mount(app, routes.reportActivity, async ({ params, body, caller }) => {
    await requireWorkspace(caller, params.id);
    const { id } = await activity.report(params.id, body);
    return { status: 'logged', activity_id: id };
  });
}
