import type { PlatformContext } from '../context.ts';
import type { Queryable, UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceRow } from '../database/schema.ts';
import { HttpError } from '../http/http-error.ts';

/** The position of a workspace in the hierarchy; a root has no parent. */
type Position = Pick<WorkspaceRow, 'id' | 'parent_id'>;

const MEMBER_COLUMNS = [
  'id',
  'name',
  'status',
  'parent_id',
  'url',
  'delivery_mode',
  'paused_by',
  'paused_with',
  'removed_at',
] as const;

/** A workspace above or below another one, without what may be long. */
export type Member = Pick<WorkspaceRow, (typeof MEMBER_COLUMNS)[number]>;

/** Maximum number of ancestors that are read; workspaces further apart count as unrelated. */
const MAX_DEPTH = 32;

/**
 * The hierarchy of workspaces and who may communicate. Inside a transaction its `trx` is the last argument. Paused and
 * removed workspaces are included.
 */
export class HierarchyService {
  readonly #query: Queryable;
  readonly #ancestorsMayCommunicate: boolean;

  constructor({ database, settings }: Pick<PlatformContext, 'database' | 'settings'>) {
    this.#query = database.query;
    this.#ancestorsMayCommunicate = settings.security.hierarchy === 'ancestors';
  }

  /** Whether the caller may send to the target. False when one of them is unknown. */
  async canCommunicate(callerId: string, targetId: string): Promise<boolean> {
    const rows = await this.#query
      .selectFrom('workspaces')
      .select(['id', 'parent_id'])
      .where('id', 'in', [callerId, targetId])
      .execute();
    const caller = rows.find(({ id }) => id === callerId);
    const target = rows.find(({ id }) => id === targetId);
    return caller !== undefined && target !== undefined && (await this.areRelated(caller, target));
  }

  /** The same for two positions that were read before. */
  async areRelated(caller: Position, target: Position, db?: Queryable): Promise<boolean> {
    if (areDirectRelatives(caller, target)) return true;
    if (!this.#ancestorsMayCommunicate) return false;
    const isAbove = async (lower: string, upper: string) =>
      (await this.ancestors(lower, db)).some((row) => row.id === upper);
    return (await isAbove(caller.id, target.id)) || (await isAbove(target.id, caller.id));
  }

  /** The workspaces above this one, nearest first, at most 32. */
  async ancestors(id: string, db: Queryable = this.#query): Promise<Member[]> {
    const [_own, ...above] = await readBranch(id, db, { isUpwards: true, depth: MAX_DEPTH });
    return above;
  }

  /**
   * Locks a workspace, everything below it and `others`, so that none of them gets another status or parent, and nothing more
   * comes below it, until the transaction ends. Returns the workspace and what is below it, nearest and oldest first; empty
   * when it is unknown.
   */
  async lockSubtree(unit: UnitOfWork, id: string, ...others: readonly string[]): Promise<Member[]> {
    const locked = new Set<string>();
    for (;;) {
      const rows = await readBranch(id, unit.trx, { isUpwards: false, depth: Number.MAX_SAFE_INTEGER });
      if (rows.every((row) => locked.has(row.id))) return rows;
      // What was put below one of them before it was locked is locked in the next round.
      for (const row of rows) locked.add(row.id);
      await unit.lock?.(...locked, ...others);
    }
  }
}

/** A workspace and those above or below it, nearest and oldest first. */
function readBranch(
  id: string,
  db: Queryable,
  { isUpwards, depth }: { readonly isUpwards: boolean; readonly depth: number },
): Promise<Member[]> {
  return db
    .withRecursive('branch(id, parent_id, depth)', (query) =>
      query
        .selectFrom('workspaces')
        .select((eb) => ['id', 'parent_id', eb.lit(0).as('depth')])
        .where('id', '=', id)
        .unionAll(
          query
            .selectFrom('branch')
            .innerJoin('workspaces as next', (join) =>
              isUpwards
                ? join.onRef('next.id', '=', 'branch.parent_id')
                : join.onRef('next.parent_id', '=', 'branch.id'),
            )
            .where('branch.depth', '<', depth)
            .select((eb) => ['next.id', 'next.parent_id', eb('branch.depth', '+', eb.lit(1)).as('depth')]),
        ),
    )
    .selectFrom('branch')
    .innerJoin('workspaces', 'workspaces.id', 'branch.id')
    .select(MEMBER_COLUMNS.map((column) => `workspaces.${column}` as const))
    .orderBy('branch.depth')
    .orderBy('workspaces.created_at')
    .orderBy('workspaces.id')
    .execute();
}

/** The same workspace, siblings, parent and child, and two roots. */
function areDirectRelatives(caller: Position, target: Position): boolean {
  if (caller.id === target.id) return true;
  if (caller.parent_id === target.parent_id) return true;
  return caller.parent_id === target.id || target.parent_id === caller.id;
}

export function accessDenied(extras: { readonly field?: string } = {}): HttpError {
  const text = 'access denied: workspaces cannot communicate per hierarchy rules';
  return new HttpError(403, 'access_denied', text, extras);
}
