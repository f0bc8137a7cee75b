import sendRequest from 'undici/lib/api/api-request.js';
import type { Connections } from './http/listening.ts';
import { processEnvironment } from './options/option-reader.ts';
import { IN_MEMORY } from './options/options-schema.ts';
import type {
  DataOptions,
  PlatformOptions,
  SecurityOptions,
  ServerOptions,
} from './options/platform-options.ts';
import { PlatformOptionsError } from './options/platform-options-error.ts';
import { resolveSettings } from './options/resolve-settings.ts';
import { startPlatform } from './platform.ts';
import { watchCryptography } from './testing/cryptography.ts';
import { type InProcessDispatcher, MemoryDispatcher } from './testing/in-process-dispatcher.ts';
import { ManualClock } from './testing/manual-clock.ts';
import { MemoryListener } from './testing/memory-listener.ts';
import { type RequestHandler, ServedAgents } from './testing/served-agents.ts';
import { StallWarning } from './testing/stall-warning.ts';

/** Fixed, because nothing outside the process can use them. */
const OPERATOR_KEY = 'operator-key-of-this-test';
const SECRETS_KEY = 'secrets-key-of-a-test-platform-1';
/** Nobody can own a name under `.test`. In dev mode the platform has the names of this machine. */
const URLS = { production: 'http://platform.test', dev: 'http://localhost:8080' } as const;
const LOOPBACK = ['127.0.0.0/8', '::1/128'];
/** Options of `createPlatform` that have no effect in memory. */
const WITHOUT_EFFECT = [
  'server.host',
  'server.port',
  'data.directory',
  'security.operatorKey',
  'security.secretsEncryptionKey',
];
/** Real milliseconds for requests in flight when the platform is closed. */
const STOP_TIMEOUT_MS = 1_000;

/** Options of a platform, besides those that a platform in memory does not have. */
export interface TestPlatformOptions extends Omit<PlatformOptions, 'clock' | 'server' | 'data' | 'security'> {
  /** A clock that moves several platforms. @default a new one */
  readonly clock?: ManualClock | undefined;
  /** `publicUrl` is an origin with http, by default `http://platform.test`, in dev mode `http://localhost:8080`. */
  readonly server?: Omit<ServerOptions, 'host' | 'port'> | undefined;
  readonly data?: Omit<DataOptions, 'directory'> | undefined;
  readonly security?: Omit<SecurityOptions, 'operatorKey' | 'secretsEncryptionKey'> | undefined;
}

/** A workspace, by the names of the options of `RemoteAgentClient`. */
export interface TestWorkspace {
  readonly workspaceId: string;
  readonly authToken: string;
}

export interface TestRequest {
  /** Sent as JSON. @default none */
  readonly body?: unknown;
  /** The bearer token; `null` sends none. @default the operator key */
  readonly token?: string | null | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface TestResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** JSON is parsed; without a body undefined. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads any response
  readonly body: any;
}

/**
 * A platform in memory that is reached without a socket. Spread, it is the options of a client:
 * `new RemoteAgentClient({ ...platform, ...workspace })`, `new OperatorClient({ ...platform, operatorKey: platform.operatorKey })`.
 */
