import * as z from 'zod';
import { cardInResponse } from './agent-card.ts';
import { Count, DELIVERY_MODES, Uuid } from './ids.ts';
import { type WireType, wire } from './wire.ts';
import { WORKSPACE_STATUSES } from './workspace.ts';

/**
 * Response of `GET /registry/discover/:id`. For a peer that polls, `url` is its A2A route on our platform, and `''` on
 * others. `peer_token` is a JWT for direct calls to that target, valid until `peer_token_expires_at`; both are missing
 * when it cannot be called directly.
 */
export const DiscoverResponse = wire('DiscoverResponse', (w) =>
  w.object({
    id: w.id(),
    url: w.orEmpty(),
    name: w.promised(z.string()),
    role: w.promised(z.string().nullable()),
    status: w.promised(w.oneOf(WORKSPACE_STATUSES)),
    delivery_mode: w.promised(w.oneOf(DELIVERY_MODES)),
    agent_card: w.promised(cardInResponse(w)),
    peer_token: w.maybe(z.string()),
    peer_token_expires_at: w.maybe(w.timestamp()),
  }),
);
export type DiscoverResponse = WireType<typeof DiscoverResponse>;

/** One row of `GET /registry/:id/peers`; `url` is `''` when the peer has none. */
export const PeerRow = wire('PeerRow', (w) =>
  w.object({
    id: w.id(),
    name: w.orEmpty(),
    role: w.orNull(z.string()),
    tier: z.int(),
    status: w.oneOf(WORKSPACE_STATUSES),
    url: w.orEmpty(),
    parent_id: w.orNull(w.id()),
    active_tasks: Count,
    agent_card: cardInResponse(w),
    delivery_mode: w.maybe(w.oneOf(DELIVERY_MODES)),
  }),
);
export type PeerRow = WireType<typeof PeerRow>;

/** Response of `GET /registry/:id/peers`: siblings, children, then the parent; a bare array. */
export const PeerList = wire('PeerList', (w) => z.array(w.use(PeerRow)));
export type PeerList = WireType<typeof PeerList>;

/** Query of `GET /registry/:id/peers`: part of the name or role, any letter case. */
export const PeersQuery = wire('PeersQuery', (w) => w.object({ q: w.maybe(z.string()) }));
export type PeersQuery = WireType<typeof PeersQuery>;

/** Body of `POST /registry/check-access`. */
export const CheckAccessRequest = wire('CheckAccessRequest', (w) =>
  w.object({ caller_id: Uuid, target_id: Uuid }),
);
export type CheckAccessRequest = WireType<typeof CheckAccessRequest>;

/** Response of `POST /registry/check-access`; unknown ids are `false`. */
export const CheckAccessResponse = wire('CheckAccessResponse', (w) => w.object({ allowed: z.boolean() }));
export type CheckAccessResponse = WireType<typeof CheckAccessResponse>;

/** The platform's public keys for peer tokens, EdDSA only (RFC 8037). */
export const Jwks = wire('Jwks', (w) =>
  w.object({
    keys: z.array(
      w.object({
        kty: w.oneOf(['OKP']),
        crv: w.oneOf(['Ed25519']),
        x: z.string(),
        kid: z.string(),
        alg: w.promised(w.oneOf(['EdDSA'])),
        use: w.promised(w.oneOf(['sig'])),
      }),
    ),
  }),
);
export type Jwks = WireType<typeof Jwks>;

/**
 * What a peer token is for: `push`, a request of the platform itself, whose metadata an agent may believe, or `direct`,
 * a request of a peer, of which only the claims are believed.
 */
export const PEER_TOKEN_USES = ['push', 'direct'] as const;

/**
 * The claims of a peer token. `iss` is the `issuer` of the register response, `sub` the calling workspace or `canvas`,
 * `aud` the workspace that is called; `iat` and `exp` are seconds since the epoch, at most 300 apart.
 */
export const PeerTokenClaims = wire('PeerTokenClaims', (w) =>
  w.object({
    iss: z.string().min(1),
    sub: w.either(z.union([z.guid(), z.literal('canvas')]), z.string().min(1)),
    aud: w.id(),
    iat: z.number(),
    exp: z.number(),
    jti: z.string().min(1),
    use: w.oneOf(PEER_TOKEN_USES),
  }),
);
export type PeerTokenClaims = WireType<typeof PeerTokenClaims>;
