import * as z from 'zod';
import { columnText, FIELD_LIMITS } from './field-limits.ts';
import { Count } from './ids.ts';
import { type WireType, wire } from './wire.ts';

/** One live token of a workspace, without its value. `prefix` is its first 8 characters. */
export const TokenRow = wire('TokenRow', (w) =>
  w.object({
    id: w.id(),
    prefix: z.string(),
    created_at: w.timestamp(),
    last_used_at: w.timestamp().nullable(),
  }),
);
export type TokenRow = WireType<typeof TokenRow>;

/** Query of `GET /workspaces/:id/tokens`: `limit` 1–200 (50), `offset` from 0; both decimal text. */
export const ListTokensQuery = wire('ListTokensQuery', (w) =>
  w.object({ limit: w.maybe(z.string()), offset: w.maybe(z.string()) }),
);
export type ListTokensQuery = WireType<typeof ListTokensQuery>;

/** Response of `GET /workspaces/:id/tokens`: live ones, newest first; `count` is the size of this page. */
export const TokenList = wire('TokenList', (w) =>
  w.object({ tokens: z.array(w.use(TokenRow)), count: Count }),
);
export type TokenList = WireType<typeof TokenList>;

/** Body of `POST /workspaces/:id/tokens`; may be empty. */
export const MintTokenRequest = wire('MintTokenRequest', (w) => w.object({ label: w.maybe(columnText()) }));
export type MintTokenRequest = WireType<typeof MintTokenRequest>;

/** Response of a mint, 201. `auth_token` is shown once. */
export const MintTokenResponse = wire('MintTokenResponse', (w) =>
  w.object({
    auth_token: z.string().min(1),
    workspace_id: w.id(),
    id: w.maybe(w.id()),
    message: w.promised(z.string()),
  }),
);
export type MintTokenResponse = WireType<typeof MintTokenResponse>;

/** Response of `DELETE /workspaces/:id/tokens/:tokenId`; `revoked_count` when all were revoked. */
export const RevokeTokenResponse = wire('RevokeTokenResponse', (w) =>
  w.object({ status: w.oneOf(['revoked']), revoked_count: w.maybe(Count) }),
);
export type RevokeTokenResponse = WireType<typeof RevokeTokenResponse>;

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

/** Response of `GET /org/tokens` (at most 500). */
export const OrgKeyList = wire('OrgKeyList', (w) =>
  w.object({ tokens: z.array(w.use(OrgKeyRow)), count: Count }),
);
export type OrgKeyList = WireType<typeof OrgKeyList>;

/** Body of `POST /org/tokens`; `name` at most 100 characters. */
export const MintOrgKeyRequest = wire('MintOrgKeyRequest', (w) =>
  w.object({ name: w.maybe(columnText().max(FIELD_LIMITS.orgKeyName)) }),
);
export type MintOrgKeyRequest = WireType<typeof MintOrgKeyRequest>;

/** Response of `POST /org/tokens`, 200: the key under both names that published pages use. */
export const MintOrgKeyResponse = wire('MintOrgKeyResponse', (w) =>
  w.object({
    id: w.id(),
    prefix: w.promised(z.string()),
    name: w.maybe(z.string()),
    auth_token: w.promised(z.string().min(1)),
    key: w.promised(z.string().min(1)),
    warning: w.promised(z.string()),
  }),
);
export type MintOrgKeyResponse = WireType<typeof MintOrgKeyResponse>;

/** Response of `DELETE /org/tokens/:id`. */
export const RevokeOrgKeyResponse = wire('RevokeOrgKeyResponse', (w) => w.object({ revoked: w.id() }));
export type RevokeOrgKeyResponse = WireType<typeof RevokeOrgKeyResponse>;

/** Body of `POST /session`: the operator key, exchanged for an HttpOnly cookie. */
export const CreateSessionRequest = wire('CreateSessionRequest', (w) =>
  w.object({ operator_key: z.string().min(1) }),
);
export type CreateSessionRequest = WireType<typeof CreateSessionRequest>;

/** Response of creating and of deleting a session. */
export const SessionResponse = wire('SessionResponse', (w) => w.object({ status: w.oneOf(['ok']) }));
export type SessionResponse = WireType<typeof SessionResponse>;
