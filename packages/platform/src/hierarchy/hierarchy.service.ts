import type { PlatformContext } from '../context.ts';
import type { Queryable } from '../database/platform-database.ts';
import type { WorkspaceRow } from '../database/schema.ts';
import { HttpError } from '../http/http-error.ts';

/** The position of a workspace in the hierarchy; a root has no parent. */
type HierarchyNode = Pick<WorkspaceRow, 'id' | 'parent_id'>;

/** Maximum number of ancestors that are read; workspaces further apart count as unrelated. */
const MAX_DEPTH = 32;

/**
 * The hierarchy of workspaces and who may communicate. Inside a transaction its `trx` is the last argument. Paused and
 * removed workspaces are included unless a method excludes them.
 */
export class HierarchyService {
  readonly #query: Queryable;
  readonly #ancestorsMayCommunicate: boolean;

  constructor({ database, settings }: Pick<PlatformContext, 'database' | 'settings'>) {
    this.#query = database.query;
    this.#ancestorsMayCommunicate = settings.hierarchy === 'ancestors';
  }

  /** Whether the caller may send to the target. False when one of them is unknown. */
  async canCommunicate(callerId: string, targetId: string, db: Queryable = this.#query): Promise<boolean> {
    const members = await this.#members([callerId, targetId], db);
    const caller = members.get(callerId);
    const target = members.get(targetId);
    return caller !== undefined && target !== undefined && (await this.areRelated(caller, target, db));
  }

  /** The same for two positions that were read before. */
  async areRelated(
    caller: HierarchyNode,
    target: HierarchyNode,
    db: Queryable = this.#query,
  ): Promise<boolean> {
    if (areDirectRelatives(caller, target)) return true;
    if (!this.#ancestorsMayCommunicate) return false;
    const isAbove = async (lower: string, upper: string) =>
      (await this.ancestors(lower, db)).some((member) => member.id === upper);
    return (await isAbove(caller.id, target.id)) || (await isAbove(target.id, caller.id));
  }

  /** The workspaces above this one, nearest first, at most 32. */
  async ancestors(id: string, db: Queryable = this.#query): Promise<HierarchyNode[]> {
    const above: HierarchyNode[] = [];
    let member = (await this.#members([id], db)).get(id);
    while (member?.parent_id != null && above.length < MAX_DEPTH) {
      const parentId: string = member.parent_id;
      member = (await this.#members([parentId], db)).get(parentId);
      if (member !== undefined) above.push(member);
    }
    return above;
  }

  /** Direct children that are not removed, oldest first. */
  async children(id: string, db: Queryable = this.#query): Promise<{ id: string; name: string }[]> {
    return db
      .selectFrom('workspaces')
      .select(['id', 'name'])
      .where('parent_id', '=', id)
      .where('status', '!=', 'removed')
      .orderBy('created_at')
      .orderBy('id')
      .execute();
  }

  /** Ids of everything below, removed ones too, nearest first. */
  async descendantIds(rootId: string, db: Queryable = this.#query): Promise<string[]> {
    const rows = await db
      .withRecursive('subtree(id, depth)', (query) =>
        query
          .selectFrom('workspaces')
          .select((eb) => ['workspaces.id', eb.lit(1).as('depth')])
          .where('workspaces.parent_id', '=', rootId)
          .unionAll(
            query
              .selectFrom('subtree')
              .innerJoin('workspaces', 'workspaces.parent_id', 'subtree.id')
              .select((eb) => ['workspaces.id', eb('subtree.depth', '+', eb.lit(1)).as('depth')]),
          ),
      )
      .selectFrom('subtree')
      .select(['id', 'depth'])
      .orderBy('depth')
      .execute();
    return rows.map((row) => row.id);
  }

  async #members(ids: readonly string[], db: Queryable): Promise<Map<string, HierarchyNode>> {
    const rows = await db
      .selectFrom('workspaces')
      .select(['id', 'parent_id'])
      .where('id', 'in', ids)
      .execute();
    return new Map(rows.map((row) => [row.id, row]));
  }
}

/** The same workspace, siblings, parent and child, and two roots. */
function areDirectRelatives(caller: HierarchyNode, target: HierarchyNode): boolean {
  if (caller.id === target.id) return true;
  if (caller.parent_id === target.parent_id) return true;
  return caller.parent_id === target.id || target.parent_id === caller.id;
}

export function accessDenied(extras: { readonly field?: string } = {}): HttpError {
  const text = 'access denied: workspaces cannot communicate per hierarchy rules';
  return new HttpError(403, 'access_denied', text, extras);
}
