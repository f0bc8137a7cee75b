import type { Kysely } from 'kysely';
import type { PlatformContext } from '../context.ts';
import type { Database } from '../database/schema.ts';
import { areDirectRelatives, type FamilyMember, MAX_HIERARCHY_DEPTH } from './hierarchy.rules.ts';
import { readChildren, readDescendantIds, readFamilyMembers } from './hierarchy.store.ts';

/** Who is related to whom. Inside a transaction pass its `trx` as the last argument. */
export interface HierarchyService {
  /** Whether the caller may reach the target (decision 7). False when one of them is unknown. */
  canCommunicate(callerId: string, targetId: string, db?: Kysely<Database>): Promise<boolean>;
  /** The same for two whose places were read before. */
  areRelated(caller: FamilyMember, target: FamilyMember, db?: Kysely<Database>): Promise<boolean>;
  /** The workspaces above this one, nearest first, at most 32. */
  ancestors(id: string, db?: Kysely<Database>): Promise<FamilyMember[]>;
  /** Direct children that are not removed, oldest first. */
  children(id: string, db?: Kysely<Database>): Promise<{ id: string; name: string }[]>;
  /** Ids of everything below, removed ones too, nearest first. */
  descendantIds(id: string, db?: Kysely<Database>): Promise<string[]>;
}

export function createHierarchyService(context: PlatformContext): HierarchyService {
  const ancestors = async (id: string, db: Kysely<Database> = context.db) => {
    const above: FamilyMember[] = [];
    let member = (await readFamilyMembers(db, [id])).get(id);
    while (member?.parentId != null && above.length < MAX_HIERARCHY_DEPTH) {
      const parentId: string = member.parentId;
      member = (await readFamilyMembers(db, [parentId])).get(parentId);
      if (member !== undefined) above.push(member);
    }
    return above;
  };

  const areRelated: HierarchyService['areRelated'] = async (caller, target, db = context.db) => {
    if (areDirectRelatives(caller, target)) return true;
    if (context.settings.hierarchy !== 'ancestors') return false;
    const isAbove = async (lower: string, upper: string) =>
      (await ancestors(lower, db)).some((member) => member.id === upper);
    return (await isAbove(caller.id, target.id)) || (await isAbove(target.id, caller.id));
  };

  const canCommunicate: HierarchyService['canCommunicate'] = async (callerId, targetId, db = context.db) => {
    const members = await readFamilyMembers(db, [callerId, targetId]);
    const caller = members.get(callerId);
    const target = members.get(targetId);
    return caller !== undefined && target !== undefined && (await areRelated(caller, target, db));
  };

  return {
    canCommunicate,
    areRelated,
    ancestors,
    children: (id, db = context.db) => readChildren(db, id),
    descendantIds: (id, db = context.db) => readDescendantIds(db, id),
  };
}
