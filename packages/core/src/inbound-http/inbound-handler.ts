import { ConfigurationError } from '../errors/molecule-error.ts';
import { checkOptionNames, knownOptions } from '../settings/known-options.ts';
import {
  checkInboundAgent,
  type InboundAccess,
  type InboundAgent,
  type InboundCaller,
  type InboundPort,
  type InboundResult,
  type InboundStream,
} from './inbound-agent.ts';
import { type CallForm, NO_FORM, readCall } from './inbound-call.ts';
import {
  json,
  problemResponse,
  type ResponseContext,
  refusalResponse,
  resultResponse,
  taskResponse,
} from './inbound-response.ts';
import { streamResponse } from './inbound-stream.ts';
import { readBody } from './request-body.ts';
import { RequestSlots } from './request-slots.ts';
import { type Serve, type ServedRequest, type ServedResponse, servedRequestOf } from './served-request.ts';

const CARD_PATH = /\/\.well-known\/agent(-card)?\.json$/;
const PROBE_HEADER = 'x-molecule-probe';
const CLOCK_SKEW = 'clock_skew';
const DEFAULT_HOLD_SECONDS = 25;
const MAX_HOLD_SECONDS = 300;
const DEFAULT_CONCURRENT_REQUESTS = 256;
const BUSY_RETRY_SECONDS = 1;

export interface InboundHandlerOptions {
  /**
   * Requests that are processed, wait for their answer or read a stream at the same time; one more gets a 429. A quarter is kept
   * for the platform, one peer has at most a quarter. @default 256
   */
  maxConcurrentRequests?: number | undefined;
  /**
   * The most that a request waits for its answer, in seconds, 0–300; a smaller `X-Timeout` counts.
   * @default 25 for a request without `X-Timeout`, 300 for others
   */
  holdSeconds?: number | undefined;
}

export const INBOUND_HANDLER_OPTION_NAMES = {
  maxConcurrentRequests: true,
  holdSeconds: true,
} as const satisfies Record<keyof InboundHandlerOptions, true>;

const HANDLER_OPTIONS = knownOptions<InboundHandlerOptions>(INBOUND_HANDLER_OPTION_NAMES);

/** The response to a request whose body something else has read. */
export const BODY_READ = json(500, {
  error: 'The body was read before the agent got the request.',
  code: 'internal_error',
  hint: 'Mount the handler of the agent before body parsers.',
});

/** Responds to one request. Never rejects. */
export type InboundHandler = (request: Request) => Promise<Response>;

/**
 * The HTTP side of an agent with a URL of its own, for any server that has the standard `Request` and `Response`: messages
 * by POST on any path below the mount, the card at `…/.well-known/agent-card.json`. Imports nothing of Node.
 * @throws ConfigurationError naming the option.
 *
 * @example
 * const handler = createInboundHandler(agent);
 * app.all('/a2a/*', (context) => handler(context.req.raw));
 */
export function createInboundHandler(
  agent: InboundAgent,
  options: InboundHandlerOptions = {},
): InboundHandler {
  checkInboundAgent('agent', agent);
  checkOptionNames('createInboundHandler', options, HANDLER_OPTIONS);
  const { maxConcurrentRequests: limit = DEFAULT_CONCURRENT_REQUESTS, holdSeconds } = options;
  if (!Number.isInteger(limit) || limit < 1) {
    throw new ConfigurationError('maxConcurrentRequests must be an integer of at least 1.');
  }
  const isHold = typeof holdSeconds === 'number' && holdSeconds >= 0 && holdSeconds <= MAX_HOLD_SECONDS;
  if (holdSeconds !== undefined && !isHold) {
    throw new ConfigurationError(`holdSeconds must be a number from 0 to ${MAX_HOLD_SECONDS}.`);
  }
  const { inbound } = agent;
  inbound.attach();
  const slots = new RequestSlots(limit);
  const serve: Serve = async (request) => {
    try {
      return await respond({ inbound, slots, holdSeconds }, request);
    } catch {
      const problem = { status: 500, rpcCode: -32603, code: 'internal_error', message: 'The agent failed.' };
      return problemResponse(problem, NO_FORM);
    }
  };
  const handler: InboundHandler = async (request) => {
    const { status, headers, body } = await serve(servedRequestOf(request));
    return new Response(body, { status, headers });
  };
  serving.set(handler, serve);
  return handler;
}

const serving = new WeakMap<InboundHandler, Serve>();

/** What a handler does, for a server that has no `Request`: making one takes longer than the rest. `undefined` for any other function. */
export function serveOf(handler: InboundHandler): Serve | undefined {
  return serving.get(handler);
}

interface Served {
  readonly inbound: InboundPort;
  readonly slots: RequestSlots;
  readonly holdSeconds: number | undefined;
}

/** A stream that the response is made of. */
interface OpenStream {
  readonly stream: InboundStream;
  readonly context: ResponseContext;
}

