import { type AddressGuard, AddressRefusedError } from '@molecule-ai/net-guard';
import {
  BODY_LIMITS,
  DataLines,
  type ErrorBody,
  exceededJsonLimit,
  isJsonObject,
  isJsonRpcResponse,
  isQueuedResponse,
  JSON_LIMITS,
  type JsonObject,
  StreamedAnswer,
} from '@molecule-ai/protocol';
import { createParser } from 'eventsource-parser';
import type { Dispatcher } from 'undici';
import sendRequest from 'undici/lib/api/api-request.js';
import errors from 'undici/lib/core/errors.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import { errorFacts } from '../../foreign-error.ts';
import type { Clock } from '../../time/clock.ts';
import { type AnswerMemory, type AnswerShare, SMALL_ANSWER_BYTES } from '../streams/answer-memory.ts';
import type { TextSource } from '../streams/answer-streams.ts';

/** What is posted to an agent. */
export interface PushRequest {
  readonly targetId: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** How it is posted. */
export interface Posting {
  /** A control call, such as a cancellation, uses connections of its own, and so takes none from messages. */
  readonly purpose: 'message' | 'control';
  /** Aborted when the platform stops, or the time for a control call is over. */
  readonly signal: AbortSignal;
  /** Takes the text of an answer that comes as a stream; without one a stream is a body that is not JSON. */
  readonly source?: TextSource | undefined;
}

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

interface AgentEndpointOptions {
  readonly clock: Clock;
  /** Checks each address, as written and on the socket. */
  readonly guard: AddressGuard;
  /** Maximum idle time, and maximum total time of one attempt without a stream, in milliseconds. */
  readonly timeoutMs: number;
  readonly memory: AnswerMemory;
}

/** Paths an agent may serve when it registered a bare origin. */
const ROOT_PATHS = ['/', '/a2a', '/a2a/inbound'] as const;
const CONNECTIONS_PER_AGENT = { message: 64, control: 4 } as const;
/** What is received of a body ahead of its reading. */
const UNREAD_BYTES = 16 * 1024;

/** Posts to the servers of agents, through the address guard, to exactly the registered URL; follows no redirect. */
export class AgentEndpoint {
  readonly #options: AgentEndpointOptions;
  readonly #agents: Readonly<Record<Posting['purpose'], Agent>>;
  /** Of agents that registered a bare origin: the path that responded. */
  readonly #knownPaths = new Map<string, { readonly url: string; readonly path: string }>();

  constructor(options: AgentEndpointOptions) {
    this.#options = options;
    const { guard, timeoutMs } = options;
    const limits = { connect: guard.connect, headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
    this.#agents = {
      message: new Agent({ ...limits, connections: CONNECTIONS_PER_AGENT.message }),
      control: new Agent({ ...limits, connections: CONNECTIONS_PER_AGENT.control }),
    };
  }

