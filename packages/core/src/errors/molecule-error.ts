import type { MoleculeErrorCode } from './error-codes.ts';
import { isError } from './is-error.ts';
import { redactSecrets } from './redact-secrets.ts';

/** The same symbol in every copy of this package, so that ES module and CommonJS builds recognise each other's errors. */
export const ERROR_BRAND: unique symbol = Symbol.for('@molecule-ai/error-brand');

/** What the subclasses report besides, so that nothing that others attach to an error gets into a log. */
const FIELDS_OF_RESPONSES = [
  'status',
  'method',
  'path',
  'platformCode',
  'bodyExcerpt',
  'workspaceId',
  'removedAt',
];
const FIELDS_OF_READS = ['cursor', 'limit', 'firstRow'];
const FIELDS_OF_CONNECTIONS = ['origin', 'timeoutMs', 'delivered', 'messageId'];
const MORE_FIELDS = [...FIELDS_OF_RESPONSES, ...FIELDS_OF_READS, ...FIELDS_OF_CONNECTIONS];

export interface MoleculeErrorOptions {
  code: MoleculeErrorCode;
  /** What to do about it, in one or two sentences. */
  hint?: string | undefined;
  /** Whether the same call can succeed later. @default false */
  isRetryable?: boolean | undefined;
  /** The `Retry-After` of the platform, in milliseconds. */
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/**
 * Base class of all errors of this package. Aborts are not wrapped: an aborted call rejects with the signal's reason.
 *
 * @example
 * if (MoleculeError.isInstance(error) && error.code === 'rate_limited') await wait(error.retryAfterMs);
 */
export class MoleculeError extends Error {
  /** Each subclass has its own. `isInstance` compares it, because `instanceof` fails across copies of the package. */
  static readonly [ERROR_BRAND]: string = 'MoleculeError';

  override readonly name: string;
  readonly code: MoleculeErrorCode;
  readonly hint: string | undefined;
  readonly isRetryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: MoleculeErrorOptions) {
    super(redactSecrets(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target[ERROR_BRAND];
    this.code = options.code;
    this.hint = options.hint;
    this.isRetryable = options.isRetryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** True for an error of this class or a subclass, even from another copy of the package. */
  static isInstance<E>(
    this: (abstract new (...args: never[]) => E) & { readonly [ERROR_BRAND]: string },
    value: unknown,
  ): value is E {
    // biome-ignore lint/complexity/noThisInStatic: each subclass compares its own brand.
    return hasBrand(value, this[ERROR_BRAND]);
  }

  /** A plain object for logs, without stack and credentials; the cause as name and redacted message. */
  toJSON(): Record<string, unknown> {
    const { name, code, message, hint, isRetryable, retryAfterMs } = this;
    const cause = this.cause === undefined ? undefined : describeCause(this.cause);
    const facts: Record<string, unknown> = { name, code, message, hint, isRetryable, retryAfterMs, cause };
    for (const field of MORE_FIELDS) facts[field] = Reflect.get(this, field);
    // Of a response without a body.
    if (facts.bodyExcerpt === '') facts.bodyExcerpt = undefined;
    return definedIn(facts);
  }
}

/** A setting is missing or invalid. The message names the option and the environment variable. */
export class ConfigurationError extends MoleculeError {
  static override readonly [ERROR_BRAND]: string = 'ConfigurationError';

  constructor(message: string, options: { hint?: string | undefined; cause?: unknown } = {}) {
    super(message, { ...options, code: 'configuration_invalid' });
  }
}

/** The error for what a program passed to a method: nothing was sent. */
export function invalidArgument(message: string, hint?: string): MoleculeError {
  return new MoleculeError(message, { code: 'invalid_argument', hint });
}

/** The fields that have a value. */
function definedIn(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** Whether a class with this brand, of any copy of the package, made the value. */
export function hasBrand(value: unknown, brand: string): boolean {
  if (typeof value !== 'object' || value === null) return false;
  for (let proto = Object.getPrototypeOf(value); proto !== null; proto = Object.getPrototypeOf(proto)) {
    if (readBrand(proto) === brand) return true;
  }
  return false;
}

function readBrand(proto: object): unknown {
  const descriptor = Object.getOwnPropertyDescriptor(proto, 'constructor');
  const made: unknown = descriptor?.value;
  return typeof made === 'function' && Object.hasOwn(made, ERROR_BRAND)
    ? Reflect.get(made, ERROR_BRAND)
    : undefined;
}

/** Whatever was thrown, such as an object without a prototype, or one whose getters throw. */
function describeCause(cause: unknown): unknown {
  try {
    if (!isError(cause)) return redactSecrets(String(cause));
    const code: unknown = Reflect.get(cause, 'code');
    const message = redactSecrets(String(cause.message));
    return definedIn({
      name: String(cause.name),
      message,
      code: typeof code === 'string' ? code : undefined,
    });
  } catch {
    return `${typeof cause} that cannot be shown`;
  }
}
