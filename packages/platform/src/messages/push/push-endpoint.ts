import { type AddressGuard, AddressRefusedError } from '@molecule-ai/net-guard';
import {
  BODY_LIMITS,
  type ErrorBody,
  exceededJsonLimit,
  isJsonObject,
  isJsonRpcResponse,
  isQueuedResponse,
  JSON_LIMITS,
  type JsonLimit,
  type JsonObject,
} from '@molecule-ai/protocol';
import type { Dispatcher } from 'undici';
import sendRequest from 'undici/lib/api/api-request.js';
import errors from 'undici/lib/core/errors.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import type { Clock } from '../../time/clock.ts';

/** The result of posting one message to an agent. */
export type PushResult =
  | { readonly kind: 'answer'; readonly body: JsonObject }
  /** The agent accepted it (2xx) and answers later with a message, or not at all. */
  | { readonly kind: 'accepted' }
  /** The agent accepted it (2xx), but the body is not an answer. */
  | { readonly kind: 'unreadable'; readonly error: ErrorBody }
  /** Another attempt would fail as well. `response` is the JSON-RPC error that came with the HTTP error. */
  | { readonly kind: 'final'; readonly error: ErrorBody; readonly response?: JsonObject | undefined }
  | { readonly kind: 'retry'; readonly error: ErrorBody; readonly response?: JsonObject | undefined }
  | { readonly kind: 'aborted' };

export interface PushRequest {
  readonly targetId: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** A cancellation uses connections of its own, and so takes none from messages. */
  readonly purpose: 'message' | 'cancellation';
  /** Aborted when the platform stops, or the time for a cancellation is over. */
  readonly signal: AbortSignal;
}

/** Posts messages to the servers of agents. */
export interface PushEndpoint {
  post(request: PushRequest): Promise<PushResult>;
  /** Removes the cached path of the target. */
  forget(targetId: string): void;
  close(): Promise<void>;
}

export interface PushEndpointOptions {
  readonly clock: Clock;
  /** Checks each address, as written and on the socket. */
  readonly guard: AddressGuard;
  /** Maximum idle time and maximum total time of one attempt, in milliseconds. */
  readonly timeoutMs: number;
}

/** Paths an agent may serve when it registered a bare origin. */
const ROOT_PATHS = ['/', '/a2a', '/a2a/inbound'] as const;
const CONNECTIONS_PER_AGENT = { message: 64, cancellation: 4 } as const;
const MAX_ERROR_BYTES = 256 * 1024;
const RETRY_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** Posts to exactly the registered URL through the address guard; follows no redirect. */
export function createPushEndpoint({ clock, guard, timeoutMs }: PushEndpointOptions): PushEndpoint {
  const newAgent = (connections: number) =>
    new Agent({ connect: guard.connect, headersTimeout: timeoutMs, bodyTimeout: timeoutMs, connections });
  const agents = {
    message: newAgent(CONNECTIONS_PER_AGENT.message),
    cancellation: newAgent(CONNECTIONS_PER_AGENT.cancellation),
  };
  const knownPaths = new Map<string, { url: string; path: string }>();

  const postOnce = async (url: URL, request: PushRequest): Promise<PushResult & { status?: number }> => {
    if (request.signal.aborted) return { kind: 'aborted' };
    // One controller for both reasons, because `AbortSignal.any` is several times slower.
    const ending = new AbortController();
    const onStop = () => ending.abort();
    let hasTimedOut = false;
    const cancel = clock.schedule(timeoutMs, () => {
      hasTimedOut = true;
      ending.abort();
    });
    request.signal.addEventListener('abort', onStop, { once: true });
    try {
      const response = await sendRequest.call(agents[request.purpose], {
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: 'POST',
        headers: { ...request.headers },
        body: request.body,
        signal: ending.signal,
      });
      return { ...(await readResponse(response)), status: response.statusCode };
    } catch (error) {
      if (request.signal.aborted) return { kind: 'aborted' };
      return toFailure(error, hasTimedOut);
    } finally {
      cancel();
      request.signal.removeEventListener('abort', onStop);
    }
  };

  return {
    post: async (request) => {
      const check = guard.checkUrl(request.url);
      if (!check.ok) return { kind: 'final', error: unsafe(check.message) };
      const paths = pathsOf(check.url, knownPaths.get(request.targetId), request.url);
      let first: (PushResult & { status?: number }) | undefined;
      for (const path of paths) {
        const url = new URL(check.url);
        url.pathname = path;
        const result = await postOnce(url, request);
        if (result.status !== 404 && result.status !== 405) {
          if (paths.length > 1) knownPaths.set(request.targetId, { url: request.url, path });
          return result;
        }
        first ??= result;
      }
      knownPaths.delete(request.targetId);
      return first ?? { kind: 'aborted' };
    },
    forget: (targetId) => void knownPaths.delete(targetId),
    close: async () => void (await Promise.all([agents.message.destroy(), agents.cancellation.destroy()])),
  };
}

