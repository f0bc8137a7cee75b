import { AckRequest, ActivityQuery, ReportActivityRequest } from '@molecule-ai/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { PlatformContext } from '../context.ts';
import { requireWorkspaceAccess } from '../http/access.ts';
import type { Caller } from '../http/identity.ts';
import { parseBody, workspaceParam } from '../http/parse.ts';
import { watchConnection } from '../waiting/client-connection.ts';
import type { WorkspaceLookup } from '../workspaces/workspace.lookup.ts';
import type { ActivityService } from './activity.service.ts';
import { reportActivity } from './activity-report.service.ts';
import { parseFeedQuery, type RawFeedQuery } from './feed-query.rules.ts';

/** The feed over HTTP: read it, report into it, acknowledge it (wire contract 3.23). */
export function registerActivityRoutes(
  app: FastifyInstance,
  context: PlatformContext,
  activity: ActivityService,
  workspaces: WorkspaceLookup,
): void {
  /** The caller and the workspace of the path; a token proves its workspace, an operator's id is looked up. */
  const open = async (request: FastifyRequest): Promise<{ id: string; caller: Caller }> => {
    const id = workspaceParam(request);
    const caller = requireWorkspaceAccess(request, id);
    if (caller.kind === 'operator') await workspaces.require(id);
    return { id, caller };
  };

  app.get('/workspaces/:id/activity', async (request, reply) => {
    const { id, caller } = await open(request);
    const query = parseFeedQuery(lastValues(request.query), context.clock.now());
    const reader = { isAgent: caller.kind === 'workspace' };
    const page = await activity.read(id, query, reader, watchConnection(reply));
    if (page.nextCursor !== undefined) reply.header('x-next-cursor', page.nextCursor);
    reply.header('x-has-more', String(page.hasMore));
    if (query.waitSeconds !== undefined) reply.header('x-wait-applied', String(query.waitSeconds));
    return page.rows;
  });

  app.post('/workspaces/:id/activity', async (request) => {
    const { id } = await open(request);
    const report = parseBody(ReportActivityRequest, request.body);
    const { id: activityId } = await reportActivity(context, activity, id, report);
    return { status: 'logged', activity_id: activityId };
  });

  app.post('/workspaces/:id/activity/ack', async (request) => {
    const { id } = await open(request);
    const { up_to } = parseBody(AckRequest, request.body);
    const position = await activity.acknowledge(id, up_to);
    return {
      status: 'acknowledged',
      up_to: position.id,
      seq: position.seq,
      acknowledged: position.acknowledged,
    };
  });
}

/** Only the parameters of the contract; one given twice counts with its last value. */
function lastValues(query: unknown): RawFeedQuery {
  const names = Object.keys(ActivityQuery.strict.shape);
  const given = query as Readonly<Record<string, string | string[] | undefined>>;
  return Object.fromEntries(
    names.map((name) => {
      const value = given[name];
      return [name, Array.isArray(value) ? value.at(-1) : value];
    }),
  );
}
