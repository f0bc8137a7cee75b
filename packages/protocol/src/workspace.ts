import { z } from 'zod';
import { cardInAnswer } from './agent-card.ts';
import { FIELD_LIMITS, lineText, plainText } from './field-limits.ts';
import { Cents, Count, DELIVERY_MODES, Uuid } from './ids.ts';
import { type WireBuilder, type WireType, wire } from './wire.ts';

/** Every status a workspace can have (wire contract 2.1). A reader treats an unknown one as "keep running". */
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
  agent_card: cardInAnswer(w),
  active_tasks: Count,
  max_concurrent_tasks: Count,
  last_error_rate: z.number(),
  uptime_seconds: Count,
  runtime: z.string(),
  x: z.number(),
  y: z.number(),
  collapsed: z.boolean(),
  provision_timeout_ms: w.maybe(Count),
  delivery_mode: w.promised(w.oneOf(DELIVERY_MODES)),
  last_heartbeat_at: w.promised(w.timestamp().nullable()),
  created_at: w.maybe(w.timestamp()),
  updated_at: w.maybe(w.timestamp()),
  removed_at: w.maybe(w.timestamp().nullable()),
});

/** A row of `GET /workspaces`. Money in US cents, `url` is `''` when there is none (wire contract 3.2). */
export const WorkspaceListRow = wire('WorkspaceListRow', (w) =>
  w.object({
    ...shared(w),
    last_sample_error: w.orEmpty(),
    current_task: w.orEmpty(),
    workspace_dir: w.orNull(z.string()),
    monthly_spend: Cents,
    budget_limit: w.orNull(Cents),
  }),
);
export type WorkspaceListRow = WireType<typeof WorkspaceListRow>;

/** Answer of `GET /workspaces`: removed ones excluded, oldest first. */
export const WorkspaceList = wire('WorkspaceList', (w) => z.array(w.use(WorkspaceListRow)));
export type WorkspaceList = WireType<typeof WorkspaceList>;

/** Answer of `GET /workspaces/:id`; a removed one is 410 unless `include_removed=true` (wire contract 3.3). */
export const WorkspaceDetail = wire('WorkspaceDetail', (w) =>
  w.object({
    ...shared(w),
    last_outbound_at: w.promised(w.timestamp().nullable()),
    wedged: w.maybe(z.boolean()),
  }),
);
export type WorkspaceDetail = WireType<typeof WorkspaceDetail>;

/** Query of `GET /workspaces/:id`; only the literal `true` counts. */
export const GetWorkspaceQuery = wire('GetWorkspaceQuery', (w) =>
  w.object({ include_removed: w.maybe(z.string()) }),
);
export type GetWorkspaceQuery = WireType<typeof GetWorkspaceQuery>;

/** Body of `PATCH /workspaces/:id`; `x` and `y` only count together (wire contract 3.4, decision 1 for `url`). */
export const PatchWorkspaceRequest = wire('PatchWorkspaceRequest', (w) =>
  w.object({
    name: plainText(FIELD_LIMITS.name).min(1).optional(),
    role: plainText(FIELD_LIMITS.role).nullable().optional(),
    tier: z.int().optional(),
    parent_id: Uuid.nullable().optional(),
    runtime: lineText(FIELD_LIMITS.runtime).optional(),
    url: z.string().nullable().optional(),
    delivery_mode: w.maybe(z.enum(DELIVERY_MODES)),
    max_concurrent_tasks: Count.optional(),
    workspace_dir: z.string().nullable().optional(),
    collapsed: z.boolean().optional(),
    x: z.number().optional(),
    y: z.number().optional(),
  }),
);
export type PatchWorkspaceRequest = WireType<typeof PatchWorkspaceRequest>;

/** Answer of `PATCH /workspaces/:id`. */
export const PatchWorkspaceAnswer = wire('PatchWorkspaceAnswer', (w) =>
  w.object({ status: w.oneOf(['updated']), needs_restart: w.maybe(z.literal(true)) }),
);
export type PatchWorkspaceAnswer = WireType<typeof PatchWorkspaceAnswer>;
