import * as z from 'zod';
import { cardInResponse } from './agent-card.ts';
import { columnText, FIELD_LIMITS, lineText, plainText, urlText } from './field-limits.ts';
import { Cents, Count, DELIVERY_MODES, DeliveryMode, Uuid } from './ids.ts';
import { type WireBuilder, type WireType, wire } from './wire.ts';

/** Every status of a workspace. For a reader an unknown one means "keep running". */
export const WORKSPACE_STATUSES = [
  'awaiting_agent',
  'provisioning',
  'online',
  'degraded',
  'offline',
  'paused',
  'hibernated',
  'failed',
  'removed',
] as const;
export type WorkspaceStatus = (typeof WORKSPACE_STATUSES)[number];

const shared = (w: WireBuilder) => ({
  id: w.id(),
  name: z.string(),
  role: w.orNull(z.string()),
  tier: z.int(),
  status: w.oneOf(WORKSPACE_STATUSES),
  url: w.orEmpty(),
  parent_id: w.orNull(w.id()),
  agent_card: cardInResponse(w),
  active_tasks: Count,
  max_concurrent_tasks: Count,
  last_error_rate: z.number(),
  last_sample_error: w.orEmpty(),
  uptime_seconds: Count,
  runtime: z.string(),
  x: z.number(),
  y: z.number(),
  collapsed: z.boolean(),
  provision_timeout_ms: w.maybe(Count),
  delivery_mode: w.promised(w.oneOf(DELIVERY_MODES)),
  last_heartbeat_at: w.promised(w.timestamp().nullable()),
  wedged: w.maybe(z.boolean()),
  event_loop_lag_ms: w.maybe(Count.nullable()),
  created_at: w.maybe(w.timestamp()),
  updated_at: w.maybe(w.timestamp()),
  removed_at: w.maybe(w.timestamp().nullable()),
});

/** A row of `GET /workspaces`. Money in US cents, `url` is `''` when there is none. */
export const WorkspaceListRow = wire('WorkspaceListRow', (w) =>
  w.object({
    ...shared(w),
    current_task: w.orEmpty(),
    workspace_dir: w.orNull(z.string()),
    monthly_spend: Cents,
    budget_limit: w.orNull(Cents),
  }),
);
export type WorkspaceListRow = WireType<typeof WorkspaceListRow>;

/** Response of `GET /workspaces`: removed ones excluded, oldest first. */
export const WorkspaceList = wire('WorkspaceList', (w) => z.array(w.use(WorkspaceListRow)));
export type WorkspaceList = WireType<typeof WorkspaceList>;

/**
 * Response of `GET /workspaces/:id`; a removed one is 410 unless `include_removed=true`. `last_sample_error` is `''` for other
 * workspaces than itself.
 */
export const WorkspaceDetail = wire('WorkspaceDetail', (w) =>
  w.object({
    ...shared(w),
    last_outbound_at: w.promised(w.timestamp().nullable()),
  }),
);
export type WorkspaceDetail = WireType<typeof WorkspaceDetail>;

/** Query of `GET /workspaces/:id`; only the literal `true` is recognised. */
export const GetWorkspaceQuery = wire('GetWorkspaceQuery', (w) =>
  w.object({ include_removed: w.maybe(z.string()) }),
);
export type GetWorkspaceQuery = WireType<typeof GetWorkspaceQuery>;

/** Body of `PATCH /workspaces/:id`; `x` and `y` are applied only together. */
export const PatchWorkspaceRequest = wire('PatchWorkspaceRequest', (w) =>
  w.object({
    name: plainText(FIELD_LIMITS.name).min(1).optional(),
    role: plainText(FIELD_LIMITS.role).nullable().optional(),
    tier: z.int().optional(),
    parent_id: Uuid.nullable().optional(),
    runtime: lineText(FIELD_LIMITS.runtime).optional(),
    url: urlText().nullable().optional(),
    delivery_mode: w.maybe(z.enum(DELIVERY_MODES)),
    max_concurrent_tasks: Count.optional(),
    workspace_dir: columnText().nullable().optional(),
    collapsed: z.boolean().optional(),
    x: z.number().optional(),
    y: z.number().optional(),
  }),
);
export type PatchWorkspaceRequest = WireType<typeof PatchWorkspaceRequest>;

/** Response of `PATCH /workspaces/:id`. */
export const PatchWorkspaceResponse = wire('PatchWorkspaceResponse', (w) =>
  w.object({ status: w.oneOf(['updated']), needs_restart: w.maybe(z.literal(true)) }),
);
export type PatchWorkspaceResponse = WireType<typeof PatchWorkspaceResponse>;

/**
 * Body of `POST /workspaces`. `external: true` or `runtime: "external"` selects a remote agent; the keys after
 * `initial_memories` are for container workspaces. See docs/contract/presence.md#create.
 */
