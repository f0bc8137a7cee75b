import type { Principal } from './principal.ts';

/** A revoked token of a removed workspace: its holder is told that the workspace is gone (wire contract 8, row 13). */
export interface RemovedHolder {
  readonly kind: 'removed';
  readonly workspaceId: string;
  readonly removedAt: string | null;
}

/** A credential that is there and is nothing we know: never better than none, in dev mode too (decision 2). */
export interface UnknownCredential {
  readonly kind: 'unknown-credential';
}

/** What the credential of a request turned out to be. Routes let a `Principal` through, or judge the rest. */
export type Identity = Principal | RemovedHolder | UnknownCredential;

/** The principals that a route lets through once it asked for a caller. */
export type Caller = Exclude<Principal, { kind: 'anonymous' }>;

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before the body is read. Read it through `access.ts`. */
    identity: Identity;
    /** Whose requests the limiter counts: a known credential, else the address. */
    limitKey: string;
  }
}
