import {
  BODY_LIMITS,
  DataLines,
  exceededJsonLimit,
  isJsonObject,
  type JsonValue,
  StreamedAnswer,
} from '@molecule-ai/protocol';
import { createParser } from 'eventsource-parser';
import type { Dispatcher } from 'undici';
import type { Clock } from '../../time/clock.ts';
import type { TextSource } from '../streams/text-source.ts';
import { type PushResult, TOO_LARGE, tooComplex } from './agent-response.ts';

/** Whether the response of an agent is a stream of server-sent events. */
export function isEventStream({ statusCode, headers }: Dispatcher.ResponseData): boolean {
  return statusCode < 300 && /^\s*text\/event-stream\b/i.test(String(headers['content-type'] ?? ''));
}

/** An agent that does not end its response after the last event is disconnected after so long, in milliseconds. */
const REST_MS = 1_000;

/**
 * Reads the events of an agent into the response that would have come at once, and passes on its text while it grows. As
 * slowly as the source wants it; `onWait` is called before it waits for the source, and `onRead` before it reads on.
 */
export async function readEvents(
  { body }: Dispatcher.ResponseData,
  source: TextSource,
  given: { readonly clock: Clock; readonly onRead: () => void; readonly onWait: () => void },
): Promise<PushResult> {
  const { clock, onRead, onWait } = given;
  const events = new AgentEvents(source);
  const decoder = new TextDecoder();
  onRead();
  for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    const result = events.feed(decoder.decode(chunk, { stream: true }));
    if (result !== undefined) {
      endResponse(body, clock);
      return result;
    }
    onWait();
    await source.ready();
    if (source.ended.aborted) {
      body.destroy();
      return { kind: 'aborted' };
    }
    onRead();
  }
  return events.end() ?? { kind: 'retry', error: { ...BROKEN_OFF } };
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

/** The events of one response, collected. */
class AgentEvents {
  readonly #source: TextSource;
  readonly #answer = new StreamedAnswer(BODY_LIMITS.agentResponse);
  readonly #lines = new DataLines();
  readonly #parser = createParser({
    maxBufferSize: BODY_LIMITS.agentResponse,
    onEvent: ({ data }) => this.#take(data),
    onError: ({ type }) => {
      if (type === 'max-buffer-size-exceeded')
        this.#result ??= { kind: 'unreadable', error: { ...TOO_LARGE } };
    },
  });
  #result: PushResult | undefined;

  constructor(source: TextSource) {
    this.#source = source;
  }

  /** The result of the push, once the events have ended. */
  feed(text: string): PushResult | undefined {
    this.#parser.feed(this.#lines.push(text));
    return this.#result;
  }

  /** The response is over; its last event may lack the blank line behind it. */
  end(): PushResult | undefined {
    this.#parser.reset({ consume: true });
    return this.#result;
  }

  #take(data: string): void {
    if (this.#result !== undefined) return;
    const limit = exceededJsonLimit(data);
    if (limit !== undefined) {
      this.#result = { kind: 'unreadable', error: tooComplex(limit) };
      return;
    }
    const step = this.#answer.add(parse(data));
    switch (step.kind) {
      case 'text':
        this.#source.add(step.text);
        return;
      case 'restarted':
        this.#source.restart(step.text);
        return;
      case 'too-large':
        this.#result = { kind: 'unreadable', error: { ...TOO_LARGE } };
        return;
      case 'ended':
        this.#result = this.#collected();
    }
  }

  #collected(): PushResult | undefined {
    const body = this.#answer.response;
    if (body === undefined) return undefined;
    const limit = exceededJsonLimit(JSON.stringify(body));
    return limit === undefined ? { kind: 'answer', body } : { kind: 'unreadable', error: tooComplex(limit) };
  }
}

/** Undefined for what is not JSON, which is skipped like any other event that is not of A2A. */
function parse(data: string): JsonValue | undefined {
  try {
    const body: unknown = JSON.parse(data);
    return isJsonObject(body) ? body : undefined;
  } catch {
    return undefined;
  }
}

const BROKEN_OFF = {
  error: 'the stream of the workspace agent broke off',
  code: 'agent_unreachable',
  delivered: 'unknown',
} as const;
