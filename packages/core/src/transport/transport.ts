import { CAPABILITIES_HEADER, type Capability, parseCapabilities } from '@molecule-ai/protocol';
import type { TokenManager } from '../credentials/token-manager.ts';
import { ApiError } from '../errors/api-error.ts';
import { ConnectionError, TimeoutError } from '../errors/connection-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { ConnectionSettings, RequestDispatcher } from '../settings/connection-settings.ts';
import { USER_AGENT } from '../settings/sdk-version.ts';
import { backoffDelayMs } from '../time/backoff.ts';
import { apiFailure, unexpectedResponse } from './api-failure.ts';
import { clientClosed } from './connection-failure.ts';
import { OpenExchanges, type StreamedResponse } from './http-exchange.ts';
import { type HttpResponse, readBody } from './http-response.ts';
import type { PlatformRequest, PlatformResponse, RequestLane } from './platform-request.ts';
import { LazyPool } from './undici-pool.ts';

/** Connections for streams: as many as a platform opens for one workspace. See docs/contract/streams.md#limits. */
const MAX_STREAMS = 100;
const NO_LIMIT = Number.POSITIVE_INFINITY;

/** Provides the bearer token. `storeName` is `null` where nothing is stored. */
type BearerSource = Pick<TokenManager, 'load' | 'current' | 'renew' | 'originOf'> & {
  readonly storeName: string | null;
};

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
  /** Those of every request, in undici's flat form. */
  readonly #headers: readonly string[];
  readonly #pool: LazyPool;
  #dispatcher: RequestDispatcher | null;
  readonly #lanes: Readonly<Record<RequestLane, OpenExchanges>>;
  /** Streams stay open for long: apart from the others they delay no request. */
  readonly #streams: OpenExchanges;
  #closing: Promise<void> | undefined;

  /** @param workspaceId The caller, sent in headers; `null` for an operator. */
  constructor(settings: ConnectionSettings, bearers: BearerSource, workspaceId: string | null) {
    const { proxy, logger, clock, dispatcher, maxConnections, origin, orgId } = settings;
    this.settings = settings;
    this.#bearers = bearers;
    this.isOperator = workspaceId === null;
    this.#workspaceId = workspaceId;
    this.#headers = [
      ['user-agent', USER_AGENT],
      origin === null ? [] : ['origin', origin],
      orgId === null ? [] : ['x-molecule-org-id', orgId],
      workspaceId === null ? [] : ['x-workspace-id', workspaceId, 'x-source-workspace-id', workspaceId],
    ].flat();
    this.#pool = new LazyPool(settings);
    this.#dispatcher = dispatcher;
    if (proxy !== null) {
      const named = { proxy: proxy.host, setting: proxy.setting };
      logger.debug(named, 'Requests to the platform go through a proxy.');
    }
    const limited = (most: number) => new OpenExchanges(clock, dispatcher === null ? most : NO_LIMIT);
    this.#lanes = {
      presence: new OpenExchanges(clock, NO_LIMIT),
      receiving: limited(maxConnections),
      calls: limited(maxConnections),
    };
    this.#streams = limited(MAX_STREAMS);
  }

  /**
   * Sends a request, retries it if that is safe, and returns the parsed response; of a request that is streamed, server-sent events with
   * their headers. Nothing is retried after that.
   * @throws ApiError for every response outside 2xx, and for a 2xx body that is not JSON.
   * @throws ConnectionError, TimeoutError; an abort rejects with the signal's reason.
   */
  async request(request: PlatformRequest): Promise<PlatformResponse | StreamedResponse> {
    const { totalTimeoutMs, signal, path } = request;
    const { clock, logger } = this.settings;
    const endsAt = totalTimeoutMs === undefined ? NO_LIMIT : clock.monotonic() + totalTimeoutMs;
    /** Whether the platform may have processed an attempt. */
    let mayHaveArrived = false;
    for (let retry = 1; ; retry += 1) {
      const leftMs = endsAt === NO_LIMIT ? NO_LIMIT : endsAt - clock.monotonic();
      const timeoutMs = Math.max(1, Math.min(request.timeoutMs, leftMs));
      try {
        let bearer = request.bearer === undefined ? this.#bearers.current() : request.bearer;
        if (this.#dispatcher === null || bearer === undefined) {
          await this.#prepare(request);
          bearer = request.bearer === undefined ? this.#bearers.current() : request.bearer;
        }
        let response = await this.#exchange(request, bearer, timeoutMs);
        // Another process may have replaced the token.
        if (response.status === 401 && request.bearer === undefined) {
          const newer = await this.#bearers.renew(bearer ?? undefined);
          if (newer !== undefined) {
            bearer = newer;
            response = await this.#exchange(request, bearer, timeoutMs);
          }
        }
        return this.#read(request, response, bearer ?? undefined);
      } catch (error) {
        const waitMs = this.#pauseBefore(retry, request, error);
        if (waitMs === undefined || clock.monotonic() + waitMs >= endsAt) {
          throw mayHaveArrived ? deliveryUnknown(error) : error;
        }
        mayHaveArrived ||= MoleculeError.isInstance(error) && !wasNotProcessed(error);
        logger.debug({ error, waitMs, retry, path }, 'Retrying a request.');
        await clock.sleep(waitMs, { signal });
      }
    }
  }

  /** In milliseconds; `undefined` when the request cannot be repeated. */
  #pauseBefore(retry: number, request: PlatformRequest, error: unknown): number | undefined {
    const { maxRetries, maxRetryAfterMs, random } = this.settings;
    if (!request.isRepeatable || retry > maxRetries || request.signal?.aborted) return undefined;
    if (!MoleculeError.isInstance(error) || !error.isRetryable || TimeoutError.isInstance(error))
      return undefined;
    // Whether a repeat of a processed request changes nothing.
    const isHarmless = request.isKeyed !== true || this.capabilities.words.has('message-dedupe');
    if (!isHarmless && !wasNotProcessed(error)) return undefined;
    if (error.retryAfterMs !== undefined && error.retryAfterMs > maxRetryAfterMs) return undefined;
    return error.retryAfterMs ?? backoffDelayMs(retry, random);
  }

  /** Ends its requests and leaves the connections to other clients; pending requests reject with `client_closed`. Idempotent. */
  close(): Promise<void> {
    const reason = clientClosed();
    this.#closing ??= this.#pool.leave(reason);
    for (const open of [...Object.values(this.#lanes), this.#streams]) open.cancelAll(reason);
    return this.#closing;
  }

  /** Loads the token, and opens the connections. */
  async #prepare({ bearer }: PlatformRequest): Promise<void> {
    if (bearer === undefined) await this.#bearers.load();
    if (this.#closing !== undefined) throw clientClosed();
    this.#dispatcher ??= await this.#pool.open();
  }

  #exchange(
    request: PlatformRequest,
    bearer: string | null | undefined,
    timeoutMs: number,
  ): Promise<HttpResponse | StreamedResponse> {
    if (this.#closing !== undefined || this.#dispatcher === null) throw clientClosed();
    const { platformOrigin, basePath, proxy, maxResponseBytes } = this.settings;
    const { method, path, query = '', headers = {}, body, isStreamed = false, signal, onSent } = request;
    const open = isStreamed ? this.#streams : this.#lanes[request.lane];
    return open.exchange(request.through?.(this.#dispatcher) ?? this.#dispatcher, {
      origin: platformOrigin,
      proxy,
      method,
      path: basePath + path + query,
      base: this.#headers,
      headers,
      bearer,
      body: body === undefined ? null : JSON.stringify(body),
      timeoutMs,
      maxResponseBytes,
      keepsBeginning: request.onTooLarge !== undefined,
      isStreamed,
      signal,
      onSent,
    });
  }

  #read(
    request: PlatformRequest,
    response: HttpResponse | StreamedResponse,
    bearer: string | undefined,
  ): PlatformResponse | StreamedResponse {
    const { status, headers } = response;
    this.capabilities.readHeader(response);
    if ('stream' in response) return response;
    if (status < 200 || status >= 300) {
      const failed = {
        request,
        bearer,
        workspaceId: this.#workspaceId,
        origin: bearer === undefined ? null : this.#bearers.originOf(bearer),
        storeName: this.#bearers.storeName,
        basePath: this.settings.basePath,
      };
      throw apiFailure(response, failed, this.settings.clock.now());
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

/** The platform refused the request before it did anything. */
const REFUSED: ReadonlySet<number> = new Set([429, 503]);

function wasNotProcessed(error: MoleculeError): boolean {
  if (ConnectionError.isInstance(error)) return error.delivered === 'no';
  // A platform also gives up a push with 503 and `busy`, while the agent may be working on the message.
  return ApiError.isInstance(error) && REFUSED.has(error.status) && error.details?.busy !== true;
}

/** The last attempt did not arrive, an earlier one may have. */
function deliveryUnknown(error: unknown): unknown {
  if (!ConnectionError.isInstance(error) || error.delivered !== 'no') return error;
  return new ConnectionError(error.message, { ...error, delivered: 'unknown', cause: error.cause });
}

const NONE: ReadonlySet<Capability> = new Set();
/** The last one that was read in this process: all agents of a platform read the same, and share it. */
let latest: { readonly text: string; readonly words: ReadonlySet<Capability> } = { text: '', words: NONE };

function wordsOf(text: string): ReadonlySet<Capability> {
  if (text !== latest.text) latest = { text, words: parseCapabilities(text) };
  return latest.words;
}

/** What the platform offers, as its latest response that said so named it. Empty for a platform that never does. */
export class PlatformCapabilities {
  words = NONE;
  /** Whether the platform responded at all: then a word that is missing is not offered. */
  isKnown = false;

  /** Whether the platform responded and did not name this word. */
  lacks(word: Capability): boolean {
    return this.isKnown && !this.words.has(word);
  }

  /** Reads the response header; responses without it, such as those of a gateway, change nothing. */
  readHeader(response: Pick<HttpResponse, 'status' | 'headers'>): void {
    if (response.status < 500) this.isKnown = true;
    const header = response.headers[CAPABILITIES_HEADER];
    if (header !== undefined) this.words = wordsOf(String(header));
  }

  /** Reads the list in the body of a register or heartbeat response; `undefined` changes nothing. */
  readList(list: readonly string[] | undefined): void {
    if (list !== undefined) this.words = wordsOf(list.join(','));
  }
}
