import { type MintTokenResponse, routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { mount, parseWorkspaceId, wholeNumber } from '../http/mount.ts';
import type { TokensService } from './tokens.service.ts';

const DEFAULT_PAGE = 50;
const MAX_PAGE = 200;

/** Tokens of a workspace, for an operator or the workspace itself. */
export function mountTokensRoutes(app: FastifyInstance, tokens: TokensService): void {
  const mint = async (workspaceId: string): Promise<MintTokenResponse> => {
    const { id, token } = await tokens.mint(workspaceId);
    const message = 'Store this token now; it is not shown again.';
    return { auth_token: token, workspace_id: workspaceId, id, message };
  };

  mount(app, routes.listTokens, async ({ params, query }) => {
    const limit = wholeNumber(query.limit, { fallback: DEFAULT_PAGE, min: 1, max: MAX_PAGE });
    const offset = wholeNumber(query.offset, { fallback: 0, min: 0, max: Number.MAX_SAFE_INTEGER });
    const listed = await tokens.list(params.id, { limit, offset });
    return { tokens: listed, count: listed.length };
  });

  mount(app, routes.mintToken, { body: ignored }, ({ params }) => mint(params.id));
  mount(app, routes.mintTokenAsAdmin, { body: ignored }, ({ params }) => mint(params.id));

  mount(app, routes.revokeToken, async ({ params }) => {
    await tokens.revoke(params.id, parseWorkspaceId(params.tokenId, 'tokenId'));
    return { status: 'revoked' };
  });
  mount(app, routes.revokeAllTokens, async ({ params }) => ({
    status: 'revoked',
    revoked_count: await tokens.revokeAll(params.id),
  }));
}

/** The label of a token is not stored, so any body is accepted. */
const ignored = () => undefined;
