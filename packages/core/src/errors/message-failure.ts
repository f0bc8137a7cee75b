import { isError } from './is-error.ts';
import { ERROR_BRAND, hasBrand } from './molecule-error.ts';

/** Longest text of a failure that is sent, in characters. */
const MAX_TEXT_LENGTH = 4_000;
const MAX_CODE_LENGTH = 100;

/** Where a failure keeps the names of its options, for the agent that logs those it does not have. The same in every copy of this package. */
export const OPTION_NAMES: unique symbol = Symbol.for('@molecule-ai/option-names');

/** Options of {@link MessageFailure}. */
export interface MessageFailureOptions {
  /** A short machine word for the sender, such as `no_such_invoice`; at most 100 characters. `rejected`, where a person decided against an action,
   * is logged as information. @default 'handler_failed' */
  code?: string | undefined;
  /** What went wrong. It is logged and passed to listeners, and never sent. */
  cause?: unknown;
}

/**
 * Thrown by a handler to end its message as failed, without a retry. The sender receives the text and the code.
 *
 * @example
 * throw new MessageFailure('There is no invoice with this number.', { code: 'no_such_invoice', cause: error });
 */
export class MessageFailure extends Error {
  /** The same in every copy of this package. */
  static readonly [ERROR_BRAND]: string = 'MessageFailure';

  override readonly name: string = 'MessageFailure';
  readonly code: string;

  /**
   * @param textForSender Longer than 4 000 characters is cut. Blank text is replaced by a general sentence.
   * @param options An error is taken as the cause, and its own code is not sent.
   */
  constructor(textForSender: string, options: MessageFailureOptions = {}) {
    const text = String(textForSender).slice(0, MAX_TEXT_LENGTH);
    const given: MessageFailureOptions = isError(options) ? { cause: options } : options;
    const cause = given.cause === undefined ? undefined : { cause: given.cause };
    super(text.trim() === '' ? 'The agent failed to handle this message.' : text, cause);
    this.code = (given.code || 'handler_failed').slice(0, MAX_CODE_LENGTH);
    Object.defineProperty(this, OPTION_NAMES, { value: Object.keys(given) });
  }

  /** The text that the sender receives: the error's message. */
  get textForSender(): string {
    return this.message;
  }

  /** True for an error of this class, also when another copy of the package made it. */
  static isInstance(value: unknown): value is MessageFailure {
    return hasBrand(value, MessageFailure[ERROR_BRAND]);
  }
}
