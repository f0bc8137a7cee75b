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
import { type BodyReading, readBody } from './response-body.ts';

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
  /** The agent is there and took nothing; another attempt is made, which does not count. */
  | { readonly kind: 'not-accepting'; readonly retryAfterMs: number }
  | { readonly kind: 'aborted' };

/** A JSON-RPC error that is longer is not passed on. */
const MAX_ERROR_BYTES = 256 * 1024;
/** When an agent that accepts nothing is asked again, and the longest time for which it can ask, in milliseconds. */
const DEFAULT_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 60_000;
/** Codes of JSON-RPC and of A2A. */
const METHOD_NOT_FOUND = -32_601;
const UNSUPPORTED_OPERATION = -32_004;
/** 401: an agent whose copy of the keys is old refuses a good token. */
const RETRY_STATUSES: ReadonlySet<number> = new Set([401, 429, 502, 503, 504]);

/** Reads the HTTP response of an agent, at most as much as an answer may have. */
export async function readResponse(
  received: Dispatcher.ResponseData,
  reading: BodyReading,
): Promise<PushResult> {
  const { statusCode, body } = received;
  if (statusCode >= 300) {
    const error = statusCode >= 400 ? await readJsonError(received, reading) : undefined;
    body.on('error', () => undefined).destroy();
    if (isNotNow(received, codeOf(error))) {
      return { kind: 'not-accepting', retryAfterMs: retryAfterOf(received) };
    }
    const response = error !== undefined && isRpcError(error) ? error : undefined;
    const retry = RETRY_STATUSES.has(statusCode);
    return { kind: retry ? 'retry' : 'final', error: refusedByAgent(statusCode, retry), response };
  }
  const bytes = await readBody(body, BODY_LIMITS.agentResponse, reading);
  if (bytes === undefined) return { kind: 'unreadable', error: { ...TOO_LARGE } };
  const text = bytes.toString('utf8');
  // Each byte that is not UTF-8 has become three.
  if (Buffer.byteLength(text) > BODY_LIMITS.agentResponse)
    return { kind: 'unreadable', error: { ...TOO_LARGE } };
  const limit = exceededJsonLimit(text);
  return limit === undefined
    ? parseResponse(text, statusCode)
    : { kind: 'unreadable', error: tooComplex(limit) };
}

/** The JSON object in an HTTP error; undefined for any other body. */
async function readJsonError(
  { headers, body }: Dispatcher.ResponseData,
  reading: BodyReading,
): Promise<JsonObject | undefined> {
  if (!/\bjson\b/i.test(String(headers['content-type'] ?? ''))) return undefined;
  try {
    const text = (await readBody(body, MAX_ERROR_BYTES, reading))?.toString('utf8');
    if (text === undefined || exceededJsonLimit(text) !== undefined) return undefined;
    const parsed: unknown = JSON.parse(text);
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function isRpcError(body: JsonObject): boolean {
  const isResponse = body.jsonrpc === '2.0' && isJsonRpcResponse(body);
  return isResponse && isJsonObject(body.error) && body.result === undefined;
}

/** Whether the agent does not know the method of a stream, or offers none. */
export function refusesStream(result: PushResult): boolean {
  const response =
    result.kind === 'answer' ? result.body : 'response' in result ? result.response : undefined;
  const code = isJsonObject(response?.error) ? response.error.code : undefined;
  return code === METHOD_NOT_FOUND || code === UNSUPPORTED_OPERATION;
}

/** The code of an error body, or of a JSON-RPC error that has one in its data. */
function codeOf(body: JsonObject | undefined): unknown {
  const data = isJsonObject(body?.error) ? body.error.data : undefined;
  return body?.code ?? (isJsonObject(data) ? data.code : undefined);
}

/** Whether the agent took nothing for a reason that passes: it accepts no messages now, or has too many requests. */
function isNotNow({ statusCode, headers }: Dispatcher.ResponseData, code: unknown): boolean {
  if (statusCode === 429) return code === 'rate_limited' || headers['retry-after'] !== undefined;
  return statusCode === 503 && code === 'not_accepting';
}

function retryAfterOf({ headers }: Dispatcher.ResponseData): number {
  const seconds = Number(headers['retry-after']);
  return seconds > 0 ? Math.min(seconds * 1_000, LONGEST_WAIT_MS) : DEFAULT_WAIT_MS;
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

export const TOO_LARGE: ErrorBody = {
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

export function tooComplex(limit: JsonLimit): ErrorBody {
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
    ...hintFor(status),
  };
}

/** Servers differ in whether a path needs a slash at its end. */
function hintFor(status: number): { readonly hint?: string } {
  if (status < 400) {
    return { hint: 'Redirects are not followed; register the final URL, with the slash at its end.' };
  }
  if (status !== 404 && status !== 405) return {};
  return { hint: 'No agent takes messages at the URL: check its path, also the slash at its end.' };
}
