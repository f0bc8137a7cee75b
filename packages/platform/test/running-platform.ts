import { request } from 'undici';
import { createPlatform, type Platform, type PlatformOptions } from '../src/index.ts';

/** A JSON response. */
export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads any response
  readonly body: any;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface CallOptions {
  /** Bearer token. @default the operator key; null sends none */
  readonly token?: string | null;
  readonly body?: unknown;
  /** Sent unchanged, instead of `body`. */
  readonly rawBody?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A platform on a real socket, with the requests that most tests need. */
export interface RunningPlatform {
  readonly platform: Platform;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Creates a workspace; returns its id and first token. */
  create(body?: Record<string, unknown>): Promise<{ id: string; token: string }>;
  /** Creates a workspace and registers it with its own token. */
  join(body?: Record<string, unknown>): Promise<{ id: string; token: string }>;
}

export const ADMIN_TOKEN = 'test-admin-token';

const IN_MEMORY: PlatformOptions = { server: { port: 0 }, data: { directory: ':memory:' } };
const PRODUCTION: PlatformOptions = {
  ...IN_MEMORY,
  mode: 'production',
  security: { operatorKey: ADMIN_TOKEN, secretsEncryptionKey: 'k'.repeat(32) },
};

/** Starts a platform in memory. @default production mode */
export async function startPlatform(options: PlatformOptions = {}): Promise<RunningPlatform> {
  const base = options.mode === 'dev' ? IN_MEMORY : PRODUCTION;
  return drive(await createPlatform(withDefaults(base, options)));
}

/** Options with defaults, group by group. */
export function withDefaults(defaults: PlatformOptions, options: PlatformOptions): PlatformOptions {
  return {
    ...defaults,
    ...options,
    server: { ...defaults.server, ...options.server },
    data: { ...defaults.data, ...options.data },
    limits: { ...defaults.limits, ...options.limits },
    security: { ...defaults.security, ...options.security },
  };
}

/** The same for a running platform. */
export function drive(platform: Platform): RunningPlatform {
  const call: RunningPlatform['call'] = async (method, path, options = {}) => {
    const { token = platform.operatorKey, body, rawBody, headers } = options;
    const {
      statusCode,
      headers: answered,
      body: stream,
    } = await request(`${platform.url}${path}`, {
      method: method as 'GET',
      headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers },
      ...(rawBody !== undefined
        ? { body: rawBody }
        : body === undefined
          ? {}
          : { body: JSON.stringify(body) }),
    });
    const text = await stream.text();
    return { status: statusCode, body: text === '' ? undefined : JSON.parse(text), headers: answered };
  };
  const create: RunningPlatform['create'] = async (body = {}) => {
    const created = await call('POST', '/workspaces', { body: { name: 'agent', external: true, ...body } });
    if (created.status !== 201) throw new Error(`create: ${JSON.stringify(created.body)}`);
    return { id: created.body.id, token: created.body.connection.auth_token };
  };
  const join: RunningPlatform['join'] = async (body) => {
    const workspace = await create(body);
    const { id, token } = workspace;
    await call('POST', '/registry/register', { token, body: { id, agent_card: { name: 'agent' } } });
    return workspace;
  };
  return { platform, call, create, join };
}
