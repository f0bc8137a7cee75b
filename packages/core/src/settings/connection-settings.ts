import { LOG_LEVELS, type Logger } from '../logging/logger.ts';
import { stderrLogger } from '../logging/stderr-logger.ts';
import type { RandomSource } from '../time/backoff.ts';
import { type Clock, systemClock } from '../time/clock.ts';
import type { Bytes, Environment } from './node-types.ts';
import {
  checkText,
  describe,
  factsOf,
  number,
  type Option,
  option,
  type Refuse,
  type SettingsOf,
  text,
  withMethods,
} from './options.ts';
import { checkProxyOption, type PlatformProxy, resolveProxy } from './platform-proxy.ts';

const HEADER_VALUE = /^[\x20-\x7e]+$/;
const CLOCK_METHODS = ['now', 'monotonic', 'sleep', 'setTimer'];
const CLOCK_HINT = 'Leave it out for the system clock; createTestPlatform() has one for tests.';
const DISPATCHER_HINT =
  'Pass an Agent or a ProxyAgent of undici; the Agent of node:http or node:https is something else.';
const LOGGER_HINT = 'Pass a logger such as pino(), console, or silentLogger for none.';
const RANDOM_HINT = 'Pass a function that returns a number from 0 to 1, such as Math.random.';

/**
 * What sends requests: an `Agent`, `ProxyAgent` or `MockAgent` of undici 7 or newer, the `dispatcher` of `createTestPlatform()`, or one
 * of your own.
 */
export interface RequestDispatcher {
  /**
   * Sends a request and calls the handler, not before this method has returned or within it. Errors go to `onResponseError`; what is
   * thrown counts as an error before the request was sent.
   * @returns whether more can be sent at once; not used.
   */
  dispatch(options: DispatchedRequest, handler: DispatchHandler): boolean;
}

/** One request. */
export interface DispatchedRequest {
  /** Scheme, host and port, for example `https://acme.example`. */
  readonly origin: string;
  /** With the query. */
  readonly path: string;
  readonly method: string;
  /** Name, value, name, value. The names are in lower case. */
  readonly headers: string[];
  readonly body: string | null;
  /** 0: the time limits are those of the client. */
  readonly headersTimeout: 0;
  /** 0: the time limits are those of the client. */
  readonly bodyTimeout: 0;
}

