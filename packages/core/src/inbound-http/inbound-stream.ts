import {
  type JsonObject,
  SSE_KEEP_ALIVE,
  StreamEvents,
  sseEvent,
  toA2a1StreamEvent,
} from '@molecule-ai/protocol';
import type { InboundStream, StreamStep } from './inbound-agent.ts';
import type { CallForm } from './inbound-call.ts';
import { failureOf, messageOf, type ResponseContext } from './inbound-response.ts';
import type { ServedResponse } from './served-request.ts';

/** `no-transform`: middleware that compresses would hold pieces back. */
const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

/**
 * The answer of a message as server-sent events. `onOver` is called once, when the stream has ended or the caller has gone.
 */
export function streamResponse(
  stream: InboundStream,
  context: ResponseContext,
  onOver: () => void,
): ServedResponse {
  const { form } = context;
  const events = new StreamEvents(stream);
  const encoder = new TextEncoder();
  let isOver = false;
  const over = (): void => {
    if (!isOver) onOver();
    isOver = true;
  };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(eventOf(events.task('delivered', stream.at), form)));
      stream.stalled.addEventListener('abort', () => {
        over();
        controller.error(new Error('The caller did not read the stream.'));
      });
    },
    async pull(controller) {
      const step = await stream.next();
      if (isOver) return;
      const isLast = step.kind === 'end' || step.kind === 'closed';
      if (isLast) over();
      const text = step.kind === 'silence' ? SSE_KEEP_ALIVE : eventsOf(step, events, context);
      if (text !== '') controller.enqueue(encoder.encode(text));
      if (isLast) controller.close();
    },
    cancel() {
      over();
      stream.close();
    },
  });
  return { status: 200, headers: HEADERS, body };
}

function eventsOf(
  step: Exclude<StreamStep, { kind: 'silence' }>,
  events: StreamEvents,
  context: ResponseContext,
): string {
  const { form } = context;
  const write = (...results: JsonObject[]): string => results.map((result) => eventOf(result, form)).join('');
  if (step.kind === 'closed') return '';
  if (step.kind === 'text') return write(events.text(step.text));
  const { result } = step;
  if (result.kind === 'working') return write(events.end({ state: 'delivered', at: result.at }));
  const { end, contextId } = result;
  if (end.state === 'failed')
    return sseEvent({ jsonrpc: '2.0', id: form.id, error: { ...failureOf(result) } });
  const { parts, metadata } = end.answer ?? {};
  const rest = parts === undefined && metadata === undefined ? [] : [events.rest(partsOf(parts), metadata)];
  if (end.state !== 'input_required' || end.answer === null) {
    return write(...rest, events.end({ state: end.state, at: end.at }));
  }
  // The platform reads the questions of an answer itself.
  return context.isPush
    ? write(...rest, events.end({ state: 'answered', at: end.at }))
    : write(...rest, events.end({ state: end.state, at: end.at, message: messageOf(end.answer, contextId) }));
}

/** One event in the version of the caller. */
function eventOf(result: JsonObject, { id, version }: CallForm): string {
  return sseEvent({ jsonrpc: '2.0', id, result: version === '1.0' ? toA2a1StreamEvent(result) : result });
}

function partsOf(parts: readonly unknown[] = []): JsonObject[] {
  return parts as JsonObject[];
}
