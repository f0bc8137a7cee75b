// #region fastify
import { toNodeListener } from '@molecule-ai/core';
import type { InboundHandler } from '@molecule-ai/core/inbound';
import Fastify, { type FastifyInstance } from 'fastify';

export function createFastifyApp(handler: InboundHandler): FastifyInstance {
  const app = Fastify();
  const listener = toNodeListener(handler);
  app.register(
    async (scope) => {
      scope.removeAllContentTypeParsers(); // in this scope only: the handler reads the body itself
      scope.addContentTypeParser('*', (_request, _body, done) => done(null));
      for (const path of ['/', '/*']) {
        scope.all(path, (request, reply) => {
          reply.hijack();
          return listener(request.raw, reply.raw);
        });
      }
    },
    { prefix: '/a2a' },
  );
  return app;
}
// #endregion fastify
