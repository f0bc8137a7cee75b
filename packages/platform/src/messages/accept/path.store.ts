import { sql } from 'kysely';
import type { PlatformDatabase, PreparedQuery, Queryable } from '../../database/platform-database.ts';
import { PATH_COLUMNS, type PathRow } from '../path.rules.ts';

/** The statements of paths: what led to a message. */
export class PathStore {
  readonly #selectDelivered: PreparedQuery<{ targetId: string; messageId: string }, unknown>;
  readonly #selectOnFeed: PreparedQuery<{ targetId: string; id: string }, unknown>;
  readonly #countLate: PreparedQuery<{ origin: string; limit: number }, { count: number }>;

  constructor({ database }: { readonly database: PlatformDatabase }) {
    this.#selectDelivered = database.prepare((db, values: { targetId: string; messageId: string }) =>
      db
        .selectFrom('activity')
        .select(PATH_COLUMNS)
        .where('message_id', '=', values.messageId)
        // Not a condition that an index of feeds serves: the message id alone leaves a row or two.
        .where(sql<string>`${sql.ref('workspace_id')} || ''`, '=', values.targetId)
        .orderBy('hops', 'desc')
        .orderBy('turns', 'desc')
        .limit(1),
    );
    this.#selectOnFeed = database.prepare((db, values: { targetId: string; id: string }) =>
      db
        .selectFrom('activity')
        .select(PATH_COLUMNS)
        .where('id', '=', values.id)
        .where('workspace_id', '=', values.targetId),
    );
    this.#countLate = database.prepare((db, { origin, limit }: { origin: string; limit: number }) =>
      db
        .selectFrom((late) =>
          late
            .selectFrom('activity')
            .select('turns')
            .where('path_origin', '=', origin)
            .where('turns', '>', 0)
            .where('answers_id', 'is', null)
            .limit(limit)
            .as('late'),
        )
        .select(({ fn }) => fn.countAll<number>().as('count')),
    );
  }

  /**
   * Finds a message on the feed of `targetId` by its message id, whoever sent it. Of several the one with the most hops.
   */
  async findDelivered(targetId: string, messageId: string, db: Queryable): Promise<PathRow | undefined> {
    const { rows } = await this.#selectDelivered({ targetId, messageId }, db);
    return rows[0] as PathRow | undefined;
  }

  /** Finds a message on the feed of `targetId` by its row id. */
  async findOnFeed(targetId: string, id: string, db: Queryable): Promise<PathRow | undefined> {
    const { rows } = await this.#selectOnFeed({ targetId, id: id.toLowerCase() }, db);
    return rows[0] as PathRow | undefined;
  }

  /** How many messages of all branches of a path were sent because of late answers; counts to `limit`. */
  async countLate(origin: string, limit: number, db?: Queryable): Promise<number> {
    const { rows } = await this.#countLate({ origin, limit }, db);
    return Number(rows[0]?.count ?? 0);
  }
}
