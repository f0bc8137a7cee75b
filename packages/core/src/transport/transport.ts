import { ApiError } from '../errors/api-error.ts';
import { ConnectionError, TimeoutError } from '../errors/connection-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { ConnectionSettings, RequestDispatcher } from '../settings/connection-settings.ts';
import { USER_AGENT } from '../settings/sdk-version.ts';
import { backoffDelayMs } from '../time/backoff.ts';
import { apiFailure, unexpectedResponse } from './api-failure.ts';
import {
  exchange,
  type HttpAttempt,
  OpenExchanges,
  openExchange,
  type StreamedResponse,
} from './http-exchange.ts';
import { type HttpResponse, readBody } from './http-response.ts';
import { PlatformCapabilities } from './platform-capabilities.ts';
import type { PlatformRequest, PlatformResponse, RequestLane } from './platform-request.ts';
import { LazyPool } from './undici-pool.ts';

/** Connections for streams: as many as a platform opens for one workspace. See docs/contract/streams.md#limits. */
const MAX_STREAMS = 100;

/** Provides the bearer token. */
export interface BearerSource {
  readonly isLoaded: boolean;
  load(): Promise<void>;
  current(): string | undefined;
  /** Returns another bearer after this one was refused, if there is one. */
  renew(rejected: string | undefined): Promise<string | undefined>;
  /** Where a bearer came from, for people: `the variable MOLECULE_WORKSPACE_TOKEN`. */
  originOf(bearer: string): string;
  /** Where bearers are stored, for people; `null` where nothing is stored. */
  readonly storeName: string | null;
}

/**
 * Sends requests to one platform. The bearer is sent to its origin only, and redirects are not followed. Knows no routes.
 */
export class Transport {
  readonly settings: ConnectionSettings;
  readonly capabilities = new PlatformCapabilities();
  readonly #bearers: BearerSource;
  /** Whether the client is that of an operator. */
  readonly isOperator: boolean;
  readonly #workspaceId: string | null;
  readonly #headers: RequestHeaders;
  readonly #pool: LazyPool;
  readonly #lanes: Readonly<Record<RequestLane, OpenExchanges>>;
  /** Streams stay open for long: apart from the others they delay no request. */
  readonly #streams: OpenExchanges;
  #closing: Promise<unknown> | undefined;

