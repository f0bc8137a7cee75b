import type {
  CreateWorkspaceRequest,
  CreateWorkspaceResponse,
  DeliveryMode,
  PatchWorkspaceRequest,
} from '@molecule-ai/protocol';

export interface NewWorkspace {
  /** At most 255 bytes. */
  name: string;
  role?: string | undefined;
  /** @default `external`: an agent that runs anywhere */
  runtime?: string | undefined;
  tier?: number | undefined;
  parentId?: string | null | undefined;
  /** The URL of the agent; omit it for an agent that polls. */
  url?: string | undefined;
  deliveryMode?: DeliveryMode | undefined;
  /** Stored encrypted. */
  secrets?: Readonly<Record<string, string>> | undefined;
  /** US cents per month; `null` for no limit. */
  budgetLimitCents?: number | null | undefined;
  maxConcurrentTasks?: number | undefined;
  /** Position on the canvas. */
  position?: { x: number; y: number } | undefined;
}

export interface CreatedWorkspace {
  readonly id: string;
  readonly status: string;
  /** The first token, returned once; `null` if the platform issued none. Pass it to the agent; do not log it. */
  readonly authToken: string | null;
  /** Connection data as sent by the platform; contains the token. */
  readonly connection: NonNullable<CreateWorkspaceResponse['connection']> | null;
}

/** Changes to a workspace; omitted fields stay as they are. */
export interface WorkspaceChanges {
  name?: string | undefined;
  role?: string | null | undefined;
  tier?: number | undefined;
  parentId?: string | null | undefined;
  url?: string | null | undefined;
  deliveryMode?: DeliveryMode | undefined;
  maxConcurrentTasks?: number | undefined;
  collapsed?: boolean | undefined;
  position?: { x: number; y: number } | undefined;
}

/** The body of `POST /workspaces`. */
export function createBody(workspace: NewWorkspace): CreateWorkspaceRequest {
  const { runtime = 'external' } = workspace;
  return withoutUndefined({
    name: workspace.name,
    role: workspace.role,
    runtime,
    external: runtime === 'external' ? true : undefined,
    tier: workspace.tier,
    parent_id: workspace.parentId,
    url: workspace.url,
    delivery_mode: workspace.deliveryMode,
    secrets: workspace.secrets === undefined ? undefined : { ...workspace.secrets },
    budget_limit: workspace.budgetLimitCents,
    max_concurrent_tasks: workspace.maxConcurrentTasks,
    canvas: workspace.position,
  });
}

export function createdWorkspace(response: CreateWorkspaceResponse): CreatedWorkspace {
  const { id, status, connection } = response;
  return { id, status, authToken: connection?.auth_token || null, connection: connection ?? null };
}

/** The body of `PATCH /workspaces/:id`. */
export function patchBody(changes: WorkspaceChanges): PatchWorkspaceRequest {
  return withoutUndefined({
    name: changes.name,
    role: changes.role,
    tier: changes.tier,
    parent_id: changes.parentId,
    url: changes.url,
    delivery_mode: changes.deliveryMode,
    max_concurrent_tasks: changes.maxConcurrentTasks,
    collapsed: changes.collapsed,
    x: changes.position?.x,
    y: changes.position?.y,
  });
}

function withoutUndefined<T extends object>(entries: T): T {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined)) as T;
}
