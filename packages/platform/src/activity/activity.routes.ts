import { routes, TAKEOVER_HEADER } from '@molecule-ai/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { PlatformContext } from '../context.ts';
import type { Caller } from '../http/callers.ts';
import { mount } from '../http/mount.ts';
import { type ReaderIdentities, readInstanceId } from '../instances/reader-identities.ts';
import { ClientConnection } from '../waiting/client-connection.ts';
import { sendHeld } from '../waiting/response-memory.ts';
import type { ControlRows } from './control-rows.ts';
import type { FeedPage } from './feed-pages.ts';
import { parseFeedQuery, parseView } from './feed-query.rules.ts';
import type { FeedReader } from './feed-reader.ts';
import type { FeedWriter } from './feed-writer.ts';

type ReadConnection = Pick<ClientConnection, 'gone' | 'onGone'>;

interface ActivityRoutesOptions extends Pick<PlatformContext, 'clock' | 'workspaces'> {
  readonly control: ControlRows;
  readonly feed: FeedWriter;
  readonly reader: FeedReader;
  readonly instances: ReaderIdentities;
}

/** The feed over HTTP: read it, report into it. Acknowledgements end messages and are mounted with them. */
export function mountActivityRoutes(app: FastifyInstance, options: ActivityRoutesOptions): void {
  const { clock, control, feed, instances, reader, workspaces } = options;
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
      const by = { isAgent: caller.kind === 'workspace' };
      const connection = new ClientConnection(reply);
      if (query.waitSeconds !== undefined) reply.header('x-wait-applied', String(query.waitSeconds));
      if (query.control !== undefined) {
        const { waitSeconds } = query;
        return control.read(params.id, { ...query.control, waitSeconds }, connection);
      }
      // History and reads of operators claim nothing, whatever headers they carry.
      const instanceId = query.type === 'a2a_receive' && by.isAgent ? readInstanceId(request) : undefined;
      const page =
        instanceId === undefined
          ? await reader.read(params.id, query, by, connection)
          : await readAsInstance(params.id, instanceId, request, connection, (watched) =>
              // What another instance has finished since this one read last is not handled again.
              reader.read(params.id, { ...query, afterAcknowledged: true }, by, watched),
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
      const by = { isAgent: caller.kind === 'workspace' };
      const row = await reader.readRow(params.id, params.activityId, query, by);
      return sendHeld(clock, reply, new ClientConnection(reply), row);
    },
  );

  mount(app, routes.reportActivity, async ({ params, body, caller }) => {
    await requireWorkspace(caller, params.id);
    const { id } = await feed.report(params.id, body);
    return { status: 'logged', activity_id: id };
  });
}