/** Receives the response, in this order of methods. `onResponseEnd` or `onResponseError` is the last one. */
export interface DispatchHandler {
  /** When the request is being written; before that it counts as not sent. */
  onRequestStart(controller: DispatchController, context: unknown): void;
  /** @param headers Names in lower case. */
  onResponseStart(
    controller: DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void;
  onResponseData(controller: DispatchController, chunk: Bytes): void;
  onResponseEnd(
    controller: DispatchController,
    trailers: Record<string, string | string[] | undefined>,
  ): void;
  onResponseError(controller: DispatchController | undefined, error: Error): void;
}

/** The exchange under way, as the handler controls it. */
export interface DispatchController {
  /** Closes the connection of the exchange. */
  abort(reason: Error): void;
  /** No more data until `resume`. */
  pause(): void;
  resume(): void;
}

/** A source of jitter, limited to numbers from 0 to 1, because a pause that is no number would end at once. */
export function randomSource(): Option<RandomSource> {
  return option<RandomSource>(
    (value, refuse) => {
      if (value === undefined) return Math.random;
      if (typeof value === 'function') return () => Math.min(1, Math.max(0, value())) || 0;
      return refuse(`must be a function, got ${describe(value)}`, RANDOM_HINT);
    },
    { kind: 'a function' },
  );
}

/** Which platform is called, and as whom; of both clients. */
export class PlatformShape {
  /**
   * Base URL of the platform, for example `https://acme.example`. Trailing slashes are ignored.
   * Environment: `MOLECULE_PLATFORM_URL`, `PLATFORM_URL`.
   */
  platformUrl = text(
    { kind: 'a URL', variables: ['MOLECULE_PLATFORM_URL', 'PLATFORM_URL'] },
    (url, refuse) =>
      url === undefined
        ? refuse(
            'is missing',
            'Set platformUrl to the address of the platform, for example http://localhost:8080.',
          )
        : readHttpUrl(url, refuse),
  );
  /** Organisation id, sent as `X-Molecule-Org-Id` on every request. Environment: `MOLECULE_ORG_ID`, `ORG_ID`. */
  orgId = text(
    { variables: ['MOLECULE_ORG_ID', 'ORG_ID'] },
    (id, refuse) => readHeaderValue(id, refuse) ?? null,
  );
  /**
   * The `Origin` header; `null` sends none. Environment: `MOLECULE_ORIGIN`. @default the platform's own origin
   */
  origin = option<string | null | undefined, string | null>(
    (value, refuse) => (value === null ? null : readHeaderValue(checkText(value, refuse), refuse)),
    { kind: 'a text or `null`', variables: ['MOLECULE_ORIGIN'] },
  );
  /**
   * Where to log; credentials are redacted before. `silentLogger` switches the log off.
   * @default warnings and errors to stderr, one line each
   */
  logger = withMethods<Logger>(LOG_LEVELS, LOGGER_HINT);
}

/** How the platform is reached. */
export class ConnectionShape {
  /**
   * Sends the requests and streams to the platform, for example an `Agent` of undici with certificates of your own, or its
   * `Socks5ProxyAgent`. The client does not close it and uses no proxy then, and `maxConnections` does not apply. Direct calls of peers do
   * not use it. A dispatcher that follows redirects, or sends requests elsewhere, takes the credential along.
   * @default connections that all clients of the process share
   */
  dispatcher = withMethods<RequestDispatcher>(['dispatch'], DISPATCHER_HINT);
  /**
   * The HTTP proxy through which the platform is reached, such as `http://user:password@proxy.internal:3128`; `false` for none, whatever
   * the environment says. Also that of the heartbeats' worker thread, but not of direct calls of peers. Not used with a `dispatcher`.
   * Environment: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, lower case first; a platform on this machine is reached without them.
   * @default the proxy of the environment
   */
  proxy = option<string | false | undefined>(checkProxyOption, { kind: 'a URL or `false`' });
  /** Source of time and timers, for tests. @default the system clock */
  clock = withMethods<Clock>(CLOCK_METHODS, CLOCK_HINT, systemClock);
  /** Source of jitter, from 0 to 1. @default Math.random */
  random = randomSource();
}

/** Limits of requests to the platform. */
export class RequestLimits {
  /** Time limit of one attempt of an ordinary request, in milliseconds. @default 10_000 */
  requestTimeoutMs = number({ min: 1, byDefault: 10_000 });
  /** Time limit of one attempt to read the feed, reply or notify, in milliseconds. @default 15_000 */
  messageTimeoutMs = number({ min: 1, byDefault: 15_000 });
  /** Number of retries after 429, 502, 503, 504 or a connection error, for requests that are safe to repeat. @default 3 */
  maxRetries = number({ min: 0, max: 20, isInteger: true, byDefault: 3 });
  /** A longer `Retry-After` is not waited for but reported by the error, in milliseconds. @default 30_000 */
  maxRetryAfterMs = number({ min: 0, byDefault: 30_000 });
  /**
   * Maximum number of requests of this client at the same time; further ones are queued. As many more are for what the agent needs to
   * receive and answer messages and to cancel its own, and presence, such as a heartbeat, is not limited: neither waits for calls. The connections are shared
   * by all clients of the process with this platform. @default 64
   */
  maxConnections = number({ min: 1, max: 65_535, isInteger: true, byDefault: 64 });
  /** Larger responses are rejected with `response_too_large`, in bytes. @default 16 MiB */
  maxResponseBytes = number({ min: 1024, max: 2 ** 30, isInteger: true, byDefault: 16 * 1024 * 1024 });
}

/** The checked options of the connection to a platform, with all defaults; frozen. */
export interface ConnectionSettings extends SettingsOf<RequestLimits> {
  /** Without trailing slash. */
  readonly platformUrl: string;
  /** Scheme, host and port. Credentials are sent to this origin only. */
  readonly platformOrigin: string;
  /** Path prefix of every route; `''` for most platforms. */
  readonly basePath: string;
  readonly orgId: string | null;
  /** The `Origin` header, or `null` for none. */
  readonly origin: string | null;
  /** Whether connections are shared with the other clients of the process. */
  readonly isShared: boolean;
  /** `null` for connections of the client's own. */
  readonly dispatcher: RequestDispatcher | null;
  /** `null` for none. */
  readonly proxy: PlatformProxy | null;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** @throws ConfigurationError for a proxy of the environment that is none. */
export function resolveConnection(
  { platformUrl: url, orgId, origin, logger }: SettingsOf<PlatformShape>,
  { dispatcher, proxy, clock, random }: SettingsOf<ConnectionShape>,
  limits: SettingsOf<RequestLimits>,
  env: Environment,
): ConnectionSettings {
  const basePath = url.pathname.replace(/\/+$/, '');
  const chosen = resolveProxy(proxy, url, dispatcher === undefined ? env : {});
  return {
    ...limits,
    platformUrl: url.origin + basePath,
    platformOrigin: url.origin,
    basePath,
    orgId,
    origin: origin === undefined ? url.origin : origin,
    // Another clock belongs to a test, which must not depend on others.
    isShared: dispatcher === undefined && clock === systemClock,
    dispatcher: dispatcher ?? null,
    proxy: dispatcher === undefined ? chosen : null,
    logger: logger ?? stderrLogger(),
    clock,
    random,
  };
}

/** An http or https URL without user info. */
export function readHttpUrl(text: string, refuse: Refuse): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return refuse(`must be an http or https URL, got ${describe(text)}`, urlHint(text));
  }
  if (url.username === '' && url.password === '') return url;
  const hint = 'Pass the workspace token as authToken, never inside a URL.';
  return refuse('must not contain a user name or password', hint);
}

