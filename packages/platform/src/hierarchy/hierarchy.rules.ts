/** A workspace's place in the tree; a root has no parent. */
export interface FamilyMember {
  readonly id: string;
  readonly parentId: string | null;
}

/** How far up a walk goes; deeper trees count as unrelated (wire contract 3.16). */
export const MAX_HIERARCHY_DEPTH = 32;

/**
 * Seed 002's table and nothing else (decision 7): the same workspace, siblings, parent and child, two roots.
 * Whether one of them is paused or removed does not matter.
 */
export function areDirectRelatives(caller: FamilyMember, target: FamilyMember): boolean {
  if (caller.id === target.id) return true;
  if (caller.parentId === target.parentId) return true;
  return caller.parentId === target.id || target.parentId === caller.id;
}
