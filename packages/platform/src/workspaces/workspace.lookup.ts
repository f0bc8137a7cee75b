/** The names under which rooms that are being rewritten know the directory. */
export {
  requireAlive,
  type WorkspaceDirectory as WorkspaceLookup,
  workspaceNotFound,
  workspaceRemoved,
} from '../directory/workspace-directory.ts';
