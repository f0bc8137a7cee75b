import {
  type JsonObject,
  SSE_KEEP_ALIVE,
  StreamEvents,
  sseEvent,
  taskStateOf,
  textPart,
  toA2a1Response,
  toA2a1StreamEvent,
  toA2a1TaskResponse,
} from '@molecule-ai/protocol';
import type { InboundResult, InboundStream, MessageEnd, StreamStep } from './inbound-agent.ts';
import { type CallForm, type CallRefusal, NO_FORM } from './inbound-call.ts';
import type { ServedResponse } from './served-request.ts';

const FAILED = -32000;

type TakenResult = Exclude<InboundResult, { readonly kind: 'refused' }>;

/** How one request is responded to. */
export interface ResponseContext {
  readonly form: CallForm;
  /**
   * Whether the platform pushed it: it keeps a message open on a response that says it is queued, takes a task for the
   * answer, and reads the questions of an answer itself.
   */
  readonly isPush: boolean;
}

/** The response to a message, or to a request about its task. */
export function resultResponse(result: InboundResult, { form, isPush }: ResponseContext): ServedResponse {
  if (result.kind === 'refused') return refusalResponse(result.refusal, form);
  const { taskId, messageId, contextId } = result;
  if (result.kind === 'working') {
    if (isPush || form.style === 'plain') {
      return json(202, { queued: true, status: 'queued', activity_id: taskId, message_id: messageId });
    }
    return responseOf(form, result, taskOf(result));
  }
  const { state, answer } = result.end;
  if (state === 'failed') return errorResponse(200, failureOf(result), form);
  const isTask = answer === null || (state === 'input_required' && !isPush);
  return responseOf(form, result, isTask ? taskOf(result) : messageOf(answer, contextId));
}

/** The task of a message, as `tasks/get` and `tasks/cancel` return it. */
export function taskResponse(result: InboundResult, form: CallForm): ServedResponse {
  if (result.kind === 'refused') return refusalResponse(result.refusal, form);
  const response = { jsonrpc: '2.0', id: form.id, result: taskOf(result) };
  return json(200, form.version === '1.0' ? toA2a1TaskResponse(response) : response);
}

/** A request that is not accepted. The hint is for whoever operates the caller. */
export function refusalResponse(refusal: CallRefusal, form: CallForm = NO_FORM): ServedResponse {
  const { status, code, message, hint, retryAfterSeconds, rpcCode = FAILED } = refusal;
  const data = {
    code,
    ...(hint === undefined ? {} : { hint }),
    ...(retryAfterSeconds === undefined ? {} : { retry_after: retryAfterSeconds }),
  };
  const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
  return errorResponse(status, { code: rpcCode, message, data }, form, headers);
}

const NOT_ENDED = { state: 'delivered', answer: null, error: null } as const;

function taskOf(result: TakenResult): JsonObject {
  const { taskId, messageId, contextId } = result;
  const { state, at, answer, error } = result.kind === 'ended' ? result.end : { ...NOT_ENDED, at: result.at };
  const said = answer ?? (error && { messageId: 'error', text: error.message });
  const message = said && { message: messageOf(said, contextId) };
  return {
    kind: 'task',
    id: taskId,
    contextId,
    status: { state: taskStateOf(state), timestamp: at, ...message },
    metadata: { message_id: messageId, state, ...(error && { code: error.code }) },
  };
}

/** The JSON-RPC error of a message that failed. */
function failureOf({ end, messageId }: Extract<InboundResult, { kind: 'ended' }>): RpcError {
  const { message, code } = end.error ?? { message: 'The agent failed.', code: 'handler_failed' };
  return { code: FAILED, message, data: { code, message_id: messageId } };
}

function messageOf(answer: NonNullable<MessageEnd['answer']>, contextId: string): JsonObject {
  const { messageId, text, parts = [], metadata } = answer;
  return {
    kind: 'message',
    role: 'agent',
    messageId,
    ...(contextId === '' ? {} : { contextId }),
    parts: [...(text.trim() === '' ? [] : [textPart(text)]), ...parts] as JsonObject[],
    ...(metadata === undefined ? {} : { metadata }),
  };
}

/** What a message was responded with; A2A 1.0 names what it is. */
function responseOf(
  { style, id, version }: CallForm,
  { taskId, contextId }: TakenResult,
  result: JsonObject,
): ServedResponse {
  if (style === 'plain') return json(200, { status: 'ok', result });
  const response = { jsonrpc: '2.0', id, result };
  return json(200, version === '1.0' ? toA2a1Response(response, { id: taskId, contextId }) : response);
}

type RpcError = { readonly code: number; readonly message: string; readonly data: JsonObject };

function errorResponse(
  status: number,
  error: RpcError,
  { style, id }: CallForm,
  headers: Readonly<Record<string, string>> = {},
): ServedResponse {
  if (style === 'json-rpc') return json(status, { jsonrpc: '2.0', id, error: { ...error } }, headers);
  return json(status === 200 ? 500 : status, { error: error.message, ...error.data }, headers);
}

export function json(
  status: number,
  body: JsonObject,
  headers: Readonly<Record<string, string>> = {},
): ServedResponse {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

/** `no-transform`: middleware that compresses would hold pieces back. */
const STREAM_HEADERS = {
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
  return { status: 200, headers: STREAM_HEADERS, body };
}

function eventsOf(
  step: Exclude<StreamStep, { kind: 'silence' }>,
  events: StreamEvents,
  { form, isPush }: ResponseContext,
): string {
  if (step.kind === 'closed') return '';
  if (step.kind === 'text') return eventOf(events.text(step.text), form);
  const { result } = step;
  if (result.kind === 'working') return eventOf(events.end({ state: 'delivered', at: result.at }), form);
  const { state, at, answer } = result.end;
  if (state === 'failed') return sseEvent({ jsonrpc: '2.0', id: form.id, error: { ...failureOf(result) } });
  const { parts, metadata } = answer ?? {};
  const hasRest = parts !== undefined || metadata !== undefined;
  const rest = hasRest ? eventOf(events.rest([...(parts ?? [])] as JsonObject[], metadata), form) : '';
  if (state !== 'input_required' || answer === null) return rest + eventOf(events.end({ state, at }), form);
  // The platform reads the questions of an answer itself.
  const end = isPush
    ? { state: 'answered' as const }
    : { state, message: messageOf(answer, result.contextId) };
  return rest + eventOf(events.end({ ...end, at }), form);
}

/** One event in the version of the caller. */
function eventOf(result: JsonObject, { id, version }: CallForm): string {
  return sseEvent({ jsonrpc: '2.0', id, result: version === '1.0' ? toA2a1StreamEvent(result) : result });
}
