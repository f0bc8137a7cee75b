import { routes } from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import { mount } from '../http/mount.ts';
import type { PeerTokensService } from './peer-tokens.service.ts';

/** Half of the time that a key is published before it signs, so that a copy is never without the key of a good token. */
const CACHED_FOR = 'public, max-age=300';

/** The public keys of peer tokens, for everybody. */
export function mountPeerTokensRoutes(app: FastifyInstance, peerTokens: PeerTokensService): void {
  mount(app, routes.jwks, async ({ reply }) => {
    const keys = await peerTokens.jwks();
    reply.header('cache-control', CACHED_FOR);
    return keys;
  });
}