  async post(request: PushRequest, posting: Posting): Promise<PushResult> {
    const { targetId, url: registered } = request;
    const check = this.#options.guard.checkUrl(registered);
    if (!check.ok) return { kind: 'final', error: unsafe(check.message) };
    const url = new URL(check.url);
    if (url.pathname !== '/' || url.search !== '') return (await this.#postTo(url, request, posting)).result;
    const known = this.#knownPaths.get(targetId);
    const likely = known?.url === registered ? [known.path] : [];
    let first: PushResult | undefined;
    for (const path of new Set([...likely, ...ROOT_PATHS])) {
      url.pathname = path;
      const { status, result } = await this.#postTo(url, request, posting);
      if (status !== 404 && status !== 405) {
        this.#knownPaths.set(targetId, { url: registered, path });
        return result;
      }
      first ??= result;
    }
    this.#knownPaths.delete(targetId);
    return first ?? { kind: 'aborted' };
  }

  /** Forgets which path of the target responded. */
  forget(targetId: string): void {
    this.#knownPaths.delete(targetId);
  }

  async close(): Promise<void> {
    await Promise.all([this.#agents.message.destroy(), this.#agents.control.destroy()]);
  }

  async #postTo(
    { origin, pathname, search }: URL,
    { targetId, headers, body }: PushRequest,
    { purpose, signal, source }: Posting,
  ): Promise<{ readonly status?: number; readonly result: PushResult }> {
    const { clock, memory, timeoutMs } = this.#options;
    const ended = source?.stream.ended;
    if (signal.aborted || ended?.aborted) return { result: { kind: 'aborted' } };
    // One controller for all reasons, because `AbortSignal.any` is several times slower.
    const ending = new AbortController();
    const stop = () => ending.abort();
    let hasTimedOut = false;
    const onTimeout = () => {
      hasTimedOut = true;
      stop();
    };
    let cancel = clock.schedule(timeoutMs, onTimeout);
    const stopTimer = () => cancel();
    const restartTimer = () => {
      cancel();
      cancel = clock.schedule(timeoutMs, onTimeout);
    };
    let share = source?.share();
    const openShare = () => {
      share ??= memory.open(targetId).share();
      return share;
    };
    signal.addEventListener('abort', stop, { once: true });
    ended?.addEventListener('abort', stop, { once: true });
    try {
      const received = await sendRequest.call(this.#agents[purpose], {
        origin,
        path: `${pathname}${search}`,
        method: 'POST',
        headers,
        body,
        highWaterMark: UNREAD_BYTES,
        signal: ending.signal,
      });
      const reading = { clock, openShare, signal: ending.signal, source, onTimeout, restartTimer, stopTimer };
      return { status: received.statusCode, result: await readResponse(received, reading) };
    } catch (error) {
      const isStopped = signal.aborted || ended?.aborted === true;
      return { result: isStopped ? { kind: 'aborted' } : failureOf(error, hasTimedOut) };
    } finally {
      cancel();
      share?.release();
      signal.removeEventListener('abort', stop);
      ended?.removeEventListener('abort', stop);
    }
  }
}

function unsafe(message: string): ErrorBody {
  return {
    error: `workspace URL is not publicly routable: ${message}`,
    code: 'unsafe_url',
    delivered: false,
    hint: 'Register a public URL, or ask the operator to allow the network.',
  };
}

/** Errors that may follow the request, besides those of a response that is not HTTP, which have no code. */
const AFTER_SENDING = /^(?:ECONNRESET|EPIPE|UND_ERR_(?:SOCKET|HEADERS_OVERFLOW|RES_.+))$/;

/**
 * A host name that resolves to a refused address may resolve to another one later, so it is retried like a name that
 * does not resolve. A refused literal address has failed before, without a connection.
 */
function failureOf(error: unknown, hasTimedOut: boolean): PushResult {
  if (AddressRefusedError.isInstance(error)) return { kind: 'retry', error: unsafe(error.message) };
  if (
    hasTimedOut ||
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError
  ) {
    const message = 'the workspace agent did not respond in time';
    return { kind: 'retry', error: { error: message, code: 'agent_timeout', delivered: 'unknown' } };
  }
  const { code = '' } = errorFacts(error);
  const isSent = AFTER_SENDING.test(code) || error instanceof errors.HTTPParserError;
  return {
    kind: 'retry',
    error: {
      error: 'failed to reach workspace agent',
      code: 'agent_unreachable',
      delivered: isSent ? 'unknown' : false,
      ...(code === '' ? {} : { status: code }),
    },
  };
}

/** How a response is read. */
interface Reading {
  readonly clock: Clock;
  /** Memory for what is read of a body that is not small. While there is none nothing is read, and the agent waits. */
  readonly openShare: () => AnswerShare;
  /** Ends the reading. */
  readonly signal: AbortSignal;
  readonly source?: TextSource | undefined;
  /** Aborts the signal, because the response comes too slowly. */
  readonly onTimeout: () => void;
  /** The timer for the whole response, of a stream for the time between two events. */
  readonly restartTimer: () => void;
  readonly stopTimer: () => void;
}

/** Reads the HTTP response of an agent, at most as much as an answer may have. */
export async function readResponse(received: Dispatcher.ResponseData, reading: Reading): Promise<PushResult> {
  const { statusCode: status, headers, body } = received;
  if (status >= 300) return readRefusal(received, reading);
  if (reading.source !== undefined && /^\s*text\/event-stream\b/i.test(String(headers['content-type'] ?? '')))
    return readEvents(body, reading.source, reading);
  const text = (await readBody(body, BODY_LIMITS.agentResponse, reading))?.toString('utf8');
  // Each byte that is not UTF-8 has become three.
  if (text === undefined || Buffer.byteLength(text) > BODY_LIMITS.agentResponse) return TOO_LARGE;
  const refused = tooComplex(text);
  if (refused !== undefined) return refused;
  const response = parseObject(text);
  if (response !== undefined && isQueuedResponse(response)) return { kind: 'accepted' };
  if (response !== undefined && isJsonRpcResponse(response)) return { kind: 'answer', body: response };
  // Without an answer, a 202 or 204 means that the agent answers later.
  return status === 202 || status === 204 ? { kind: 'accepted' } : NOT_JSON;
}

/** Undefined for what is not a JSON object. */
function parseObject(text: string): JsonObject | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

const TOO_LARGE: PushResult = {
  kind: 'unreadable',
  error: {
    error: 'the response of the workspace agent is over 10 MiB',
    code: 'agent_answer_too_large',
    delivered: true,
    truncated: true,
    hint: 'Ask for less, or let the agent store the result and answer with its address.',
  },
};
const NOT_JSON: PushResult = {
  kind: 'unreadable',
  error: {
    error: 'the workspace agent returned a body that is not a JSON-RPC response',
    code: 'agent_answer_invalid',
    delivered: true,
  },
};

/** The result for JSON that is more than the platform parses; undefined for any other text. */
function tooComplex(text: string): PushResult | undefined {
  const limit = exceededJsonLimit(text);
  if (limit === undefined) return undefined;
  const { nodes, depth } = JSON_LIMITS;
  const what =
    limit === 'nodes' ? `has more than ${nodes} JSON values` : `is nested more than ${depth} levels`;
  const error = {
    error: `the response of the workspace agent ${what}`,
    code: 'agent_answer_invalid',
    delivered: true,
    hint: 'The agent can send large data as one text or as a file.',
  } as const;
  return { kind: 'unreadable', error };
}

/** A JSON-RPC error that is longer is not passed on. */
const MAX_ERROR_BYTES = 256 * 1024;
/** When an agent that accepts nothing is asked again, and the longest time for which it can ask, in milliseconds. */
const DEFAULT_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 60_000;
/** 401: an agent whose copy of the keys is old refuses a good token. */
const RETRY_STATUSES: ReadonlySet<number> = new Set([401, 429, 502, 503, 504]);

async function readRefusal(
  { statusCode: status, headers, body }: Dispatcher.ResponseData,
  reading: Reading,
): Promise<PushResult> {
  const isJson = status >= 400 && /\bjson\b/i.test(String(headers['content-type'] ?? ''));
  const bytes = isJson ? await readBody(body, MAX_ERROR_BYTES, reading).catch(() => undefined) : undefined;
  body.on('error', () => undefined).destroy();
  const text = bytes?.toString('utf8') ?? '';
  const response = exceededJsonLimit(text) === undefined ? parseObject(text) : undefined;
  const rpcError = isJsonObject(response?.error) ? response.error : undefined;
  const code = response?.code ?? (isJsonObject(rpcError?.data) ? rpcError.data.code : undefined);
  const retryAfter = headers['retry-after'];
  const hasNoRoom = status === 429 && (code === 'rate_limited' || retryAfter !== undefined);
  if (hasNoRoom || (status === 503 && code === 'not_accepting')) {
    const seconds = Number(retryAfter);
    const retryAfterMs = seconds > 0 ? Math.min(seconds * 1_000, LONGEST_WAIT_MS) : DEFAULT_WAIT_MS;
    return { kind: 'not-accepting', retryAfterMs };
  }
  const isResponse = response?.jsonrpc === '2.0' && rpcError !== undefined && response.result === undefined;
  const isPassedOn = isResponse && isJsonRpcResponse(response);
  const isRetried = RETRY_STATUSES.has(status);
  const error: ErrorBody = {
    error: `the workspace agent responded with HTTP ${status}`,
    code: 'agent_error',
    status: String(status),
    delivered: !isRetried,
    ...hintFor(status),
  };
  return { kind: isRetried ? 'retry' : 'final', error, response: isPassedOn ? response : undefined };
}

/** Servers differ in whether a path needs a slash at its end. */
function hintFor(status: number): { readonly hint?: string } {
  if (status < 400) {
    return { hint: 'Redirects are not followed; register the final URL, with the slash at its end.' };
  }
  if (status !== 404 && status !== 405) return {};
  return { hint: 'No agent takes messages at the URL: check its path, also the slash at its end.' };
}

/** Time for a body that is not small, from then on: so much, and a second more for so many bytes of it. */
const TIME_LIMIT_MS = 60_000;
const BYTES_PER_SECOND = 256 * 1024;
/** So many chunks are joined, because each uses more memory than its bytes. */
const MAX_CHUNKS = 128;

/**
 * Reads a body of at most `maxBytes`; undefined for a longer one, which is destroyed. The time in which it is not read,
 * because there is no memory, does not count.
 *
 * @throws The reason of the signal, or the error of the connection.
 */
async function readBody(
  body: Dispatcher.ResponseData['body'],
  maxBytes: number,
  { clock, openShare, signal, onTimeout }: Reading,
): Promise<Buffer | undefined> {
  const joined: Buffer[] = [];
  const recent: Buffer[] = [];
  let size = 0;
  let counted = 0;
  let usedMs = 0;
  let since = 0;
  let cancel = () => {};
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      cancel();
      if (size > SMALL_ANSWER_BYTES) usedMs += clock.monotonic() - since;
      size += chunk.length;
      if (size > maxBytes) return undefined;
      recent.push(chunk);
      if (recent.length === MAX_CHUNKS) joined.push(Buffer.concat(recent.splice(0)));
      if (size <= SMALL_ANSWER_BYTES) continue;
      await openShare().grow(size - counted, signal);
      counted = size;
      since = clock.monotonic();
      const allowedMs = TIME_LIMIT_MS + (size / BYTES_PER_SECOND) * 1_000;
      cancel = clock.schedule(Math.max(0, Math.ceil(allowedMs - usedMs)), onTimeout);
    }
    return Buffer.concat([...joined, ...recent]);
  } finally {
    cancel();
  }
}

