import { ListTokensQuery, type MintTokenAnswer, type TokenList } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { requireWorkspaceAccess } from '../http/access.ts';
import { parseQuery, parseWorkspaceId, pathParam, workspaceParam } from '../http/parse.ts';
import type { TokensService } from './tokens.service.ts';

const DEFAULT_PAGE = 50;
const MAX_PAGE = 200;

/** Tokens of a workspace (wire contract 3.8), for an operator or the workspace itself. */
export function registerTokensRoutes(app: FastifyInstance, tokens: TokensService): void {
  app.get('/workspaces/:id/tokens', async (request): Promise<TokenList> => {
    const id = workspaceParam(request);
    requireWorkspaceAccess(request, id);
    const query = parseQuery(ListTokensQuery, request.query);
    const limit = wholeNumber(query.limit, DEFAULT_PAGE, 1, MAX_PAGE);
    const offset = wholeNumber(query.offset, 0, 0, Number.MAX_SAFE_INTEGER);
    const listed = await tokens.list(id, { limit, offset });
    return { tokens: listed, count: listed.length };
  });

  const mint = async (workspaceId: string): Promise<MintTokenAnswer> => {
    const { id, token } = await tokens.mint(workspaceId);
    const message = 'Store this token now; it is not shown again.';
    return { auth_token: token, workspace_id: workspaceId, id, message };
  };
  app.post('/workspaces/:id/tokens', async (request, reply) => {
    const id = workspaceParam(request);
    requireWorkspaceAccess(request, id);
    return reply.code(201).send(await mint(id));
  });
  app.post('/admin/workspaces/:id/tokens', async (request, reply) => {
    return reply.code(201).send(await mint(workspaceParam(request)));
  });

  app.delete('/workspaces/:id/tokens/:tokenId', async (request) => {
    const id = workspaceParam(request);
    requireWorkspaceAccess(request, id);
    await tokens.revoke(id, parseWorkspaceId(pathParam(request, 'tokenId'), 'tokenId'));
    return { status: 'revoked' };
  });
  app.delete('/workspaces/:id/tokens', async (request) => {
    const id = workspaceParam(request);
    requireWorkspaceAccess(request, id);
    return { status: 'revoked', revoked_count: await tokens.revokeAll(id) };
  });
}

/** A number of the query, or the default when it is none or out of range. */
function wholeNumber(text: string | undefined, fallback: number, low: number, high: number): number {
  const value = text === undefined ? fallback : Number(text);
  return Number.isInteger(value) && value >= low && value <= high ? value : fallback;
}