export interface TestPlatform extends AsyncDisposable {
  readonly platformUrl: string;
  readonly connection: {
    /** Sends requests to the platform. Requests for other origins fail. */
    readonly dispatcher: InProcessDispatcher;
    /** That of the platform. */
    readonly clock: ManualClock;
  };
  /** The time of the platform, and of each client that is given it. */
  readonly clock: ManualClock;
  readonly operatorKey: string;
  /** Creates a workspace for an agent. @param options `parent_id` and other fields of `POST /workspaces` */
  createWorkspace(name: string, options?: Readonly<Record<string, unknown>>): Promise<TestWorkspace>;
  /** Pauses a workspace and its descendants. */
  pause(workspaceId: string): Promise<void>;
  resume(workspaceId: string): Promise<void>;
  /** Removes a workspace and its descendants. */
  remove(workspaceId: string): Promise<void>;
  /** For example `online`, `offline`, `paused`, `removed`. */
  statusOf(workspaceId: string): Promise<string>;
  /** Sends any request. @param path with the query */
  request(method: string, path: string, request?: TestRequest): Promise<TestResponse>;
  /**
   * Handles the requests that the platform sends to the origin of this URL, such as `https://agent.test`, instead of connecting to it.
   * Returns what ends that.
   */
  serve(url: string | URL, handle: RequestHandler): () => Promise<void>;
  /** Stops the platform; held requests get a response. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts the real platform in memory, with a clock that only the test moves. Production mode, agents on this machine allowed, and no rate
 * limits, because the time in which they are counted stands still; each option can be set. Of the environment only
 * `MOLECULE_CONTRACT_CHECK` is read.
 *
 * @example
 * await using platform = await createTestPlatform();
 * const client = new RemoteAgentClient({ ...platform, ...(await platform.createWorkspace('writer')) });
 * const agent = createRemoteAgent({ client, onMessage: ({ text }) => `echo: ${text}` });
 * await agent.start();
 * const operator = new OperatorClient({ ...platform, operatorKey: platform.operatorKey }); // of core/operator
 * expect((await operator.sendMessage(client.workspaceId, 'hello')).text).toBe('echo: hello');
 * await agent.stop();
 *
 * @throws PlatformOptionsError
 */
export async function createTestPlatform(options: TestPlatformOptions = {}): Promise<TestPlatform> {
  const { clock = new ManualClock(), mode = 'production', server, data, limits, security } = options;
  refuseWithoutEffect(options);
  const platformUrl = String(server?.publicUrl ?? (mode === 'dev' ? URLS.dev : URLS.production)).replace(
    /\/+$/,
    '',
  );
  const keys = { operatorKey: OPERATOR_KEY, secretsEncryptionKey: SECRETS_KEY };
  const all: PlatformOptions = {
    ...options,
    mode,
    clock,
    server: { stopTimeoutMs: STOP_TIMEOUT_MS, ...server, publicUrl: platformUrl },
    data: {
      ...data,
      directory: IN_MEMORY,
      onQuery: (sql) => {
        clock.noteActivity();
        data?.onQuery?.(sql);
      },
    },
    limits: { rateLimit: 'off', pairRate: 0, ...limits },
    security: { allowAgentNetworks: LOOPBACK, ...security, ...keys },
  };
  const { MOLECULE_CONTRACT_CHECK } = processEnvironment();
  const settings = resolveSettings(all, { MOLECULE_CONTRACT_CHECK });
  const onTransfer = () => clock.noteActivity();
  const agents = new ServedAgents(onTransfer);
  const { origin, port } = originOf(platformUrl);
  const stalls = new StallWarning(clock);
  let listener: MemoryListener | undefined;
  const connections: Connections = {
    open: async (app) => {
      await app.ready();
      stalls.watch(app.server);
      listener = new MemoryListener(app.server, Number(port) || 80, onTransfer);
      return platformUrl;
    },
    close: async (app, settings) => {
      await listener?.close(settings.server.stopTimeoutMs);
      await app.close();
    },
    toAgents: (guard) => agents.guardOf(guard),
  };
  const endWatching = watchCryptography();
  const platform = await startPlatform(settings, connections).catch((error: unknown) => {
    endWatching();
    throw error;
  });
  if (listener === undefined) throw new Error('The platform has no listener.');
  const dispatcher = new MemoryDispatcher(origin, listener);
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= (async () => {
      stalls.end();
      endWatching();
      await platform.close();
      await dispatcher.close();
      await agents.close();
    })();
    return closing;
  };
  const { operatorKey } = platform;
  // Inherited: whoever spreads a platform into the options of a client gets options only.
  const others: Omit<TestPlatform, 'platformUrl' | 'connection'> = {
    clock,
    operatorKey,
    ...operations(dispatcher, platformUrl, operatorKey),
    serve: (url, handle) => agents.serve(url, handle),
    close,
    [Symbol.asyncDispose]: close,
  };
  const own = { platformUrl, connection: { dispatcher, clock } };
  return Object.assign(Object.create(others) as typeof others, own);
}

function refuseWithoutEffect(options: object): void {
  const groups = options as Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;
  const given = WITHOUT_EFFECT.filter((option) => {
    const [group = '', name = ''] = option.split('.');
    return groups[group]?.[name] !== undefined;
  });
  const problems = given.map((option) => ({
    option,
    variable: '',
    problem: 'has no effect on a test platform',
  }));
  if (problems.length > 0)
    throw new PlatformOptionsError(problems, 'Leave it out; the platform is in this process.');
}

function originOf(platformUrl: string): URL {
  const url = URL.parse(platformUrl);
  if (url?.protocol === 'http:' && url.pathname === '/') return url;
  const problem = `must be an origin with http such as http://acme.test, not "${platformUrl}"`;
  const names = { option: 'server.publicUrl', variable: 'EXTERNAL_PLATFORM_URL' };
  throw new PlatformOptionsError([{ ...names, problem }], 'Leave it out; the platform is in this process.');
}

type Operations = Pick<
  TestPlatform,
  'createWorkspace' | 'pause' | 'resume' | 'remove' | 'statusOf' | 'request'
>;

/** What an operator does, by the routes of the platform. */
function operations(dispatcher: MemoryDispatcher, platformUrl: string, operatorKey: string): Operations {
  const request: Operations['request'] = async (
    method,
    path,
    { body, token = operatorKey, headers } = {},
  ) => {
    const response = await sendRequest.call(dispatcher as never, {
      origin: platformUrl,
      path,
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    const isJson = String(response.headers['content-type']).includes('json');
    const parsed = text === '' ? undefined : isJson ? JSON.parse(text) : text;
    return { status: response.statusCode, headers: response.headers, body: parsed };
  };
  const succeed = async (method: string, path: string, body?: unknown) => {
    const response = await request(method, path, { body });
    if (response.status < 300) return response.body;
    throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(response.body)}`);
  };
  return {
    request,
    createWorkspace: async (name, options) => {
      const created = await succeed('POST', '/workspaces', { name, external: true, ...options });
      return { workspaceId: created.id, authToken: created.connection.auth_token };
    },
    pause: (id) => succeed('POST', `/workspaces/${id}/pause`),
    resume: (id) => succeed('POST', `/workspaces/${id}/resume`),
    remove: (id) => succeed('DELETE', `/workspaces/${id}?confirm=true`),
    statusOf: async (id) => {
      const { status, body } = await request('GET', `/workspaces/${id}`);
      if (status === 200) return body.status;
      if (status === 410) return 'removed';
      throw new Error(`GET /workspaces/${id}: ${status} ${JSON.stringify(body)}`);
    },
  };
}
