import { ConfigurationError } from '../errors/configuration-error.ts';

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
  onResponseData(controller: DispatchController, chunk: Buffer): void;
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

/** @throws ConfigurationError */
export function checkDispatcher(dispatcher: RequestDispatcher | undefined): RequestDispatcher | null {
  if (dispatcher === undefined) return null;
  if (typeof (dispatcher as Partial<RequestDispatcher> | null)?.dispatch === 'function') return dispatcher;
  throw new ConfigurationError('dispatcher must have a method dispatch(options, handler).', {
    hint: 'Pass an Agent or a ProxyAgent of undici; the Agent of node:http or node:https is something else.',
  });
}
