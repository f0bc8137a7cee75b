import type { PlatformContext } from '../context.ts';
import { createWorkspaceCreation, type WorkspaceCreation } from './workspace-creation.service.ts';
import { createWorkspacePatching, type WorkspacePatching } from './workspace-patch.service.ts';
import { createWorkspacePausing, type WorkspacePausing } from './workspace-pause.service.ts';
import { createWorkspaceReading, type WorkspaceReading } from './workspace-reading.service.ts';
import {
  createWorkspaceRemoval,
  type WorkspaceRemoval,
  type WorkspaceRemovalDependencies,
} from './workspace-removal.service.ts';

/** Everything that can be done with a workspace, one part a file. */
export interface WorkspacesService
  extends WorkspaceCreation,
    WorkspaceReading,
    WorkspacePatching,
    WorkspaceRemoval,
    WorkspacePausing {}

export function createWorkspacesService(
  context: PlatformContext,
  dependencies: WorkspaceRemovalDependencies,
): WorkspacesService {
  return {
    ...createWorkspaceCreation(context, dependencies),
    ...createWorkspaceReading(context, dependencies),
    ...createWorkspacePatching(context, dependencies),
    ...createWorkspaceRemoval(context, dependencies),
    ...createWorkspacePausing(context, dependencies),
  };
}
