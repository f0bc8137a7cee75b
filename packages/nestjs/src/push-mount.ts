import { ConfigurationError, toNodeListener } from '@molecule-ai/core';
import { findClientPort } from '@molecule-ai/core/adapter-kit';
import { createInboundHandler } from '@molecule-ai/core/inbound';
import type { HttpServer } from '@nestjs/common';
import type { HostedAgent } from './hosted-agent.ts';
import { agentLabel, type PushOptions } from './molecule-options.ts';

type NodeListener = ReturnType<typeof toNodeListener>;

/** What is used of requests and responses of Node. */
type NodeRequest = Parameters<NodeListener>[0] & { readonly complete: boolean; destroy(): unknown };
type NodeResponse = Parameters<NodeListener>[1] & {
  writeHead(status: number, headers: Readonly<Record<string, string>>): { end(body: string): unknown };
};

/** An agent on the HTTP server of the application. */
interface Mount {
  readonly path: string;
  readonly hosted: HostedAgent;
  readonly requests: AgentRequests;
}

/** What is used of a server of Node. */
interface NodeServer {
  readonly listening: boolean;
  on(
    event: 'request' | 'listening',
    listener: (request: NodeRequest, response: NodeResponse) => void,
  ): unknown;
  rawListeners(event: 'request'): ((request: NodeRequest, response: NodeResponse) => void)[];
  removeAllListeners(event: 'request'): unknown;
}

/** What is used of Fastify. */
interface FastifyScope {
  addHook(name: 'onListen', hook: (done: () => void) => void): unknown;
  register(plugin: (scope: FastifyScope) => Promise<void>, options: { readonly prefix: string }): unknown;
  removeAllContentTypeParsers(): void;
  addContentTypeParser(
    type: string,
    parse: (request: unknown, body: unknown, done: (error: null) => void) => void,
  ): void;
  all(
    path: string,
    handle: (request: { raw: NodeRequest }, reply: { raw: NodeResponse; hijack(): void }) => Promise<void>,
  ): void;
}

/**
 * Lets the HTTP server of the application pass requests below the path of an agent to it, before anything of the application sees or reads
 * them: body parsers, middleware, guards, the global prefix. All other requests stay as they are.
 * @param adapter none in an application without HTTP
 * @returns call it when the agents have stopped, and before the server closes.
 * @throws ConfigurationError naming the option.
 */
export function mountAgents(
  agents: readonly HostedAgent[],
  adapter: HttpServer | null | undefined,
): () => void {
  const paths = new Map<string, HostedAgent>();
  const mounts: Mount[] = [];
  for (const hosted of agents) {
    // What replaces an agent in a test may take no messages.
    if (hosted.agent.inbound === undefined) continue;
    const push = pushOf(hosted);
    if (push === null) continue;
    if (!adapter) {
      if (hosted.options.push === undefined) continue;
      throw withoutServer(hosted);
    }
    const other = paths.get(push.path);
    if (other !== undefined) throw samePath(push.path, other, hosted);
    paths.set(push.path, hosted);
    const { maxConcurrentRequests, holdSeconds } = push;
    const handler = createInboundHandler(hosted.agent, { maxConcurrentRequests, holdSeconds });
    mounts.push({ path: push.path, hosted, requests: new AgentRequests(toNodeListener(handler)) });
  }
  if (!adapter || mounts.length === 0) return () => {};
  mountOnServer(mounts, adapter.getHttpServer());
  if (adapter.getType() === 'fastify') mountOnFastify(mounts, adapter.getInstance());
  probeWhenListening(mounts, adapter.getHttpServer());
  return () => {
    for (const { requests } of mounts) requests.close();
  };
}

const STOPPED = '{"error":"The agent does not accept messages at the moment.","code":"not_accepting"}';
const STOPPED_HEADERS = { 'content-type': 'application/json', 'retry-after': '5', connection: 'close' };

/** The requests of one agent. */
class AgentRequests {
  readonly #listener: NodeListener;
  readonly #open = new Set<NodeRequest>();
  #isClosed = false;

  constructor(listener: NodeListener) {
    this.#listener = listener;
  }

  async respond(request: NodeRequest, response: NodeResponse): Promise<void> {
    if (this.#isClosed) {
      response.writeHead(503, STOPPED_HEADERS).end(STOPPED);
      return;
    }
    this.#open.add(request);
    await this.#listener(request, response);
    this.#open.delete(request);
  }

