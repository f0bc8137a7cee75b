import { z } from 'zod';
import { Count } from './ids.ts';
import { type WireType, wire } from './wire.ts';
import { WORKSPACE_STATUSES } from './workspace.ts';

/** Query of `DELETE /workspaces/:id`: `confirm=true` takes the children along, `purge=true` erases the rows. */
export const DeleteWorkspaceQuery = wire('DeleteWorkspaceQuery', (w) =>
  w.object({ confirm: w.maybe(z.string()), purge: w.maybe(z.string()) }),
);
export type DeleteWorkspaceQuery = WireType<typeof DeleteWorkspaceQuery>;

/** Answer of `DELETE /workspaces/:id`. Children without `confirm=true` are a 409 `confirmation_required`. */
export const DeleteWorkspaceAnswer = wire('DeleteWorkspaceAnswer', (w) =>
  w.object({ status: w.oneOf(['removed', 'purged']), cascade_deleted: Count }),
);
export type DeleteWorkspaceAnswer = WireType<typeof DeleteWorkspaceAnswer>;

/** Answer of `POST /workspaces/:id/pause`; the count includes the descendants. */
export const PauseAnswer = wire('PauseAnswer', (w) =>
  w.object({ status: w.oneOf(['paused']), paused_count: Count }),
);
export type PauseAnswer = WireType<typeof PauseAnswer>;

/** Answer of `POST /workspaces/:id/resume`: `awaiting_agent` until the next heartbeat (decision 17). */
export const ResumeAnswer = wire('ResumeAnswer', (w) =>
  w.object({ status: w.oneOf(['awaiting_agent']), resumed_count: Count }),
);
export type ResumeAnswer = WireType<typeof ResumeAnswer>;

/** Answer of `GET /workspaces/:id/state`; gone ones are a 404 `workspace_removed` with `deleted: true`. */
export const WorkspaceState = wire('WorkspaceState', (w) =>
  w.object({
    workspace_id: w.id(),
    status: w.oneOf(WORKSPACE_STATUSES),
    paused: z.boolean(),
    deleted: z.boolean(),
  }),
);
export type WorkspaceState = WireType<typeof WorkspaceState>;
