import { ApiError } from '../http/api-error.ts';

/** A parent that cannot be: unknown, removed, or below the workspace itself. */
export function invalidParent(problem: string): ApiError {
  return new ApiError(400, 'invalid_parent', `invalid parent_id: ${problem}`, {
    extras: { field: 'parent_id' },
  });
}

/** True when `parentId` would make the tree a circle: the workspace itself or one of those below it. */
export function makesCircle(id: string, parentId: string, descendantIds: readonly string[]): boolean {
  return parentId === id || descendantIds.includes(parentId);
}
