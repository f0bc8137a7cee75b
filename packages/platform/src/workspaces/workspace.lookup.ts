/** The names under which rooms that are being rewritten know the directory. */
export {
  requireAlive,
  type WorkspaceDirectory as WorkspaceLookup,
  workspaceRemoved,
} from '../directory/workspace-directory.ts';
