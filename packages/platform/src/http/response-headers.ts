import cors from '@fastify/cors';
import helmet, { type FastifyHelmetOptions } from '@fastify/helmet';
import Fastify, { type FastifyInstance } from 'fastify';

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

const HELMET: FastifyHelmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'self'"], frameAncestors: ["'none'"], baseUri: ["'none'"] },
  },
  frameguard: { action: 'deny' },
  hsts: { maxAge: 31_536_000, includeSubDomains: true },
  referrerPolicy: { policy: 'strict-origin-when-cross-origin' },
};

/** Helmet's headers for these options. They are the same for every answer, but it works them out anew for each. */
async function helmetHeaders(): Promise<Record<string, string>> {
  const probe = Fastify();
  await probe.register(helmet, HELMET);
  const bare = new Set(['content-type', 'content-length', 'date', 'connection', 'keep-alive']);
  probe.get('/', async () => ({}));
  const { headers } = await probe.inject('/');
  await probe.close();
  const all = Object.entries(headers).filter(([name]) => !bare.has(name));
  return Object.fromEntries(all.map(([name, value]) => [name, String(value)]));
}

/** Security headers on every answer, CORS for the listed origins only. No request is refused for its `Origin`. */
export async function setResponseHeaders(
  app: FastifyInstance,
  corsOrigins: readonly string[],
): Promise<void> {
  const everywhere = Object.freeze({
    ...(await helmetHeaders()),
    'permissions-policy': 'camera=(), microphone=(), geolocation=()',
    'cache-control': 'no-store',
  });
  app.addHook('onRequest', (_request, reply, next) => {
    reply.headers(everywhere);
    next();
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
