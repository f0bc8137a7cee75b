import { MessageFailure } from '../errors/message-failure.ts';
import { MoleculeError } from '../errors/molecule-error.ts';

const MAX_CAUSES = 8;
/** Of connections that failed, as Node and undici name them. */
const BROKEN_CONNECTION = /^(?:E(?:CONN|TIMEDOUT|PIPE|AI_AGAIN|NOTFOUND|HOST|NET)|UND_ERR_)/;

/** What an adapter knows of the errors of its framework. */
export interface FrameworkErrors {
  /** The failure for an error that comes back each time; `undefined` for errors that mean nothing special. */
  readonly failureOf?: ((error: unknown) => MessageFailure | undefined) | undefined;
  /** Whether the framework says that the same work may succeed later. */
  readonly mayPass?: ((error: unknown) => boolean) | undefined;
}

/**
 * What a handler throws for an error of the framework that it runs. A limit, a time limit, a broken connection and a server that fails may
 * pass: that error is returned as it is, so that the message is tried again. For all others a `MessageFailure`, which has none of their words
 * and the error as its cause. A `MessageFailure` that the application threw is found among the causes.
 */
export function handlerErrorOf(error: unknown, { failureOf, mayPass }: FrameworkErrors = {}): unknown {
  const causes = causesOf(error);
  const own = causes.find((each) => MessageFailure.isInstance(each));
  if (own !== undefined) return own;
  const molecule = causes.find((each) => MoleculeError.isInstance(each));
  if (molecule !== undefined && (molecule.isRetryable || molecule.code === 'loop_detected')) return molecule;
  if (causes.some((each) => isPassing(each) || mayPass?.(each) === true)) return error;
  for (const each of causes) {
    const failure = failureOf?.(each);
    if (failure !== undefined) return failure;
  }
  return new MessageFailure('The agent failed to handle this message.', { cause: error });
}

/** Whether no other attempt will continue a run that failed, so that what is stored of it can go. */
export function endsForGood(error: unknown, { reason }: AbortSignal): boolean {
  if (MessageFailure.isInstance(error)) return true;
  return MoleculeError.isInstance(reason) && reason.code === 'cancelled_by_sender';
}

function causesOf(error: unknown): unknown[] {
  const causes = [error];
  while (causes.length < MAX_CAUSES) {
    const next = fieldOf(causes.at(-1), 'cause') ?? fieldOf(causes.at(-1), 'lastError');
    if (next === undefined) break;
    causes.push(next);
  }
  return causes;
}

function isPassing(error: unknown): boolean {
  const status = fieldOf(error, 'status') ?? fieldOf(error, 'statusCode');
  if (typeof status === 'number') return status === 408 || status === 409 || status === 429 || status >= 500;
  const code = fieldOf(error, 'code');
  if (typeof code === 'string' && BROKEN_CONNECTION.test(code)) return true;
  return /Timeout|APIConnection|RateLimit/.test(String(fieldOf(error, 'name')));
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
