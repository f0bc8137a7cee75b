import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { deleteToken, getTokens, postToken, type TokenInfo } from '../platform-api/tokens.ts';
import { getWorkspaceState } from '../platform-api/workspaces.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';

const PREFIX_LENGTH = 8;

/** What a rotation did. Neither token is shown. */
export interface TokenRotation {
  /** The revoked token's id, or `null` when the old one could not be told from others and lives on. */
  readonly revokedTokenId: string | null;
}

/**
 * Puts a new token in the place of the old one: mint, store, verify, and only then revoke. A failure in between
 * leaves a working token in use and in the store.
 */
export async function rotateWorkspaceToken(
  context: ClientContext,
  options: CallOptions,
): Promise<TokenRotation> {
  const { tokens, transport, settings, logger } = context;
  await tokens.load();
  const old = tokens.current();
  if (old === undefined) {
    throw new MoleculeError('There is no token to rotate: call register() first.', { code: 'unauthorized' });
  }
  const before = await getTokens(transport, settings.workspaceId, { ...options, limit: 200 });
  const minted = await postToken(transport, settings.workspaceId, options);
  await tokens.save(minted.auth_token);
  await verify(context, old, options);
  const obsolete = findByPrefix(before, old);
  if (obsolete === undefined) {
    logger.warn({}, 'The old token could not be told from others and was not revoked.');
    return { revokedTokenId: null };
  }
  await deleteToken(transport, settings.workspaceId, obsolete.id, options);
  return { revokedTokenId: obsolete.id };
}

/** Uses the new token once; should the platform refuse it, the old one comes back. */
async function verify(context: ClientContext, old: string, options: CallOptions): Promise<void> {
  try {
    await getWorkspaceState(context.transport, context.settings.workspaceId, options);
  } catch (error) {
    if (ApiError.isInstance(error) && error.code === 'unauthorized') await context.tokens.save(old);
    throw error;
  }
}

function findByPrefix(tokens: readonly TokenInfo[], token: string): TokenInfo | undefined {
  const candidates = tokens.filter(({ prefix }) => prefix === token.slice(0, PREFIX_LENGTH));
  return candidates.length === 1 ? candidates[0] : undefined;
}
