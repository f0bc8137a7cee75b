import type { Kysely } from 'kysely';
import type { Database } from '../database/schema.ts';
import type { FamilyMember } from './hierarchy.rules.ts';

/** Reads the places of these workspaces; unknown ids are left out. */
export async function readFamilyMembers(
  db: Kysely<Database>,
  ids: readonly string[],
): Promise<Map<string, FamilyMember>> {
  const rows = await db.selectFrom('workspaces').select(['id', 'parent_id']).where('id', 'in', ids).execute();
  return new Map(rows.map((row) => [row.id, { id: row.id, parentId: row.parent_id }]));
}

/** Reads the ids and names of the direct children that are not removed, oldest first. */
export async function readChildren(
  db: Kysely<Database>,
  parentId: string,
): Promise<{ id: string; name: string }[]> {
  return db
    .selectFrom('workspaces')
    .select(['id', 'name'])
    .where('parent_id', '=', parentId)
    .where('status', '!=', 'removed')
    .orderBy('created_at')
    .orderBy('id')
    .execute();
}

/** Reads the ids of everything below a workspace, whatever its status, nearest first. */
export async function readDescendantIds(db: Kysely<Database>, rootId: string): Promise<string[]> {
  const rows = await db
    .withRecursive('family(id, depth)', (query) =>
      query
        .selectFrom('workspaces')
        .select((eb) => ['workspaces.id', eb.lit(1).as('depth')])
        .where('workspaces.parent_id', '=', rootId)
        .unionAll(
          query
            .selectFrom('family')
            .innerJoin('workspaces', 'workspaces.parent_id', 'family.id')
            .select((eb) => ['workspaces.id', eb('family.depth', '+', eb.lit(1)).as('depth')]),
        ),
    )
    .selectFrom('family')
    .select(['id', 'depth'])
    .orderBy('depth')
    .execute();
  return rows.map((row) => row.id);
}