/** The registered path, or for a bare origin the usual ones, first the one that responded before. */
function pathsOf(
  url: URL,
  known: { url: string; path: string } | undefined,
  registered: string,
): readonly string[] {
  if (url.pathname !== '/' || url.search !== '') return [url.pathname];
  if (known === undefined || known.url !== registered) return ROOT_PATHS;
  return [known.path, ...ROOT_PATHS.filter((path) => path !== known.path)];
}

async function readResponse(received: Dispatcher.ResponseData): Promise<PushResult> {
  const { statusCode, body } = received;
  if (statusCode >= 300) {
    const response = statusCode >= 400 ? await readRpcError(received) : undefined;
    body.on('error', () => undefined).destroy();
    const retry = RETRY_STATUSES.has(statusCode);
    return { kind: retry ? 'retry' : 'final', error: refusedByAgent(statusCode, retry), response };
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMITS.agentResponse) {
      return { kind: 'unreadable', error: { ...TOO_LARGE } };
    }
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  // Each byte that is not UTF-8 has become three.
  if (Buffer.byteLength(text) > BODY_LIMITS.agentResponse)
    return { kind: 'unreadable', error: { ...TOO_LARGE } };
  const limit = exceededJsonLimit(text);
  return limit === undefined
    ? parseResponse(text, statusCode)
    : { kind: 'unreadable', error: tooComplex(limit) };
}

/** The JSON-RPC error in an HTTP error; undefined for any other body. */
async function readRpcError({ headers, body }: Dispatcher.ResponseData): Promise<JsonObject | undefined> {
  if (!/\bjson\b/i.test(String(headers['content-type'] ?? ''))) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_ERROR_BYTES) return undefined;
      chunks.push(chunk);
    }
    const text = Buffer.concat(chunks).toString('utf8');
    if (exceededJsonLimit(text) !== undefined) return undefined;
    const parsed: unknown = JSON.parse(text);
    if (!isJsonObject(parsed) || parsed.jsonrpc !== '2.0' || !isJsonRpcResponse(parsed)) return undefined;
    return isJsonObject(parsed.error) && parsed.result === undefined ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** Without an answer, a queued response and a 202 or 204 mean that the agent answers later. */
function parseResponse(text: string, status: number): PushResult {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (isJsonObject(body)) {
    if (isQueuedResponse(body)) return { kind: 'accepted' };
    if (isJsonRpcResponse(body)) return { kind: 'answer', body };
  }
  if (status === 202 || status === 204) return { kind: 'accepted' };
  return { kind: 'unreadable', error: { ...NOT_JSON } };
}

const TOO_LARGE: ErrorBody = {
  error: 'the response of the workspace agent is over 10 MiB',
  code: 'agent_answer_too_large',
  delivered: true,
  truncated: true,
  hint: 'Ask for less, or let the agent store the result and answer with its address.',
};
const NOT_JSON: ErrorBody = {
  error: 'the workspace agent returned a body that is not a JSON-RPC response',
  code: 'agent_answer_invalid',
  delivered: true,
};

function tooComplex(limit: JsonLimit): ErrorBody {
  const { nodes, depth } = JSON_LIMITS;
  const what =
    limit === 'nodes' ? `has more than ${nodes} JSON values` : `is nested more than ${depth} levels`;
  return {
    error: `the response of the workspace agent ${what}`,
    code: 'agent_answer_invalid',
    delivered: true,
    hint: 'The agent can send large data as one text or as a file.',
  };
}

function refusedByAgent(status: number, retry: boolean): ErrorBody {
  return {
    error: `the workspace agent responded with HTTP ${status}`,
    code: 'agent_error',
    status: String(status),
    delivered: !retry,
    ...(status < 400 ? { hint: 'Redirects are not followed; register the final URL.' } : {}),
  };
}

function unsafe(message: string): ErrorBody {
  return {
    error: `workspace URL is not publicly routable: ${message}`,
    code: 'unsafe_url',
    delivered: false,
    hint: 'Register a public URL, or ask the operator to allow the network.',
  };
}

/**
 * A host name that resolves to a refused address may resolve to another one later, so it is retried like a name that
 * does not resolve. A refused literal address has failed before, without a connection.
 */
function toFailure(error: unknown, timedOut: boolean): PushResult {
  if (AddressRefusedError.isInstance(error)) return { kind: 'retry', error: unsafe(error.message) };
  if (timedOut || error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) {
    const message = 'the workspace agent did not respond in time';
    return { kind: 'retry', error: { error: message, code: 'agent_timeout', delivered: 'unknown' } };
  }
  const code = codeOf(error);
  const sent = code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
  return {
    kind: 'retry',
    error: {
      error: 'failed to reach workspace agent',
      code: 'agent_unreachable',
      delivered: sent ? 'unknown' : false,
      ...(code === '' ? {} : { status: code }),
    },
  };
}

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' ? code : '';
}
