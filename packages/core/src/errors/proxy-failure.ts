import { isError } from './is-error.ts';

const NAME = 'ProxyFailure';
const RESPONSE = 'PROXY_RESPONSE_';

/**
 * The proxy was not reached, or opened no connection to the platform. Recognised by its name, which the worker thread of the
 * heartbeats can pass on.
 */
export function proxyFailure(cause: unknown): Error {
  const code: unknown = isError(cause) ? Reflect.get(cause, 'code') : undefined;
  const message = isError(cause) ? cause.message : String(cause);
  return named(message, typeof code === 'string' ? code : '', cause);
}

/** The proxy responded to CONNECT with another status than 200. */
export function proxyResponse(status: number): Error {
  return named('The proxy refused to connect.', RESPONSE + String(status));
}

function named(message: string, code: string, cause?: unknown): Error {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { name: NAME, code });
}

/** The failure of the proxy behind an error of a connection, which undici wraps in some cases. */
export function proxyFailureIn(error: Error): Error | undefined {
  if (error.name === NAME) return error;
  return isError(error.cause) && error.cause.name === NAME ? error.cause : undefined;
}

/** The status of the proxy's response, if there was one. */
export function proxyStatus(code: string): number | undefined {
  return code.startsWith(RESPONSE) ? Number(code.slice(RESPONSE.length)) : undefined;
}
