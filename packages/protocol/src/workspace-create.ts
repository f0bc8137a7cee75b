import { z } from 'zod';
import { FIELD_LIMITS, lineText, plainText } from './field-limits.ts';
import { Cents, Count, DeliveryMode, Uuid } from './ids.ts';
import { type WireType, wire } from './wire.ts';

/**
 * Body of `POST /workspaces`. `external: true` or `runtime: "external"` selects a remote agent; the keys after
 * `initial_memories` belong to container workspaces. Source: seed 002, wire contract 3.1.
 */
export const CreateWorkspaceRequest = wire('CreateWorkspaceRequest', (w) =>
  w.object({
    name: plainText(FIELD_LIMITS.name).min(1),
    role: w.maybe(plainText(FIELD_LIMITS.role)),
    external: w.maybe(z.boolean()),
    runtime: w.maybe(lineText(FIELD_LIMITS.runtime)),
    url: w.maybe(z.string()),
    delivery_mode: w.maybe(DeliveryMode),
    tier: w.maybe(z.int()),
    parent_id: Uuid.nullable().optional(),
    secrets: w.maybe(z.record(z.string().min(1), z.string())),
    budget_limit: Cents.nullable().optional(),
    max_concurrent_tasks: w.maybe(Count),
    canvas: w.maybe(w.object({ x: z.number(), y: z.number() })),
    initial_memories: w.maybe(z.array(w.object({ content: z.string(), scope: w.maybe(z.string()) }))),
    template: w.maybe(z.string()),
    model: w.maybe(lineText(FIELD_LIMITS.model)),
    workspace_dir: w.maybe(z.string()),
    workspace_access: w.maybe(z.enum(['none', 'read_only', 'read_write'])),
  }),
);
export type CreateWorkspaceRequest = WireType<typeof CreateWorkspaceRequest>;

/** How to connect the agent of a new workspace. `auth_token` is its first token, shown once (decision 3). */
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

/** Answer of `POST /workspaces`, 201. We always send `connection`, with a URL as well (decision 3). */
export const CreateWorkspaceAnswer = wire('CreateWorkspaceAnswer', (w) =>
  w.object({
    id: w.id(),
    external: w.promised(z.boolean()),
    status: w.oneOf(['awaiting_agent']),
    connection: w.promised(w.use(WorkspaceConnection)),
  }),
);
export type CreateWorkspaceAnswer = WireType<typeof CreateWorkspaceAnswer>;