async function respond(served: Served, request: ServedRequest): Promise<ServedResponse> {
  const { inbound, slots } = served;
  const { method, headers } = request;
  const isRead = method === 'GET' || method === 'HEAD';
  if (!isRead && method !== 'POST') {
    const error = 'Messages are sent by POST.';
    return json(405, { error, code: 'method_not_allowed' }, { allow: 'GET, HEAD, POST' });
  }
  if (request.isBodyRead) {
    inbound.bodyWasRead?.();
    return BODY_READ;
  }
  const checked = slots.enterUnchecked();
  if (checked === null) return tooMany();
  let access: InboundAccess;
  try {
    if (isRead) return await cardResponse(inbound, request);
    access = await inbound.authenticate(headers);
  } finally {
    checked();
  }
  if (access.kind === 'refused') return refusalResponse(-32000, access.refusal, NO_FORM);
  const release = slots.enter(access.caller);
  if (release === null) return tooMany();
  let isStreaming = false;
  try {
    const taken = await takeCall(served, request, access.caller);
    if (!('stream' in taken)) return taken;
    isStreaming = true;
    return streamResponse(taken.stream, taken.context, release);
  } finally {
    if (!isStreaming) release();
  }
}

async function takeCall(
  { inbound, holdSeconds }: Served,
  request: ServedRequest,
  caller: InboundCaller,
): Promise<ServedResponse | OpenStream> {
  const { headers } = request;
  const body = await readBody(request, caller);
  if (body.kind === 'refused') return refusalResponse(body.rpcCode, body.refusal, NO_FORM);
  const call = readCall(body.value, headers.get('a2a-version'));
  const { form } = call;
  const context = { form, isPush: caller.use === 'push' };
  const { signal } = request;
  const trace = { traceparent: headers.get('traceparent'), tracestate: headers.get('tracestate') };
  switch (call.kind) {
    case 'invalid':
      return problemResponse(call.problem, form);
    case 'message': {
      const holdMs = holdOf(headers.get('x-timeout'), holdSeconds) * 1_000;
      const { envelope } = call;
      return resultResponse(await inbound.receive({ caller, envelope, ...trace, holdMs, signal }), context);
    }
    case 'stream': {
      const result = await inbound.stream({ caller, envelope: call.envelope, ...trace, signal });
      return result.kind === 'stream' ? { stream: result, context } : resultResponse(result, context);
    }
    case 'resubscribe': {
      const stream = inbound.resubscribe(caller, call.taskId, signal);
      return stream === null ? unknownTask(form) : { stream, context };
    }
    case 'state':
      return stateResponse(inbound, caller, call.status, form);
    default: {
      const { taskId } = call;
      const result = call.kind === 'get' ? inbound.find(caller, taskId) : inbound.cancel(caller, taskId);
      if (result !== null && call.kind === 'cancel' && form.isStrict && hasEndedBefore(result)) {
        const text = 'The message has ended: ask for its end with tasks/get.';
        return problemResponse({ status: 200, rpcCode: -32002, code: 'message_ended', message: text }, form);
      }
      return result === null ? unknownTask(form) : taskResponse(result, form);
    }
  }
}

function unknownTask(form: CallForm): ServedResponse {
  const message = 'The caller sent no message with this id.';
  return problemResponse({ status: 200, rpcCode: -32001, code: 'message_not_found', message }, form);
}

function hasEndedBefore(result: InboundResult): boolean {
  return result.kind === 'ended' && result.end.state !== 'canceled' && result.end.state !== 'input_required';
}

/**
 * The card is public. A request of the platform that probes the URL gets the id of its token back, or that the clock of the
 * agent keeps it from accepting one.
 */
async function cardResponse(inbound: InboundPort, { path, headers }: ServedRequest): Promise<ServedResponse> {
  if (!CARD_PATH.test(path)) {
    return json(404, { error: 'There is nothing at this path.', code: 'not_found' });
  }
  const access = headers.get('authorization') !== null ? await inbound.authenticate(headers) : null;
  if (access?.kind === 'refused' && access.hasWrongTime === true) {
    return json(200, inbound.card(), { [PROBE_HEADER]: CLOCK_SKEW });
  }
  const isProbe = access?.kind === 'granted' && access.caller.use === 'push' && access.tokenId !== '';
  return json(200, inbound.card(), isProbe ? { [PROBE_HEADER]: access.tokenId } : {});
}

function stateResponse(
  inbound: InboundPort,
  caller: InboundCaller,
  status: string,
  form: CallForm,
): ServedResponse {
  if (caller.use !== 'push') {
    const message = 'Only the platform reports the state of the workspace.';
    return problemResponse({ status: 403, rpcCode: -32000, code: 'access_denied', message }, form);
  }
  inbound.stateChanged(status);
  return json(200, { jsonrpc: '2.0', id: form.id, result: { status: 'ok' } });
}

/** The seconds that a request asks for, and the agent allows; what is not a number counts as absent. */
function holdOf(header: string | null, allowed: number | undefined): number {
  const seconds = header === null || header.trim() === '' ? Number.NaN : Number(header);
  if (Number.isNaN(seconds)) return allowed ?? DEFAULT_HOLD_SECONDS;
  return Math.min(Math.max(seconds, 0), allowed ?? MAX_HOLD_SECONDS);
}

function tooMany(): ServedResponse {
  const refusal = {
    status: 429,
    code: 'rate_limited',
    message: 'The agent has too many requests at the moment.',
    retryAfterSeconds: BUSY_RETRY_SECONDS,
  };
  return refusalResponse(-32000, refusal, NO_FORM);
}
