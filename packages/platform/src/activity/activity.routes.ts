import { routes, TAKEOVER_HEADER } from '@molecule-ai/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { PlatformContext } from '../context.ts';
import type { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import { mount } from '../http/mount.ts';
import type { Caller } from '../http/principal.ts';
import { type ReaderIdentities, readInstanceId } from '../instances/reader-identities.ts';
import { type ClientConnection, watchConnection } from '../waiting/client-connection.ts';
import { sendHeld } from '../waiting/response-memory.ts';
import type { ActivityService } from './activity.service.ts';
import type { FeedPage } from './feed-pages.ts';
import { parseFeedQuery, parseView } from './feed-query.rules.ts';

type ReadConnection = Pick<ClientConnection, 'gone' | 'onGone'>;

export interface ActivityRoutesOptions extends Pick<PlatformContext, 'clock'> {
  readonly activity: ActivityService;
  readonly instances: ReaderIdentities;
  readonly workspaces: WorkspaceDirectory;
}

/** The feed over HTTP: read it, report into it. Acknowledgements end messages and are mounted with them. */
export function mountActivityRoutes(app: FastifyInstance, options: ActivityRoutesOptions): void {
  const { activity, clock, instances, workspaces } = options;
  /** The workspace of a token exists; an id from an operator may be unknown. */
  const requireWorkspace = async (caller: Caller, id: string): Promise<void> => {
    if (caller.kind === 'operator') await workspaces.require(id);
  };

  /** Holds the reader identity of the workspace during the read; ends a read that is held when it is lost. */
  const readAsInstance = async (
    workspaceId: string,
    instanceId: string,
    { headers }: FastifyRequest,
    connection: ReadConnection,
    read: (connection: ReadConnection) => Promise<FeedPage>,
  ): Promise<FeedPage> => {
    const claim = await instances.claim(workspaceId, instanceId, headers[TAKEOVER_HEADER] === '1');
    try {
      const page = await read({
        get gone() {
          return connection.gone || claim.lost.aborted;
        },
        onGone: (task) => {
          connection.onGone(task);
          claim.lost.addEventListener('abort', task, { once: true });
        },
      });
      if (claim.lost.aborted) page.release();
      claim.lost.throwIfAborted();
      return page;
    } finally {
      claim.end();
    }
  };

  mount(
    app,
    routes.listActivity,
    { query: (values) => parseFeedQuery(values, clock.now()) },
    async ({ params, query, caller, request, reply }) => {
      await requireWorkspace(caller, params.id);
      const reader = { isAgent: caller.kind === 'workspace' };
      const connection = watchConnection(reply);
      if (query.waitSeconds !== undefined) reply.header('x-wait-applied', String(query.waitSeconds));
      if (query.control !== undefined) {
        const { waitSeconds } = query;
        return activity.control.read(params.id, { ...query.control, waitSeconds }, connection);
      }
      // History and reads of operators claim nothing, whatever headers they carry.
      const instanceId = query.type === 'a2a_receive' && reader.isAgent ? readInstanceId(request) : undefined;
      const page =
        instanceId === undefined
          ? await activity.read(params.id, query, reader, connection)
          : await readAsInstance(params.id, instanceId, request, connection, (watched) =>
              // What another instance has finished since this one read last is not handled again.
              activity.read(params.id, { ...query, afterAcknowledged: true }, reader, watched),
            );
      if (page.nextCursor !== undefined) reply.header('x-next-cursor', page.nextCursor);
      reply.header('x-has-more', String(page.hasMore));
      return sendHeld(clock, reply, connection, page);
    },
  );

  mount(
    app,
    routes.getActivityRow,
    { query: ({ view }) => parseView(view) },
    async ({ params, query, caller, reply }) => {
      await requireWorkspace(caller, params.id);
      const reader = { isAgent: caller.kind === 'workspace' };
      const row = await activity.readRow(params.id, params.activityId, query, reader);
      return sendHeld(clock, reply, watchConnection(reply), row);
    },
  );

  mount(app, routes.reportActivity, async ({ params, body, caller }) => {
    await requireWorkspace(caller, params.id);
    const { id } = await activity.report(params.id, body);
    return { status: 'logged', activity_id: id };
  });
}
