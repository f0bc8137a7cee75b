// #region verify
import { createRemoteJWKSet, jwtVerify } from 'jose';

// #endregion verify
export interface ReceivingAgent {
  readonly platformUrl: string;
  readonly workspaceId: string;
  readonly issuer: string;
}

/** The check of docs/with-an-a2a-sdk.md for an agent. */
export function callerOfRequests({ platformUrl, workspaceId, issuer }: ReceivingAgent) {
  // #region verify
  // From the platform's own address, never from what a token says. Read again after five minutes and for an unknown key.
  const keys = createRemoteJWKSet(new URL(`${platformUrl}/.well-known/jwks.json`), { cacheMaxAge: 300_000 });

  /** Who calls. Throws for everybody but the platform and the peers to which it gave a token. */
  async function callerOf(authorization = '') {
    const { payload } = await jwtVerify(authorization.replace(/^Bearer /, ''), keys, {
      algorithms: ['EdDSA'],
      issuer, // `issuer` in the response to the registration
      audience: workspaceId,
      clockTolerance: 60,
      requiredClaims: ['exp', 'sub', 'use'],
    });
    // `sub` is the id of a workspace, or 'canvas' for people and the platform. With 'push' the platform itself calls, and the
    // metadata that it sets is true; with 'direct' it is the peer's word.
    return { caller: payload.sub, isPlatform: payload.use === 'push' };
  }
  // #endregion verify
  return callerOf;
}
