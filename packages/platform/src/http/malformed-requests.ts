import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { HttpError } from './http-error.ts';

/** Responses to bytes that are not a request, by the error code of Node; all others are a 400. */
const SOCKET_STATUS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};
/** `type/subtype`, with anything after it. */
const MEDIA_TYPE = /^\s*[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(;|$)/;

/** Responds to what is not HTTP, is too large for it, or did not arrive in time. */
export function refuseOnSocket(error: Error, socket: Socket): void {
  if (!socket.writable) return void socket.destroy();
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const body = JSON.stringify({ error: 'invalid request', code: 'invalid_request' });
  const status = SOCKET_STATUS[code] ?? '400 Bad Request';
  const head = [`HTTP/1.1 ${status}`, 'Content-Type: application/json', 'Connection: close'];
  socket.end(`${[...head, `Content-Length: ${Buffer.byteLength(body)}`].join('\r\n')}\r\n\r\n${body}`);
}

/** Passes requests on that Node would refuse itself with an empty body, so that {@link requireWellFormed} does. */
export function acceptAnyExpectation({ server }: FastifyInstance): void {
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    server.emit('request', request, response);
  });
}

/**
 * Refuses requests that HTTP forbids or that ask for what nobody here can do.
 * @throws HttpError 400 without a `Host`, 417 for an `Expect` other than `100-continue`.
 */
export function requireWellFormed({ headers, raw }: FastifyRequest): void {
  if (headers.host === undefined && raw.httpVersion !== '1.0') {
    throw new HttpError(400, 'invalid_request', 'the Host header is missing', {
      extras: { field: 'host' },
      headers: { connection: 'close' },
    });
  }
  const { expect } = headers;
  if (expect !== undefined && expect.trim().toLowerCase() !== '100-continue') {
    throw new HttpError(417, 'invalid_request', 'expectation failed', {
      extras: { field: 'expect', hint: 'Leave the header out; only 100-continue is known.' },
      headers: { connection: 'close' },
    });
  }
  const type = headers['content-type'];
  // The type of a body does not matter, so one that cannot be read does not either.
  if (type !== undefined && !MEDIA_TYPE.test(type)) delete headers['content-type'];
}

/** A larger body is not read, because proxies refuse to pass it on: the response comes at once. */
const DISCARDED_BYTES = 2 * 1024 * 1024;
const DISCARD_TIMEOUT_MS = 5_000;

/**
 * Reads the rest of a refused body and drops it. A connection that is closed with unread data is reset, and then its client, or a proxy
 * between them, often gets no response.
 */
export async function discardBody(request: IncomingMessage): Promise<void> {
  if (request.complete || !(Number(request.headers['content-length']) <= DISCARDED_BYTES)) return;
  request.resume();
  const signal = AbortSignal.timeout(DISCARD_TIMEOUT_MS);
  // An error means that the client is gone or too slow.
  await finished(request, { writable: false, signal }).catch(() => {});
}
