import { z } from 'zod';
import { AgentCard } from './agent-card.ts';
import { DELIVERY_MODES, DeliveryMode } from './ids.ts';
import { type WireType, wire } from './wire.ts';

/** The text of the refusal when neither alias is there, or both are and differ. */
export const NAMES_ONE_WORKSPACE = 'id or workspace_id must name one workspace';

/** True when at least one alias is there and they do not contradict each other (any letter case). */
export function namesOneWorkspace(body: {
  id?: string | undefined;
  workspace_id?: string | undefined;
}): boolean {
  const named = body.workspace_id ?? body.id;
  if (named === undefined) return false;
  return body.id === undefined || body.id.toLowerCase() === named.toLowerCase();
}

/**
 * Body of `POST /registry/register`. `id` and `workspace_id` mean the same; send both (wire contract 8, row 1).
 * `url` is left out in poll mode; missing, empty and `remote:` URLs mean poll (row 8). `rotate` asks an
 * operator's register for a fresh token (decision 3).
 */
export const RegisterRequest = wire('RegisterRequest', (w) =>
  w
    .object({
      id: w.maybe(w.id()),
      workspace_id: w.maybe(w.id()),
      url: w.maybe(z.string()),
      agent_card: w.maybe(w.use(AgentCard)),
      delivery_mode: w.maybe(DeliveryMode),
      rotate: w.maybe(z.boolean()),
    })
    .refine(namesOneWorkspace, NAMES_ONE_WORKSPACE),
);
export type RegisterRequest = WireType<typeof RegisterRequest>;

/** Answer of `POST /registry/register`: `auth_token` only when one was issued (wire contract 8, row 3). */
export const RegisterAnswer = wire('RegisterAnswer', (w) =>
  w.object({
    status: w.promised(w.oneOf(['registered'])),
    id: w.promised(w.id()),
    workspace_id: w.promised(w.id()),
    delivery_mode: w.promised(w.oneOf(DELIVERY_MODES)),
    org_id: w.promised(z.string().nullable()),
    expires_at: w.promised(w.either(z.null(), z.string().nullable())),
    auth_token: w.maybe(z.string()),
  }),
);
export type RegisterAnswer = WireType<typeof RegisterAnswer>;

/** Body of `POST /registry/update-card`: replaces the whole card (wire contract 3.12). */
export const UpdateCardRequest = wire('UpdateCardRequest', (w) =>
  w
    .object({ workspace_id: w.maybe(w.id()), id: w.maybe(w.id()), agent_card: w.use(AgentCard) })
    .refine(namesOneWorkspace, NAMES_ONE_WORKSPACE),
);
export type UpdateCardRequest = WireType<typeof UpdateCardRequest>;

/** Answer of `POST /registry/update-card`. */
export const UpdateCardAnswer = wire('UpdateCardAnswer', (w) => w.object({ status: w.oneOf(['updated']) }));
export type UpdateCardAnswer = WireType<typeof UpdateCardAnswer>;
