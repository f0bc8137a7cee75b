import * as z from 'zod';
import { AgentCard } from './agent-card.ts';
import { columnText, urlText } from './field-limits.ts';
import { Cents, Count, DELIVERY_MODES, DeliveryMode } from './ids.ts';
import { type WireType, wire } from './wire.ts';
import { WORKSPACE_STATUSES } from './workspace.ts';

/** The error text when neither alias is given, or both are and differ. */
export const NAMES_ONE_WORKSPACE = 'id or workspace_id must name one workspace';

/** True when at least one alias is given and both name the same id, in any letter case. */
export function namesOneWorkspace(body: {
  id?: string | undefined;
  workspace_id?: string | undefined;
}): boolean {
  const named = body.workspace_id ?? body.id;
  if (named === undefined) return false;
  return body.id === undefined || body.id.toLowerCase() === named.toLowerCase();
}

/**
 * Body of `POST /registry/register`. `id` and `workspace_id` mean the same; send both. `url` is omitted in poll mode;
 * an empty or `remote:` URL means poll. `rotate`: an operator requests a new token.
 */
export const RegisterRequest = wire('RegisterRequest', (w) =>
  w
    .object({
      id: w.maybe(w.id()),
      workspace_id: w.maybe(w.id()),
      url: w.maybe(urlText()),
      agent_card: w.maybe(w.use(AgentCard)),
      delivery_mode: w.maybe(DeliveryMode),
      rotate: w.maybe(z.boolean()),
    })
    .refine(namesOneWorkspace, NAMES_ONE_WORKSPACE),
);
export type RegisterRequest = WireType<typeof RegisterRequest>;

/** Response of `POST /registry/register`: `auth_token` only when one was issued. `issuer` is the `iss` of peer tokens. */
export const RegisterResponse = wire('RegisterResponse', (w) =>
  w.object({
    status: w.promised(w.oneOf(['registered'])),
    id: w.promised(w.id()),
    workspace_id: w.promised(w.id()),
    delivery_mode: w.promised(w.oneOf(DELIVERY_MODES)),
    org_id: w.promised(z.string().nullable()),
    expires_at: w.promised(w.either(z.null(), z.string().nullable())),
    auth_token: w.maybe(z.string()),
    issuer: w.maybe(z.string()),
    platform_inbound_secret: w.maybe(z.string()),
    capabilities: w.maybe(z.array(z.string())),
  }),
);
export type RegisterResponse = WireType<typeof RegisterResponse>;

/** Body of `POST /registry/update-card`: replaces the whole card. */
export const UpdateCardRequest = wire('UpdateCardRequest', (w) =>
  w
    .object({ workspace_id: w.maybe(w.id()), id: w.maybe(w.id()), agent_card: w.use(AgentCard) })
    .refine(namesOneWorkspace, NAMES_ONE_WORKSPACE),
);
export type UpdateCardRequest = WireType<typeof UpdateCardRequest>;

/** Response of `POST /registry/update-card`. */
export const UpdateCardResponse = wire('UpdateCardResponse', (w) =>
  w.object({ status: w.oneOf(['updated']) }),
);
export type UpdateCardResponse = WireType<typeof UpdateCardResponse>;

/** The capabilities of an agent's runtime, its idle timeout in seconds, and the largest lag of its event loop in milliseconds. */
export const RuntimeMetadata = wire('RuntimeMetadata', (w) =>
  w.object({
    capabilities: w.maybe(z.record(z.string(), z.boolean())),
    idle_timeout_seconds: w.maybe(Count),
    event_loop_lag_ms: w.maybe(Count),
  }),
);
export type RuntimeMetadata = WireType<typeof RuntimeMetadata>;

/**
 * Body of `POST /registry/heartbeat`, sent every 27–30 s. A missing metric keeps its value. `error_rate` 0–1,
 * `uptime_seconds` in seconds, `monthly_spend` in US cents. `status` is accepted, because the External Agents page
 * sends it, and ignored. `agent_card` updates the card when it differs. See docs/contract/presence.md#heartbeat.
 */
export const HeartbeatRequest = wire('HeartbeatRequest', (w) =>
  w
    .object({
      workspace_id: w.maybe(w.id()),
      id: w.maybe(w.id()),
      error_rate: w.maybe(z.number().min(0).max(1)),
      sample_error: w.maybe(columnText()),
      active_tasks: w.maybe(Count),
      uptime_seconds: w.maybe(w.either(Count, z.number().min(0))),
      current_task: w.maybe(columnText()),
      monthly_spend: w.maybe(w.either(Cents, z.number())),
      runtime_state: w.maybe(w.either(z.enum(['', 'wedged']), columnText())),
      runtime_metadata: w.maybe(w.use(RuntimeMetadata)),
      status: w.maybe(columnText()),
      agent_card: w.maybe(w.use(AgentCard)),
    })
    .refine(namesOneWorkspace, NAMES_ONE_WORKSPACE),
);
export type HeartbeatRequest = WireType<typeof HeartbeatRequest>;

/**
 * Response of a heartbeat. `pending` counts messages that wait for the agent, neither acknowledged nor answered;
 * with it and `paused` the separate state poll is optional. A removed workspace gets 401 `workspace_removed` instead.
 */
export const HeartbeatResponse = wire('HeartbeatResponse', (w) =>
  w.object({
    status: w.oneOf(['ok']),
    workspace_status: w.promised(w.oneOf(WORKSPACE_STATUSES)),
    paused: w.promised(z.boolean()),
    deleted: w.promised(z.boolean()),
    pending: w.promised(Count),
    server_time: w.promised(w.timestamp()),
    platform_inbound_secret: w.maybe(z.string()),
    capabilities: w.maybe(z.array(z.string())),
  }),
);
export type HeartbeatResponse = WireType<typeof HeartbeatResponse>;
