import { HeartbeatRequest, RegisterRequest, UpdateCardRequest } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { requireOwnToken } from '../http/access.ts';
import { parseBody, parseWorkspaceId } from '../http/parse.ts';
import type { RegistryService } from './registry.service.ts';

/** Registering, heartbeats and cards (wire contract 3.10 to 3.12). */
export function registerRegistryRoutes(app: FastifyInstance, registry: RegistryService): void {
  app.post('/registry/register', async (request) => {
    const body = parseBody(RegisterRequest, request.body, 'invalid request body');
    return registry.register(namedWorkspace(body), body, request.identity);
  });

  app.post('/registry/heartbeat', async (request) => {
    const body = parseBody(HeartbeatRequest, request.body, 'invalid request body');
    const id = namedWorkspace(body);
    requireOwnToken(request, id);
    return registry.heartbeat(id, body);
  });

  app.post('/registry/update-card', async (request) => {
    const body = parseBody(UpdateCardRequest, request.body, 'invalid request body');
    const id = namedWorkspace(body);
    requireOwnToken(request, id);
    await registry.updateCard(id, body.agent_card);
    return { status: 'updated' };
  });
}

/** The workspace that a body names; both spellings are fine, the schema has made sure that they agree. */
function namedWorkspace(body: { id?: string | undefined; workspace_id?: string | undefined }): string {
  const field = body.workspace_id === undefined ? 'id' : 'workspace_id';
  return parseWorkspaceId(body.workspace_id ?? body.id ?? '', field);
}