export const CreateWorkspaceRequest = wire('CreateWorkspaceRequest', (w) =>
  w.object({
    name: plainText(FIELD_LIMITS.name).min(1),
    role: w.maybe(plainText(FIELD_LIMITS.role)),
    external: w.maybe(z.boolean()),
    runtime: w.maybe(lineText(FIELD_LIMITS.runtime)),
    url: w.maybe(urlText()),
    delivery_mode: w.maybe(DeliveryMode),
    tier: w.maybe(z.int()),
    parent_id: Uuid.nullable().optional(),
    secrets: w.maybe(z.record(columnText().min(1), z.string())),
    budget_limit: Cents.nullable().optional(),
    max_concurrent_tasks: w.maybe(Count),
    canvas: w.maybe(w.object({ x: z.number(), y: z.number() })),
    initial_memories: w.maybe(z.array(w.object({ content: z.string(), scope: w.maybe(columnText()) }))),
    template: w.maybe(columnText()),
    model: w.maybe(lineText(FIELD_LIMITS.model)),
    workspace_dir: w.maybe(columnText()),
    workspace_access: w.maybe(z.enum(['none', 'read_only', 'read_write'])),
  }),
);
export type CreateWorkspaceRequest = WireType<typeof CreateWorkspaceRequest>;

/** How to connect the agent of a new workspace. `auth_token` is its first token, returned once. */
export const WorkspaceConnection = wire('WorkspaceConnection', (w) =>
  w.object({
    workspace_id: w.id(),
    platform_url: z.string(),
    auth_token: w.either(z.string().min(1), z.string()),
    registry_endpoint: z.string(),
    heartbeat_endpoint: z.string(),
    curl_register_template: w.promised(z.string()),
    python_snippet: w.promised(z.string()),
    typescript_snippet: w.promised(z.string()),
  }),
);
export type WorkspaceConnection = WireType<typeof WorkspaceConnection>;

/** Response of `POST /workspaces`, 201. `connection` is always sent, also for a workspace with a URL. */
export const CreateWorkspaceResponse = wire('CreateWorkspaceResponse', (w) =>
  w.object({
    id: w.id(),
    external: w.promised(z.boolean()),
    status: w.oneOf(['awaiting_agent']),
    connection: w.promised(w.use(WorkspaceConnection)),
  }),
);
export type CreateWorkspaceResponse = WireType<typeof CreateWorkspaceResponse>;

/** Query of `DELETE /workspaces/:id`: `confirm=true` also removes the children, `purge=true` deletes the rows. */
export const DeleteWorkspaceQuery = wire('DeleteWorkspaceQuery', (w) =>
  w.object({ confirm: w.maybe(z.string()), purge: w.maybe(z.string()) }),
);
export type DeleteWorkspaceQuery = WireType<typeof DeleteWorkspaceQuery>;

/** Response of `DELETE /workspaces/:id`. Children without `confirm=true` are a 409 `confirmation_required`. */
export const DeleteWorkspaceResponse = wire('DeleteWorkspaceResponse', (w) =>
  w.object({ status: w.oneOf(['removed', 'purged']), cascade_deleted: Count }),
);
export type DeleteWorkspaceResponse = WireType<typeof DeleteWorkspaceResponse>;

/** Response of `POST /workspaces/:id/pause`; the count includes the descendants. */
export const PauseResponse = wire('PauseResponse', (w) =>
  w.object({ status: w.oneOf(['paused']), paused_count: Count }),
);
export type PauseResponse = WireType<typeof PauseResponse>;

/** Response of `POST /workspaces/:id/resume`: `awaiting_agent` until the next heartbeat. */
export const ResumeResponse = wire('ResumeResponse', (w) =>
  w.object({ status: w.oneOf(['awaiting_agent']), resumed_count: Count }),
);
export type ResumeResponse = WireType<typeof ResumeResponse>;

/** Response of `GET /workspaces/:id/state`; removed ones are a 404 `workspace_removed` with `deleted: true`. */
export const WorkspaceState = wire('WorkspaceState', (w) =>
  w.object({
    workspace_id: w.id(),
    status: w.oneOf(WORKSPACE_STATUSES),
    paused: z.boolean(),
    deleted: z.boolean(),
  }),
);
export type WorkspaceState = WireType<typeof WorkspaceState>;

/** Response of both budget routes, in US cents; `budget_remaining` may be negative, null means no limit. */
export const Budget = wire('Budget', (w) =>
  w.object({
    budget_limit: Cents.nullable(),
    monthly_spend: Cents,
    budget_remaining: z.int().nullable(),
  }),
);
export type Budget = WireType<typeof Budget>;

/** Body of `PATCH /workspaces/:id/budget`; the key is mandatory, null removes the limit. */
export const SetBudgetRequest = wire('SetBudgetRequest', (w) => w.object({ budget_limit: Cents.nullable() }));
export type SetBudgetRequest = WireType<typeof SetBudgetRequest>;
