import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import helmet, { type HelmetOptions } from 'helmet';
import { CAPABILITIES_HEADERS } from './capabilities.ts';

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

const READABLE_HEADERS = [
  'Retry-After',
  'X-Wait-Applied',
  'X-Next-Cursor',
  'X-Has-More',
  'X-Molecule-Capabilities',
];

const HELMET: HelmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'self'"], frameAncestors: ["'none'"], baseUri: ["'none'"] },
  },
  frameguard: { action: 'deny' },
  hsts: { maxAge: 31_536_000, includeSubDomains: true },
  referrerPolicy: { policy: 'strict-origin-when-cross-origin' },
};

/** Helmet's headers for these options: computed once, because they are the same for every response. */
function helmetHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  const response = {
    setHeader: (name: string, value: string) => {
      headers[name.toLowerCase()] = value;
    },
    removeHeader: () => undefined,
  };
  helmet(HELMET)({} as IncomingMessage, response as unknown as ServerResponse, () => undefined);
  return headers;
}

/** Security headers on every response, CORS for the listed origins only. No request is refused for its `Origin`. */
export async function setResponseHeaders(
  app: FastifyInstance,
  corsOrigins: readonly string[],
): Promise<void> {
  const everywhere = Object.freeze({
    ...helmetHeaders(),
    'permissions-policy': 'camera=(), microphone=(), geolocation=()',
    'cache-control': 'no-store',
    ...CAPABILITIES_HEADERS,
  });
  app.addHook('onRequest', (_request, reply, next) => {
    reply.headers(everywhere);
    next();
  });
  if (corsOrigins.length === 0) return;
  await app.register(import('@fastify/cors'), {
    origin: [...corsOrigins],
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    allowedHeaders: ALLOWED_HEADERS,
    exposedHeaders: READABLE_HEADERS,
    credentials: true,
    strictPreflight: false,
  });
}
