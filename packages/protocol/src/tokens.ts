import { z } from 'zod';
import { Count } from './ids.ts';
import { type WireType, wire } from './wire.ts';

/** One live token of a workspace, without its value. `prefix` is its first 8 characters (decision 4). */
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

/** Answer of `GET /workspaces/:id/tokens`: live ones, newest first; `count` is the size of this page. */
export const TokenList = wire('TokenList', (w) =>
  w.object({ tokens: z.array(w.use(TokenRow)), count: Count }),
);
export type TokenList = WireType<typeof TokenList>;

/** Body of `POST /workspaces/:id/tokens`; may be empty. */
export const MintTokenRequest = wire('MintTokenRequest', (w) => w.object({ label: w.maybe(z.string()) }));
export type MintTokenRequest = WireType<typeof MintTokenRequest>;

/** Answer of a mint, 201. `auth_token` is shown once. */
export const MintTokenAnswer = wire('MintTokenAnswer', (w) =>
  w.object({
    auth_token: z.string().min(1),
    workspace_id: w.id(),
    id: w.maybe(w.id()),
    message: w.promised(z.string()),
  }),
);
export type MintTokenAnswer = WireType<typeof MintTokenAnswer>;

/** Answer of `DELETE /workspaces/:id/tokens/:tokenId`; `revoked_count` when all were revoked (seed 001). */
export const RevokeTokenAnswer = wire('RevokeTokenAnswer', (w) =>
  w.object({ status: w.oneOf(['revoked']), revoked_count: w.maybe(Count) }),
);
export type RevokeTokenAnswer = WireType<typeof RevokeTokenAnswer>;