  /** Takes no more, and ends those that did not arrive as a whole: a server that closes waits for them, and has no timeouts any more. */
  close(): void {
    this.#isClosed = true;
    for (const request of this.#open) if (!request.complete) request.destroy();
  }
}

/** Segments of letters, digits and `.~_-`; `.` and `..` are none: no request has them. */
const PATH = /^(\/(?!\.{1,2}(\/|$))[\w.~-]+)+$/;

/** What an agent is to be mounted with; `null` for one that is not. */
function pushOf({ name, options, client }: HostedAgent): (PushOptions & { readonly path: string }) | null {
  const reportedUrl = findClientPort(client)?.reportedUrl;
  const { push, agent: { delivery = 'auto' } = {} } = options;
  const takesPush = delivery === 'auto' || delivery === 'push';
  if (push === false) return null;
  if (push === undefined) {
    if (!reportedUrl || !takesPush) return null;
    return { path: pathOfUrl(name, reportedUrl) };
  }
  if (!takesPush) {
    throw new ConfigurationError(
      `${labelOf(name)}: \`push\` and a delivery other than 'auto' and 'push' exclude each other.`,
      {
        hint: "Leave `delivery` out: 'auto' takes messages by push while the platform reaches the agent.",
      },
    );
  }
  if (!reportedUrl) {
    throw new ConfigurationError(
      `${labelOf(name)}: \`push\` needs \`reportedUrl\`, the URL under which the platform reaches the agent.`,
      {
        hint: 'Set reportedUrl in forRoot(), or MOLECULE_REPORTED_URL, such as https://orders.example/a2a.',
      },
    );
  }
  if (push.path === undefined) return { ...push, path: pathOfUrl(name, reportedUrl) };
  const path = typeof push.path === 'string' ? push.path.replace(/\/+$/, '') : '';
  if (PATH.test(path)) return { ...push, path };
  throw new ConfigurationError(
    `${labelOf(name)}: \`push.path\` must be a path of its own, got ${JSON.stringify(push.path)}.`,
    {
      hint: "Such as '/a2a': it begins with a slash, and has no parameters, wildcards and escapes.",
    },
  );
}

function pathOfUrl(name: string, url: string): string {
  const path = new URL(url).pathname.replace(/\/+$/, '');
  if (PATH.test(path)) return path;
  throw new ConfigurationError(
    `${labelOf(name)}: \`reportedUrl\` has no path that the application could keep for the agent: ${url}.`,
    {
      hint: 'Report a URL such as https://orders.example/a2a; set push: { path } where a proxy passes another path on; or push: false to serve it yourself.',
    },
  );
}

/**
 * Requests of `inject()` come to no server: for them a scope without content type parsers, so that the handler reads the body itself. For each
 * further address of a name, such as `localhost`, Fastify has a server of its own.
 */
function mountOnFastify(mounts: readonly Mount[], instance: FastifyScope): void {
  for (const { path: prefix, hosted, requests } of mounts) {
    const plugin = async (scope: FastifyScope): Promise<void> => {
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', (_request, _body, done) => done(null));
      for (const path of ['/', '/*']) {
        try {
          scope.all(path, (request, reply) => {
            reply.hijack();
            return requests.respond(request.raw, reply.raw);
          });
        } catch (cause) {
          throw routeAtPath(prefix, hosted, cause);
        }
      }
    };
    instance.register(plugin, { prefix });
  }
  try {
    instance.addHook('onListen', (done) => {
      for (const server of furtherServers(instance)) mountOnServer(mounts, server);
      done();
    });
  } catch {
    // Fastify has this hook since 4.23: before it, requests to further addresses are served by the scope.
  }
}

/** Fastify keeps them under a symbol that it does not export. */
function furtherServers(instance: FastifyScope): readonly NodeServer[] {
  const key = Object.getOwnPropertySymbols(instance).find(
    ({ description }) => description === 'fastify.serverBindings',
  );
  const servers: unknown = key === undefined ? [] : Reflect.get(instance, key);
  return Array.isArray(servers) ? servers : [];
}

/** Before the framework, whose middleware, hooks and body parsers may be there already. */
function mountOnServer(mounts: readonly Mount[], server: NodeServer): void {
  // Raw: one that was added by `once` removes itself.
  const others = server.rawListeners('request');
  // A path below that of another agent is looked for first.
  const longestFirst = [...mounts].sort((a, b) => b.path.length - a.path.length);
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const { url = '' } = request;
    const mount = longestFirst.find(({ path }) => isBelow(url, path));
    if (mount !== undefined) void mount.requests.respond(request, response);
    else for (const listener of others) listener.call(server, request, response);
  });
}

/** The URL of a request may be absolute: `POST http://orders.example/a2a HTTP/1.1`. */
function isBelow(url: string, path: string): boolean {
  const target = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?#]*/i, '');
  if (!target.startsWith(path)) return false;
  const next = target[path.length];
  return next === undefined || next === '/' || next === '?';
}

/** An application starts its agents before it listens, so that the first probe of the platform may have failed. */
function probeWhenListening(mounts: readonly Mount[], server: NodeServer): void {
  const report = (): void => {
    for (const { hosted } of mounts) hosted.agent.inbound.serverChanged();
  };
  if (server.listening) report();
  else server.on('listening', report);
}

function labelOf(name: string): string {
  return name === '' ? 'MoleculeModule' : `MoleculeModule, ${agentLabel(name)}`;
}

function withoutServer({ name }: HostedAgent): ConfigurationError {
  return new ConfigurationError(
    `${labelOf(name)}: \`push\` needs an HTTP server, and this application has none.`,
    {
      hint: "Create it by NestFactory.create(), leave `push` out, or set delivery: 'long-poll', which needs no server.",
    },
  );
}

function routeAtPath(path: string, { name }: HostedAgent, cause: unknown): ConfigurationError {
  return new ConfigurationError(
    `${labelOf(name)}: the application has a route of its own at ${path}, the path of push.`,
    {
      hint: "Give the route another path, or the agent: push: { path: '/agent' }, and a reportedUrl that leads to it.",
      cause,
    },
  );
}

function samePath(path: string, first: HostedAgent, second: HostedAgent): ConfigurationError {
  const both = [first, second].map(({ name }) => agentLabel(name)).join(' and ');
  return new ConfigurationError(`Two agents have the path ${path} for push: ${both}.`, {
    hint: "Give each a path of its own: push: { path: '/a2a/support' }, and a reportedUrl that leads to it.",
  });
}
