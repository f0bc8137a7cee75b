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
import type { AnswerShare } from '../answer-memory.ts';
import type { TextSource } from '../streams/text-source.ts';
import { type PushResult, TOO_LARGE, tooComplex } from './agent-response.ts';

/** Whether the response of an agent is a stream of server-sent events. */
export function isEventStream({ statusCode, headers }: Dispatcher.ResponseData): boolean {
  return statusCode < 300 && /^\s*text\/event-stream\b/i.test(String(headers['content-type'] ?? ''));
}

/** An agent that does not end its response after the last event is disconnected after so long, in milliseconds. */
const REST_MS = 1_000;

/** So long an agent is held back in all because nobody keeps up with its text; then the text is kept for those who read it. */
const HELD_BACK_MS = 60_000;
/** An event that is not complete is news when it has grown by so much, in characters. */
const NEWS_LENGTH = 64 * 1024;

export interface EventsReading {
  readonly clock: Clock;
  /** Memory for what is collected. */
  readonly share: AnswerShare;
  /** Ends the reading. */
  readonly signal: AbortSignal;
  /** Called when the agent has sent something besides comments, and when it is no longer held back. */
  readonly onNews: () => void;
  /** Called before the agent is held back because of readers. */
  readonly onWait: () => void;
}

/**
 * Reads the events of an agent into the response that would have come at once, and passes on its text while it grows. As
 * slowly as those who read the text, for a while, and as there is memory.
 */
export async function readEvents(
  { body }: Dispatcher.ResponseData,
  source: TextSource,
  { clock, share, signal, onNews, onWait }: EventsReading,
): Promise<PushResult> {
  const events = new AgentEvents(source);
  const decoder = new TextDecoder();
  let patienceMs = HELD_BACK_MS;
  onNews();
  for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    const result = events.feed(decoder.decode(chunk, { stream: true }));
    if (result !== undefined) {
      endResponse(body, clock);
      return result;
    }
    if (events.takeNews()) onNews();
    share.resize(events.size);
    await share.grow(0, signal);
    if (source.isHeldBack && patienceMs > 0) {
      onWait();
      patienceMs -= await waitForReaders(source, clock, patienceMs);
      onNews();
    }
    if (source.ended.aborted) {
      body.destroy();
      return { kind: 'aborted' };
    }
  }
  return events.end() ?? { kind: 'retry', error: { ...BROKEN_OFF } };
}

/** Waits until a reader keeps up with the text, at most so long; returns how long it took. */
async function waitForReaders(source: TextSource, clock: Clock, maxMs: number): Promise<number> {
  const since = clock.monotonic();
  let isOver = false;
  let cancel = () => {};
  const over = new Promise<void>((resolve) => {
    cancel = clock.schedule(maxMs, () => {
      isOver = true;
      resolve();
    });
  });
  while (source.isHeldBack && !isOver) await Promise.race([source.nextMove(), over]);
  cancel();
  return clock.monotonic() - since;
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
  /** Of the event that is not complete. */
  #length = 0;
  #newsLength = 0;
  #hasNews = false;

  constructor(source: TextSource) {
    this.#source = source;
  }

  /** The result of the push, once the events have ended. */
  feed(text: string): PushResult | undefined {
    const lines = this.#lines.push(text);
    this.#length += lines.length;
    this.#parser.feed(lines);
    this.#hasNews ||= this.#length >= this.#newsLength + NEWS_LENGTH;
    return this.#result;
  }

  /** What it uses, in bytes, about. */
  get size(): number {
    return this.#answer.size + this.#length;
  }

  /** Whether there was an event since, or a part of a long one. */
  takeNews(): boolean {
    const hasNews = this.#hasNews;
    this.#hasNews = false;
    if (hasNews) this.#newsLength = this.#length;
    return hasNews;
  }

  /** The response is over; its last event may lack the blank line behind it. */
  end(): PushResult | undefined {
    this.#parser.reset({ consume: true });
    return this.#result;
  }

  #take(data: string): void {
    this.#length = 0;
    this.#newsLength = 0;
    this.#hasNews = true;
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