  /** @param workspaceId The caller, sent in headers; `null` for an operator. */
  constructor(settings: ConnectionSettings, bearers: BearerSource, workspaceId: string | null) {
    this.settings = settings;
    this.#bearers = bearers;
    this.isOperator = workspaceId === null;
    this.#workspaceId = workspaceId;
    this.#headers = new RequestHeaders(settings, workspaceId);
    this.#pool = new LazyPool({
      origin: settings.platformOrigin,
      proxy: settings.proxy,
      isShared: settings.isShared,
    });
    const { proxy, logger } = settings;
    if (proxy !== null) {
      logger.debug(
        { proxy: proxy.host, setting: proxy.setting },
        'Requests to the platform go through a proxy.',
      );
    }
    const limited = (most: number) =>
      new OpenExchanges(settings.dispatcher === null ? most : Number.POSITIVE_INFINITY);
    this.#lanes = {
      presence: new OpenExchanges(Number.POSITIVE_INFINITY),
      receiving: limited(settings.maxConnections),
      calls: limited(settings.maxConnections),
    };
    this.#streams = limited(MAX_STREAMS);
  }

  /**
   * Sends a request, retries it if that is safe, and returns the parsed response.
   * @throws ApiError for every response outside 2xx, and for a 2xx body that is not JSON.
   * @throws ConnectionError, TimeoutError; an abort rejects with the signal's reason.
   */
  send(request: PlatformRequest): Promise<PlatformResponse> {
    return this.#send<never>(request, this.#lanes[request.lane], exchange);
  }

  /** As {@link send}; a stream of server-sent events is returned with its headers. Nothing is retried after that. */
  open(request: PlatformRequest): Promise<PlatformResponse | StreamedResponse> {
    return this.#send(request, this.#streams, openExchange);
  }

  get #isClosed(): boolean {
    return this.#closing !== undefined;
  }

  async #send<R extends StreamedResponse>(
    request: PlatformRequest,
    open: OpenExchanges,
    exchangeWith: Exchange<R>,
  ): Promise<PlatformResponse | R> {
    if (!this.#bearers.isLoaded && request.bearer === undefined) await this.#bearers.load();
    const body = request.body === undefined ? null : JSON.stringify(request.body);
    const budget = new RetryBudget(this.settings, request, this.capabilities);
    for (;;) {
      try {
        return await this.#sendOnce(request, body, budget.attemptTimeoutMs(), open, exchangeWith);
      } catch (error) {
        await budget.waitBeforeRetry(error);
      }
    }
  }

  /** Ends its requests and leaves the connections to other clients; pending requests reject with `client_closed`. Idempotent. */
  close(): Promise<void> {
    const reason = clientClosed();
    this.#closing ??= this.#pool.leave(reason);
    for (const open of [...Object.values(this.#lanes), this.#streams]) open.cancelAll(reason);
    return this.#closing.then(() => {});
  }

  /** Sends the current bearer; after a 401 it retries once if there is a newer one. */
  async #sendOnce<R extends StreamedResponse>(
    request: PlatformRequest,
    body: string | null,
    timeoutMs: number,
    open: OpenExchanges,
    exchangeWith: Exchange<R>,
  ): Promise<PlatformResponse | R> {
    const bearer = request.bearer === undefined ? this.#bearers.current() : (request.bearer ?? undefined);
    const attempt = (dispatcher: RequestDispatcher, sent: string | undefined) => {
      if (this.#isClosed) throw clientClosed();
      const chosen = request.through?.(dispatcher) ?? dispatcher;
      return exchangeWith(chosen, this.#attempt(request, body, sent, { timeoutMs, open }));
    };
    if (this.#isClosed) throw clientClosed();
    const pool = this.settings.dispatcher ?? this.#pool.dispatcher();
    const dispatcher = pool instanceof Promise ? await pool : pool;
    const response = await attempt(dispatcher, bearer);
    if (response.status !== 401 || request.bearer !== undefined) return this.#read(request, response, bearer);
    const newer = await this.#bearers.renew(bearer);
    if (newer === undefined) return this.#read(request, response, bearer);
    return this.#read(request, await attempt(dispatcher, newer), newer);
  }

  #attempt(
    request: PlatformRequest,
    body: string | null,
    bearer: string | undefined,
    { timeoutMs, open }: Pick<HttpAttempt, 'timeoutMs' | 'open'>,
  ): HttpAttempt {
    const { settings } = this;
    return {
      origin: settings.platformOrigin,
      proxy: settings.proxy,
      method: request.method,
      path: settings.basePath + request.path + (request.query ?? ''),
      headers: this.#headers.for(bearer ?? null, body !== null, request),
      body,
      timeoutMs,
      maxResponseBytes: settings.maxResponseBytes,
      keepsBeginning: request.onTooLarge !== undefined,
      clock: settings.clock,
      signal: request.signal,
      onSent: request.onSent,
      open,
    };
  }

  #read<R extends StreamedResponse>(
    request: PlatformRequest,
    response: HttpResponse | R,
    bearer: string | undefined,
  ): PlatformResponse | R {
    const { status, headers } = response;
    this.capabilities.readHeader(response);
    if ('stream' in response) return response;
    if (status < 200 || status >= 300) {
      throw apiFailure(response, {
        request,
        bearer,
        credential: {
          workspaceId: this.#workspaceId,
          origin: bearer === undefined ? null : this.#bearers.originOf(bearer),
          storeName: this.#bearers.storeName,
        },
        basePath: this.settings.basePath,
        nowMs: this.settings.clock.now(),
      });
    }
    if (response.isTooLarge) {
      request.onTooLarge?.(response.body);
      throw unexpectedResponse(request, response, `more than ${this.settings.maxResponseBytes} bytes.`);
    }
    const body = readBody(response);
    if (body.kind === 'json') return { status, headers, body: body.value };
    if (body.kind === 'empty') return { status, headers, body: undefined };
    throw unexpectedResponse(request, response, 'a body that is not JSON.');
  }
}

type Exchange<R extends StreamedResponse> = (
  dispatcher: RequestDispatcher,
  attempt: HttpAttempt,
) => Promise<HttpResponse | R>;

function clientClosed(): MoleculeError {
  return new MoleculeError('The client was closed.', { code: 'client_closed' });
}

const NO_LIMIT = Number.POSITIVE_INFINITY;
/** The platform refused the request before it did anything. */
const REFUSED: ReadonlySet<number> = new Set([429, 503]);

/** Decides whether and when a request is retried. */
export class RetryBudget {
  readonly #settings: ConnectionSettings;
  readonly #request: PlatformRequest;
  readonly #capabilities: Pick<PlatformCapabilities, 'words'>;
  readonly #endsAt: number;
  #retries = 0;
  /** Whether the platform may have processed an attempt. */
  #mayHaveArrived = false;

  constructor(
    settings: ConnectionSettings,
    request: PlatformRequest,
    capabilities: Pick<PlatformCapabilities, 'words'>,
  ) {
    this.#settings = settings;
    this.#request = request;
    this.#capabilities = capabilities;
    this.#endsAt =
      request.totalTimeoutMs === undefined ? NO_LIMIT : settings.clock.monotonic() + request.totalTimeoutMs;
  }

  /** Time limit of the next attempt, in milliseconds. */
  attemptTimeoutMs(): number {
    if (this.#endsAt === NO_LIMIT) return this.#request.timeoutMs;
    return Math.max(1, Math.min(this.#request.timeoutMs, this.#endsAt - this.#settings.clock.monotonic()));
  }

  /** Waits until the request can be retried; if it cannot, throws `error`, with what all attempts say about `delivered`. */
  async waitBeforeRetry(error: unknown): Promise<void> {
    const { clock, logger } = this.#settings;
    const waitMs = this.#nextWaitMs(error);
    if (waitMs === undefined) throw this.#mayHaveArrived ? deliveryUnknown(error) : error;
    this.#retries += 1;
    this.#mayHaveArrived ||= MoleculeError.isInstance(error) && !wasNotProcessed(error);
    logger.debug({ error, waitMs, retry: this.#retries, path: this.#request.path }, 'Retrying a request.');
    await clock.sleep(waitMs, { signal: this.#request.signal });
  }

  #nextWaitMs(error: unknown): number | undefined {
    const { maxRetries, maxRetryAfterMs, random, clock } = this.#settings;
    if (!this.#request.isRepeatable || this.#retries >= maxRetries || this.#request.signal?.aborted)
      return undefined;
    if (!MoleculeError.isInstance(error) || !error.isRetryable || TimeoutError.isInstance(error))
      return undefined;
    if (!this.#isHarmless && !wasNotProcessed(error)) return undefined;
    if (error.retryAfterMs !== undefined && error.retryAfterMs > maxRetryAfterMs) return undefined;
    const waitMs = error.retryAfterMs ?? backoffDelayMs(this.#retries + 1, random);
    return clock.monotonic() + waitMs < this.#endsAt ? waitMs : undefined;
  }

  /** Whether a repeat of a processed request changes nothing. */
  get #isHarmless(): boolean {
    return this.#request.isKeyed !== true || this.#capabilities.words.has('message-dedupe');
  }
}

function wasNotProcessed(error: MoleculeError): boolean {
  if (ConnectionError.isInstance(error)) return error.delivered === 'no';
  // A platform also gives up a push with 503 and `busy`, while the agent may be working on the message.
  return ApiError.isInstance(error) && REFUSED.has(error.status) && error.details?.busy !== true;
}

/** The last attempt did not arrive, an earlier one may have. */
function deliveryUnknown(error: unknown): unknown {
  if (!ConnectionError.isInstance(error) || error.delivered !== 'no') return error;
  const { message, origin, isRetryable, hint, cause } = error;
  return new ConnectionError(message, { origin, delivered: 'unknown', isRetryable, hint, cause });
}

/** A header of the request replaces the one that all requests have. */
function withHeaders(list: readonly string[], more: NonNullable<PlatformRequest['headers']>): string[] {
  const all: string[] = [];
  for (let at = 0; at < list.length; at += 2) {
    const [name = '', value = ''] = [list[at], list[at + 1]];
    if (more[name] === undefined) all.push(name, value);
  }
  for (const name of Object.keys(more)) all.push(name, more[name] ?? '');
  return all;
}

/** Builds header lists in undici's flat form. They are reused until the token changes. */
export class RequestHeaders {
  readonly #fixed: readonly string[];
  #bearer: string | null = null;
  #plain: string[];
  #json: string[];
  /** The last list for a held request with headers of its own: most calls have the same ones. */
  #held: { seconds: number; more: PlatformRequest['headers']; headers: string[] } | undefined;

  /** @param workspaceId The caller; `null` for an operator. */
  constructor(settings: ConnectionSettings, workspaceId: string | null) {
    this.#fixed = [
      'accept',
      'application/json',
      'user-agent',
      USER_AGENT,
      ...(settings.origin === null ? [] : ['origin', settings.origin]),
      ...(settings.orgId === null ? [] : ['x-molecule-org-id', settings.orgId]),
      ...(workspaceId === null ? [] : ['x-workspace-id', workspaceId, 'x-source-workspace-id', workspaceId]),
    ];
    this.#plain = [...this.#fixed];
    this.#json = ['content-type', 'application/json', ...this.#fixed];
  }

  /** Do not modify the returned list. */
  for(
    bearer: string | null,
    hasBody: boolean,
    { holdSeconds, headers: more }: Pick<PlatformRequest, 'holdSeconds' | 'headers'>,
  ): string[] {
    if (bearer !== this.#bearer) this.#rebuild(bearer);
    const list = hasBody ? this.#json : this.#plain;
    if (holdSeconds === undefined) return more === undefined ? list : withHeaders(list, more);
    if (this.#held?.seconds === holdSeconds && this.#held.more === more && hasBody) return this.#held.headers;
    const headers = withHeaders(list, { ...more, 'x-timeout': String(holdSeconds) });
    if (hasBody) this.#held = { seconds: holdSeconds, more, headers };
    return headers;
  }

  #rebuild(bearer: string | null): void {
    this.#bearer = bearer;
    const authorization = bearer === null ? [] : ['authorization', `Bearer ${bearer}`];
    this.#plain = [...authorization, ...this.#fixed];
    this.#json = [...authorization, 'content-type', 'application/json', ...this.#fixed];
    this.#held = undefined;
  }
}
