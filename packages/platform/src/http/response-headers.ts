import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';

/** Headers that a page of a listed origin may send. */
const ALLOWED_HEADERS = [
  'Origin',
  'Content-Type',
  'Authorization',
  'X-Workspace-ID',
  'X-Source-Workspace-Id',
  'X-Target-Workspace-ID',
  'X-Molecule-Org-Id',
  'X-Timeout',
];

const READABLE_HEADERS = ['Retry-After', 'X-Wait-Applied', 'X-Next-Cursor', 'X-Has-More'];

/** Security headers on every answer, CORS for the listed origins only. No request is refused for its `Origin`. */
export async function setResponseHeaders(
  app: FastifyInstance,
  corsOrigins: readonly string[],
): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'self'"], frameAncestors: ["'none'"], baseUri: ["'none'"] },
    },
    frameguard: { action: 'deny' },
    hsts: { maxAge: 31_536_000, includeSubDomains: true },
    referrerPolicy: { policy: 'strict-origin-when-cross-origin' },
  });
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('Permissions-Policy', 'camera=(), microphone=(), geolocation=()');
    reply.header('Cache-Control', 'no-store');
  });
  await app.register(cors, {
    origin: corsOrigins.length === 0 ? false : [...corsOrigins],
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    allowedHeaders: ALLOWED_HEADERS,
    exposedHeaders: READABLE_HEADERS,
    credentials: true,
    strictPreflight: false,
  });
}
