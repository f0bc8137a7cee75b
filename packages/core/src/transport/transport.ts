import { MoleculeError } from '../errors/molecule-error.ts';
import type { ConnectionSettings } from '../settings/connection-settings.ts';
import type { RequestDispatcher } from '../settings/request-dispatcher.ts';
import { apiFailure, unexpectedResponse } from './api-failure.ts';
import {
  exchange,
  type HttpAttempt,
  type HttpResponse,
  openExchange,
  type StreamedResponse,
} from './http-exchange.ts';
import { OpenExchanges } from './open-exchanges.ts';
import { PlatformCapabilities } from './platform-capabilities.ts';
import type { PlatformRequest, PlatformResponse, RequestLane } from './platform-request.ts';
import { RequestHeaders } from './request-headers.ts';
import { readBody } from './response-body.ts';
import { RetryBudget } from './retry-budget.ts';
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
    const attempt = async (sent: string | undefined) => {
      if (this.#isClosed) throw clientClosed();
      const dispatcher = this.settings.dispatcher ?? (await this.#pool.dispatcher());
      if (this.#isClosed) throw clientClosed();
      const chosen = request.through?.(dispatcher) ?? dispatcher;
      return exchangeWith(chosen, this.#attempt(request, body, sent, { timeoutMs, open }));
    };
    const response = await attempt(bearer);
    if (response.status !== 401 || request.bearer !== undefined) return this.#read(request, response, bearer);
    const newer = await this.#bearers.renew(bearer);
    if (newer === undefined) return this.#read(request, response, bearer);
    return this.#read(request, await attempt(newer), newer);
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
      headers: withHeaders(
        this.#headers.for(bearer ?? null, body !== null, request.holdSeconds),
        request.headers,
      ),
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

/** `accept` of the request replaces the one that all requests have. */
function withHeaders(list: string[], more: PlatformRequest['headers']): string[] {
  if (more === undefined) return list;
  const own = more.accept === undefined ? list : list.filter((_, at) => list[at - (at % 2)] !== 'accept');
  return [...own, ...Object.entries(more).flat()];
}
