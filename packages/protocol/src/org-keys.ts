import { z } from 'zod';
import { FIELD_LIMITS } from './field-limits.ts';
import { Count } from './ids.ts';
import { type WireType, wire } from './wire.ts';

/** One org key, without its value. `created_by`: `org-token:<prefix>`, `session` or `admin-token`. */
export const OrgKeyRow = wire('OrgKeyRow', (w) =>
  w.object({
    id: w.id(),
    prefix: z.string(),
    name: w.maybe(z.string()),
    org_id: w.maybe(z.string()),
    created_by: w.maybe(z.string()),
    created_at: w.timestamp(),
    last_used_at: w.timestamp().nullable().optional(),
  }),
);
export type OrgKeyRow = WireType<typeof OrgKeyRow>;

/** Answer of `GET /org/tokens` (at most 500). */
export const OrgKeyList = wire('OrgKeyList', (w) =>
  w.object({ tokens: z.array(w.use(OrgKeyRow)), count: Count }),
);
export type OrgKeyList = WireType<typeof OrgKeyList>;

/** Body of `POST /org/tokens`; `name` at most 100 characters. */
export const MintOrgKeyRequest = wire('MintOrgKeyRequest', (w) =>
  w.object({ name: w.maybe(z.string().max(FIELD_LIMITS.orgKeyName)) }),
);
export type MintOrgKeyRequest = WireType<typeof MintOrgKeyRequest>;

/** Answer of `POST /org/tokens`, 200: the key under both names that documents use (wire contract 8, row 5). */
export const MintOrgKeyAnswer = wire('MintOrgKeyAnswer', (w) =>
  w.object({
    id: w.id(),
    prefix: w.promised(z.string()),
    name: w.maybe(z.string()),
    auth_token: w.promised(z.string().min(1)),
    key: w.promised(z.string().min(1)),
    warning: w.promised(z.string()),
  }),
);
export type MintOrgKeyAnswer = WireType<typeof MintOrgKeyAnswer>;

/** Answer of `DELETE /org/tokens/:id`. */
export const RevokeOrgKeyAnswer = wire('RevokeOrgKeyAnswer', (w) => w.object({ revoked: w.id() }));
export type RevokeOrgKeyAnswer = WireType<typeof RevokeOrgKeyAnswer>;