function urlHint(text: string): string {
  if (/^["'`<]/.test(text)) return `Set it without the character ${text.at(0)} around it.`;
  if (/^wss?:/i.test(text))
    return `Write ${/^wss:/i.test(text) ? 'https' : 'http'}: instead of ${text.split(':', 1)[0]}:.`;
  return text.includes('://')
    ? 'Write it as in http://localhost:8080.'
    : 'Add the scheme, as in http://localhost:8080.';
}

/** Printable ASCII only, so that a line break cannot add another header. */
function readHeaderValue(text: string | undefined, refuse: Refuse): string | undefined {
  if (text === undefined || HEADER_VALUE.test(text)) return text;
  return refuse(
    'must be printable ASCII without line breaks',
    'Remove line breaks and characters outside ASCII.',
  );
}

/**
 * A credential, `null` for none. What people copy with it is refused, because the platform would only answer that it is wrong. The
 * error does not contain it.
 */
export function readCredential(credential: string | undefined, refuse: Refuse): string | null {
  if (credential === undefined) return null;
  for (const [pattern, problem, hint] of CREDENTIAL_MISTAKES) {
    if (pattern.test(credential)) return refuse(problem, hint);
  }
  return credential;
}

const CREDENTIAL_MISTAKES: readonly (readonly [pattern: RegExp, problem: string, hint: string])[] = [
  [/^(["'`]).*\1$/s, 'has quotes around it', 'Set it without the quotes.'],
  [/^bearer\s/i, 'begins with the word Bearer', 'Set it to the token alone: the client adds the word.'],
  [/^[A-Z_]+TOKEN=/, 'begins with the name of a variable', 'Set it to what follows the sign =.'],
  [
    /[^\x21-\x7e]/,
    'contains white space, a line break or a character outside ASCII',
    'Copy it again: a token is one word.',
  ],
];

/** Where a credential was set, for people, such as `the option authToken`; `null` for none. */
export function originOfCredential(
  name: string,
  schema: Parameters<typeof factsOf>[0],
  given: string | null | undefined,
  env: Environment,
): string | null {
  if (typeof given === 'string') return given.trim() === '' ? null : `the option ${name}`;
  const { variables = [], ignoresNull = false } = factsOf(schema);
  const variable = given === null && !ignoresNull ? undefined : variables.find((each) => env[each]?.trim());
  return variable === undefined ? null : `the variable ${variable}`;
}
