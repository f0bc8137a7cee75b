import { isError } from '../errors/is-error.ts';
import type {
  DispatchedRequest,
  DispatchHandler,
  RequestDispatcher,
} from '../settings/connection-settings.ts';
import type { RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';
import type { Fault } from './chaos-rules.ts';
import { CutRelay, connectionLost, LateRelay, Relay, SkewedRelay, Unread } from './relays.ts';
import type { ShownExchange } from './shown-exchange.ts';

const DEFAULT_WITHIN_MS = 1_000;
const LOGIN_PAGE =
  '<!doctype html><html><head><title>Sign in</title></head><body><form>Sign in</form></body></html>';
/** Of the errors of a platform, by their status. */
const CODES: Readonly<Record<number, string>> = {
  401: 'invalid_credentials',
  404: 'workspace_not_found',
  410: 'workspace_removed',
  429: 'rate_limited',
  500: 'internal_error',
  503: 'platform_unavailable',
};

/** Makes faults happen to requests. */
export class Faults {
  readonly #real: RequestDispatcher;
  readonly #clock: Clock;

  constructor(real: RequestDispatcher, clock: Clock) {
    this.#real = real;
    this.#clock = clock;
  }

  send(request: DispatchedRequest, handler: DispatchHandler): void {
    try {
      this.#real.dispatch(request, handler);
    } catch (error) {
      handler.onResponseError(undefined, isError(error) ? error : new Error(String(error)));
    }
  }

  apply(
    fault: Exclude<Fault, { fault: 'reorder' }>,
    request: DispatchedRequest,
    shown: ShownExchange,
    random: RandomSource,
  ): void {
    const send = (handler: DispatchHandler) => this.send(request, handler);
    switch (fault.fault) {
      case 'drop':
        if (fault.lost === 'connection') queueMicrotask(() => shown.fail(connectionRefused()));
        else if (fault.lost === 'request') instead(shown, () => shown.fail(connectionLost()));
        else send(new Unread(() => shown.fail(connectionLost()), shown));
        break;
      case 'delay': {
        const ms = drawMs(fault.ms, random);
        if (fault.of === 'response') {
          send(new LateRelay(shown, this.#clock, ms));
          break;
        }
        shown.start();
        this.#after(ms, () => send(new Relay(shown)));
        break;
      }
      case 'duplicate':
        send(new Relay(shown));
        if (fault.afterMs === undefined) send(new Unread());
        else this.#after(fault.afterMs, () => send(new Unread()));
        break;
      case 'truncate':
        send(new CutRelay(shown, fault, random));
        break;
      case 'skew':
        send(new SkewedRelay(shown, fault.ms));
        break;
      case 'status':
      case 'html': {
        const respond = () => this.#respond(fault, shown);
        if (fault.isProcessed === true) send(new Unread(respond, shown));
        else instead(shown, respond);
      }
    }
  }

  /** Keeps a request on its way until the time is over or the function that it returns is called. */
  keep(
    { withinMs = DEFAULT_WITHIN_MS }: Extract<Fault, { fault: 'reorder' }>,
    request: DispatchedRequest,
    shown: ShownExchange,
    onSent: () => void,
  ): () => void {
    let isSent = false;
    const release = () => {
      if (isSent) return;
      isSent = true;
      onSent();
      this.send(request, new Relay(shown));
    };
    shown.start();
    this.#after(withinMs, release);
    return release;
  }

  #respond(fault: Extract<Fault, { fault: 'status' | 'html' }>, shown: ShownExchange): void {
    const isPage = fault.fault === 'html';
    const { status = 200 } = fault;
    const body = Buffer.from(isPage ? LOGIN_PAGE : JSON.stringify(fault.body ?? errorOf(status)));
    const wait = isPage ? undefined : fault.retryAfterSeconds;
    shown.respond(status, {
      date: new Date(this.#clock.now()).toUTCString(),
      'content-type': isPage ? 'text/html; charset=utf-8' : 'application/json',
      'content-length': String(body.length),
      ...(wait === undefined ? {} : { 'retry-after': String(wait) }),
    });
    shown.data(body);
    shown.end({});
  }

  #after(ms: number, work: () => void): void {
    if (ms !== Number.POSITIVE_INFINITY) void this.#clock.sleep(ms).then(work);
  }
}

/** The request was written, and something else than the platform responds. */
function instead(shown: ShownExchange, respond: () => void): void {
  queueMicrotask(() => {
    shown.start();
    respond();
  });
}

function drawMs(ms: number | readonly [number, number], random: RandomSource): number {
  if (typeof ms === 'number') return ms;
  const [least, most] = ms;
  return Math.round(least + random() * (most - least));
}

function errorOf(status: number): object {
  const code = CODES[status];
  return { error: `chaos: status ${status}`, ...(code === undefined ? {} : { code }) };
}

function connectionRefused(): Error {
  return Object.assign(new Error('connect ECONNREFUSED (chaos)'), { code: 'ECONNREFUSED' });
}