/** An agent that does not end its response after the last event is disconnected after so long, in milliseconds. */
const REST_MS = 1_000;
/** So long an agent is held back in all because nobody keeps up with its text; then the text is kept for those who read it. */
const HELD_BACK_MS = 60_000;
/** The timer starts again with each event, and when one that is not complete has grown by so many characters. */
const NEWS_LENGTH = 64 * 1024;
const BROKEN_OFF: PushResult = {
  kind: 'retry',
  error: {
    error: 'the stream of the workspace agent broke off',
    code: 'agent_unreachable',
    delivered: 'unknown',
  },
};

/**
 * Reads the events of an agent into the response that would have come at once, and passes on its text while it grows. As
 * slowly as those who read the text, for a while, and as there is memory.
 */
async function readEvents(
  body: Dispatcher.ResponseData['body'],
  source: TextSource,
  { clock, openShare, signal, restartTimer, stopTimer }: Reading,
): Promise<PushResult> {
  const answer = new StreamedAnswer(BODY_LIMITS.agentResponse);
  let result: PushResult | undefined;
  let isNews = false;
  /** Of the event that is not complete, and of that since the last news. */
  let length = 0;
  let newLength = 0;
  const parser = createParser({
    maxBufferSize: BODY_LIMITS.agentResponse,
    onEvent: ({ data }) => {
      length = 0;
      isNews = true;
      result ??= takeEvent(data, answer, source);
    },
    onError: ({ type }) => {
      if (type === 'max-buffer-size-exceeded') result ??= TOO_LARGE;
    },
  });
  const lines = new DataLines();
  const decoder = new TextDecoder();
  let patienceMs = HELD_BACK_MS;
  const share = openShare();
  restartTimer();
  for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    const text = lines.push(decoder.decode(chunk, { stream: true }));
    length += text.length;
    newLength += text.length;
    parser.feed(text);
    if (result !== undefined) {
      endResponse(body, clock);
      return result;
    }
    if (isNews || newLength >= NEWS_LENGTH) {
      restartTimer();
      isNews = false;
      newLength = 0;
    }
    await share.hold(answer.size + length, signal);
    if (source.stream.isHeldBack && patienceMs > 0) {
      stopTimer();
      const since = clock.monotonic();
      await source.stream.untilRead(clock, patienceMs, signal);
      patienceMs -= clock.monotonic() - since;
      restartTimer();
    }
    signal.throwIfAborted();
  }
  // The last event may lack the blank line behind it.
  parser.reset({ consume: true });
  return result ?? BROKEN_OFF;
}

/** The result of the push, once the answer is complete or cannot be one. What is not an event of A2A is skipped. */
function takeEvent(data: string, answer: StreamedAnswer, source: TextSource): PushResult | undefined {
  const refused = tooComplex(data);
  if (refused !== undefined) return refused;
  const step = answer.add(parseObject(data));
  if (step.kind === 'text') source.add(step.text);
  if (step.kind === 'restarted') source.restart(step.text);
  if (step.kind === 'too-large') return TOO_LARGE;
  const { response } = answer;
  if (step.kind !== 'ended' || response === undefined) return undefined;
  return tooComplex(JSON.stringify(response)) ?? { kind: 'answer', body: response };
}

/** Reads what is left, so that the connection is used again. */
function endResponse(body: Dispatcher.ResponseData['body'], clock: Clock): void {
  const late = new AbortController();
  const cancel = clock.schedule(REST_MS, () => late.abort());
  void body
    .dump({ limit: 4_096, signal: late.signal })
    .catch(() => undefined)
    .then(cancel);
}
