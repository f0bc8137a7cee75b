import { type AddressGuard, AddressRefusedError } from '@molecule-ai/net-guard';
import type { ErrorBody } from '@molecule-ai/protocol';
import sendRequest from 'undici/lib/api/api-request.js';
import errors from 'undici/lib/core/errors.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import type { Clock } from '../../time/clock.ts';
import type { AnswerMemory } from '../answer-memory.ts';
import type { TextSource } from '../streams/text-source.ts';
import { isEventStream, readEvents } from './agent-events.ts';
import { type PushResult, readResponse } from './agent-response.ts';

export interface PushRequest {
  readonly targetId: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** A control call, such as a cancellation, uses connections of its own, and so takes none from messages. */
  readonly purpose: 'message' | 'control';
  /** Aborted when the platform stops, or the time for a control call is over. */
  readonly signal: AbortSignal;
  /** Takes the text of an answer that comes as a stream; without one a stream is a body that is not JSON. */
  readonly source?: TextSource | undefined;
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
  /** Maximum idle time, and maximum total time of one attempt without a stream, in milliseconds. */
  readonly timeoutMs: number;
  readonly memory: AnswerMemory;
}

/** Paths an agent may serve when it registered a bare origin. */
const ROOT_PATHS = ['/', '/a2a', '/a2a/inbound'] as const;
/** Errors that may follow the request, besides those of a response that is not HTTP, which have no code. */
const AFTER_SENDING = /^(?:ECONNRESET|EPIPE|UND_ERR_(?:SOCKET|HEADERS_OVERFLOW|RES_.+))$/;
/** What is received of a body ahead of its reading. */
const UNREAD_BYTES = 16 * 1024;
const CONNECTIONS_PER_AGENT = { message: 64, control: 4 } as const;

/** Posts to exactly the registered URL through the address guard; follows no redirect. */
export function createPushEndpoint({ clock, guard, memory, timeoutMs }: PushEndpointOptions): PushEndpoint {
  const newAgent = (connections: number) =>
    new Agent({ connect: guard.connect, headersTimeout: timeoutMs, bodyTimeout: timeoutMs, connections });
  const agents = {
    message: newAgent(CONNECTIONS_PER_AGENT.message),
    control: newAgent(CONNECTIONS_PER_AGENT.control),
  };
  const knownPaths = new Map<string, { url: string; path: string }>();

  const postOnce = async (url: URL, request: PushRequest): Promise<PushResult & { status?: number }> => {
    const { purpose, signal, source } = request;
    const stops = source === undefined ? [signal] : [signal, source.ended];
    if (stops.some(({ aborted }) => aborted)) return { kind: 'aborted' };
    // One controller for all reasons, because `AbortSignal.any` is several times slower.
    const ending = new AbortController();
    const onStop = () => ending.abort();
    let hasTimedOut = false;
    const onTimeout = () => {
      hasTimedOut = true;
      ending.abort();
    };
    let cancel = () => {};
    const startTimer = () => {
      cancel();
      cancel = clock.schedule(timeoutMs, onTimeout);
    };
    startTimer();
    const share = source?.share() ?? memory.open(request.targetId).share();
    for (const stop of stops) stop.addEventListener('abort', onStop, { once: true });
    try {
      const response = await sendRequest.call(agents[purpose], {
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: 'POST',
        headers: { ...request.headers },
        body: request.body,
        highWaterMark: UNREAD_BYTES,
        signal: ending.signal,
      });
      const { statusCode: status } = response;
      if (source === undefined || !isEventStream(response)) {
        const reading = { clock, share, signal: ending.signal, onTooSlow: onTimeout };
        return { ...(await readResponse(response, reading)), status };
      }
      const reading = { clock, share, signal: ending.signal, onNews: startTimer, onWait: () => cancel() };
      const result = readEvents(response, source, reading);
      return { ...(await Promise.race([result, aborted(ending.signal)])), status };
    } catch (error) {
      if (stops.some(({ aborted }) => aborted)) return { kind: 'aborted' };
      return toFailure(error, hasTimedOut);
    } finally {
      cancel();
      share.release();
      for (const stop of stops) stop.removeEventListener('abort', onStop);
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
    close: async () => void (await Promise.all([agents.message.destroy(), agents.control.destroy()])),
  };
}

/** Rejects when the signal is aborted, also while nothing is read. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
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

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' ? code : '';
}
