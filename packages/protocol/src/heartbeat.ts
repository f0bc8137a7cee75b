import { z } from 'zod';
import { AgentCard } from './agent-card.ts';
import { Cents, Count } from './ids.ts';
import { NAMES_ONE_WORKSPACE, namesOneWorkspace } from './registration.ts';
import { type WireType, wire } from './wire.ts';
import { WORKSPACE_STATUSES } from './workspace.ts';

/** What an agent's runtime can do by itself, and its idle timeout in seconds. */
export const RuntimeMetadata = wire('RuntimeMetadata', (w) =>
  w.object({
    capabilities: w.maybe(z.record(z.string(), z.boolean())),
    idle_timeout_seconds: w.maybe(Count),
  }),
);
export type RuntimeMetadata = WireType<typeof RuntimeMetadata>;

/**
 * Body of `POST /registry/heartbeat`, sent every 27–30 s (decision 5). A metric that is left out keeps its
 * value. `error_rate` 0–1, `uptime_seconds` in seconds, `monthly_spend` in US cents. `status` is read by nobody
 * (seed 002 sends it). `agent_card` updates the card when it differs. Source: wire contract 3.11.
 */
export const HeartbeatRequest = wire('HeartbeatRequest', (w) =>
  w
    .object({
      workspace_id: w.maybe(w.id()),
      id: w.maybe(w.id()),
      error_rate: w.maybe(z.number().min(0).max(1)),
      sample_error: w.maybe(z.string()),
      active_tasks: w.maybe(Count),
      uptime_seconds: w.maybe(w.either(Count, z.number().min(0))),
      current_task: w.maybe(z.string()),
      monthly_spend: w.maybe(w.either(Cents, z.number())),
      runtime_state: w.maybe(w.oneOf(['', 'wedged'])),
      runtime_metadata: w.maybe(w.use(RuntimeMetadata)),
      status: w.maybe(z.string()),
      agent_card: w.maybe(w.use(AgentCard)),
    })
    .refine(namesOneWorkspace, NAMES_ONE_WORKSPACE),
);
export type HeartbeatRequest = WireType<typeof HeartbeatRequest>;

/**
 * Answer of a heartbeat. `pending` counts messages not yet acknowledged; with it and `paused` the separate state
 * poll is optional. A removed workspace gets 401 `workspace_removed` instead. Source: wire contract 10.2.
 */
export const HeartbeatAnswer = wire('HeartbeatAnswer', (w) =>
  w.object({
    status: w.oneOf(['ok']),
    workspace_status: w.promised(w.oneOf(WORKSPACE_STATUSES)),
    paused: w.promised(z.boolean()),
    deleted: w.promised(z.boolean()),
    pending: w.promised(Count),
    server_time: w.promised(w.timestamp()),
  }),
);
export type HeartbeatAnswer = WireType<typeof HeartbeatAnswer>;
