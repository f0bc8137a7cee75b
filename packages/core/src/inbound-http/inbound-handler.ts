import { number, type OptionsOf, optionsSchema, parseOptions } from '../settings/options.ts';
import {
  checkInboundAgent,
  type InboundAccess,
  type InboundAgent,
  type InboundCaller,
  type InboundPort,
  type InboundResult,
} from './inbound-agent.ts';
import { readCall, refusalOf } from './inbound-call.ts';
import { json, refusalResponse, resultResponse, streamResponse, taskResponse } from './inbound-response.ts';
import { RequestSlots } from './request-slots.ts';
import {
  readBody,
  type Serve,
  type ServedRequest,
  type ServedResponse,
  servedRequestOf,
} from './served-request.ts';

const CARD_PATH = /\/\.well-known\/agent(-card)?\.json$/;
const PROBE_HEADER = 'x-molecule-probe';
const CLOCK_SKEW = 'clock_skew';
const DEFAULT_HOLD_SECONDS = 25;
const MAX_HOLD_SECONDS = 300;

export class InboundHandlerShape {
  /**
   * Requests that are processed, wait for their answer or read a stream at the same time; one more gets a 429. A quarter is kept
   * for the platform, one peer has at most a quarter. @default 256
   */
  maxConcurrentRequests = number({ min: 1, isInteger: true, byDefault: 256 });
  /**
   * The most that a request waits for its answer, in seconds, 0–300; a smaller `X-Timeout` counts.
   * @default 25 for a request without `X-Timeout`, 300 for others
   */
  holdSeconds = number({ min: 0, max: MAX_HOLD_SECONDS, byDefault: undefined });
}

export interface InboundHandlerOptions extends OptionsOf<InboundHandlerShape> {}

const HANDLER = optionsSchema(new InboundHandlerShape());

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
  const { holdSeconds, maxConcurrentRequests } = parseOptions('createInboundHandler', HANDLER, options);
  const { inbound } = agent;
  inbound.attach();
  const slots = new RequestSlots(maxConcurrentRequests);
  const serve: Serve = async (request) => {
    try {
      return await respond({ inbound, slots, holdSeconds }, request);
    } catch {
      return refusalResponse(FAILED);
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
  if (!slots.enterUnchecked()) return refusalResponse(BUSY);
  let access: InboundAccess;
  try {
    if (isRead) return await cardResponse(inbound, request);
    access = await inbound.authenticate(headers);
  } finally {
    slots.leaveUnchecked();
  }
  if (access.kind === 'refused') return refusalResponse(access.refusal);
  const { caller } = access;
  if (!slots.enter(caller)) return refusalResponse(BUSY);
  let response: ServedResponse | undefined;
  try {
    response = await takeCall(served, request, caller);
    return response;
  } finally {
    // A stream gives its place back at its end.
    if (response === undefined || typeof response.body === 'string') slots.leave(caller);
  }
}

async function takeCall(
  { inbound, slots, holdSeconds }: Served,
  request: ServedRequest,
  caller: InboundCaller,
): Promise<ServedResponse> {
  const { headers, signal } = request;
  const body = await readBody(request, caller);
  if (body.kind === 'refused') return refusalResponse(body.refusal);
  const call = readCall(body.value, headers.get('a2a-version'));
  const { form } = call;
  const context = { form, isPush: caller.use === 'push' };
  const trace = { traceparent: headers.get('traceparent'), tracestate: headers.get('tracestate') };
  switch (call.kind) {
    case 'invalid':
      return refusalResponse(call.refusal, form);
    case 'message': {
      const holdMs = holdOf(headers.get('x-timeout'), holdSeconds) * 1_000;
      const { envelope } = call;
      return resultResponse(await inbound.receive({ caller, envelope, ...trace, holdMs, signal }), context);
    }
    case 'stream':
    case 'resubscribe': {
      const result =
        'taskId' in call
          ? await inbound.resubscribe(caller, call.taskId, signal)
          : await inbound.stream({ caller, envelope: call.envelope, ...trace, signal });
      if (result === null) return refusalResponse(UNKNOWN_TASK, form);
      return result.kind === 'stream'
        ? streamResponse(result, context, () => slots.leave(caller))
        : resultResponse(result, context);
    }
    case 'state':
      if (caller.use !== 'push') return refusalResponse(NOT_THE_PLATFORM, form);
      inbound.stateChanged(call.status);
      return json(200, { jsonrpc: '2.0', id: form.id, result: { status: 'ok' } });
    default: {
      const { taskId } = call;
      const result = await (call.kind === 'get'
        ? inbound.find(caller, taskId)
        : inbound.cancel(caller, taskId));
      if (result === null) return refusalResponse(UNKNOWN_TASK, form);
      const isLate = call.kind === 'cancel' && form.isStrict && hasEndedBefore(result);
      return isLate ? refusalResponse(ENDED_BEFORE, form) : taskResponse(result, form);
    }
  }
}

const FAILED = refusalOf(500, 'internal_error', 'The agent failed.', -32603);
const PLATFORM_ONLY = 'Only the platform reports the state of the workspace.';
const NOT_THE_PLATFORM = refusalOf(403, 'access_denied', PLATFORM_ONLY);
const UNKNOWN_TASK = refusalOf(200, 'message_not_found', 'The caller sent no message with this id.', -32001);
const HAS_ENDED = 'The message has ended: ask for its end with tasks/get.';
const ENDED_BEFORE = refusalOf(200, 'message_ended', HAS_ENDED, -32002);
const TOO_MANY = refusalOf(429, 'rate_limited', 'The agent has too many requests at the moment.');
const BUSY = { ...TOO_MANY, retryAfterSeconds: 1 };

function hasEndedBefore(result: InboundResult): boolean {
  return result.kind === 'ended' && result.end.state !== 'canceled' && result.end.state !== 'input_required';
}

/**
 * The card is public. A request of the platform that probes the URL gets the id of its token back, or that the clock of the
 * agent keeps it from accepting one.
 */
async function cardResponse(inbound: InboundPort, { url, headers }: ServedRequest): Promise<ServedResponse> {
  if (!CARD_PATH.test(URL.parse(url, 'http://agent.invalid')?.pathname ?? '')) {
    return json(404, { error: 'There is nothing at this path.', code: 'not_found' });
  }
  const access = headers.get('authorization') !== null ? await inbound.authenticate(headers) : null;
  if (access?.kind === 'refused' && access.hasWrongTime === true) {
    return json(200, inbound.card(), { [PROBE_HEADER]: CLOCK_SKEW });
  }
  const isProbe = access?.kind === 'granted' && access.caller.use === 'push' && access.tokenId !== '';
  return json(200, inbound.card(), isProbe ? { [PROBE_HEADER]: access.tokenId } : {});
}

/** The seconds that a request asks for, and the agent allows; what is not a number counts as absent. */
function holdOf(header: string | null, allowed: number | undefined): number {
  const seconds = header === null || header.trim() === '' ? Number.NaN : Number(header);
  if (Number.isNaN(seconds)) return allowed ?? DEFAULT_HOLD_SECONDS;
  return Math.min(Math.max(seconds, 0), allowed ?? MAX_HOLD_SECONDS);
}
