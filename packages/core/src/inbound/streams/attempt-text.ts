import { BODY_LIMITS, GrowingText } from '@molecule-ai/protocol';
import { MoleculeError } from '../../errors/molecule-error.ts';
import { EventLoopTurn } from '../../time/event-loop-turn.ts';
import { orAborted } from '../../time/linked-abort.ts';

/** Longest answer, in characters. */
export const MAX_ANSWER_LENGTH = 10 * 1024 * 1024;
/** Longest text that a request can carry, in bytes of JSON: the rest is for what is around it. */
const MAX_REQUEST_BYTES = BODY_LIMITS.json - 1024;
/** Most bytes of one UTF-16 unit as JSON: an escaped one. */
const MAX_BYTES_OF_UNIT = 6;

export interface AttemptTextOptions {
  /** Whether readers get the text while it is made. */
  readonly isShown: boolean;
  /** Whether the answer is sent as a request, whatever happens: its text is shorter then. */
  readonly isRequest: boolean;
  /** Called before text leaves for the first time, which it does when the promise has resolved. */
  readonly onFirst: () => Promise<unknown>;
  readonly onChange: () => void;
  /** What to wait for while the readers are far behind; `null` when they are not, or nobody waits for them any more. */
  readonly whenTaken: () => Promise<void> | null;
}

/** What one attempt of a handler has streamed. */
export class AttemptText {
  readonly #options: AttemptTextOptions;
  readonly #text = new GrowingText();
  readonly #turn = new EventLoopTurn();
  #isShown: boolean;
  #isComplete = false;
  #leaving: Promise<unknown> | undefined;
  #hasLeft = false;
  #rejection: MoleculeError | null = null;
  /** Up to this length the text is not too long for a request. */
  #countedLength = MAX_REQUEST_BYTES / MAX_BYTES_OF_UNIT;

  constructor(options: AttemptTextOptions) {
    this.#options = options;
    this.#isShown = options.isShown;
  }

  /** In UTF-16 units. */
  get length(): number {
    return this.#text.length;
  }

  get isShown(): boolean {
    return this.#isShown;
  }

  /** Whether the handler has returned. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Whether a reader got some of it, or may have. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** The error of an `append` that made the text too long. */
  get rejection(): MoleculeError | null {
    return this.#rejection;
  }

  /**
   * Adds to the text. Resolves when the fastest reader is close behind, or was waited for long enough; at once without readers,
   * but a handler that never waits itself gives way to everything else now and then.
   * @throws MoleculeError `agent_answer_too_large`: before any reader gets what cannot be sent in the end; `invalid_argument` when the handler has returned. An abort rejects with the
   * signal's reason.
   */
  async append(delta: string, signal: AbortSignal): Promise<void> {
    try {
      this.#add(delta, signal);
    } finally {
      // Also a loop that ignores errors gives way.
      await this.#turn.whenLong();
    }
    while (delta !== '' && this.#isShown) {
      const taken = this.#options.whenTaken();
      if (taken === null) return;
      await orAborted(taken, signal);
    }
  }

  #add(delta: string, signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.#text.isEnded) throw handlerReturned();
    const rejection = this.#rejectionOf(delta);
    if (rejection !== null) {
      this.#rejection = rejection;
      throw rejection;
    }
    if (delta === '') return;
    this.#text.append(delta);
    this.#options.onChange();
  }

  #rejectionOf(delta: string): MoleculeError | null {
    const length = this.length + delta.length;
    if (length > MAX_ANSWER_LENGTH) return answerTooLarge();
    if (!this.#options.isRequest || length <= this.#countedLength) return null;
    const bytes =
      length > MAX_REQUEST_BYTES ? length : Buffer.byteLength(JSON.stringify(this.toString() + delta));
    if (bytes > MAX_REQUEST_BYTES) return tooLargeForRequest();
    this.#countedLength = length + (MAX_REQUEST_BYTES - bytes) / MAX_BYTES_OF_UNIT;
    return null;
  }

  /** Readers do not get what they have not taken yet. */
  hide(): void {
    this.#isShown = false;
    this.#options.onChange();
  }

  /** Nothing is added any more; readers still get what there is. */
  close(): void {
    this.#text.end();
    this.#options.onChange();
  }

  /** The attempt has failed. */
  discard(): void {
    this.#text.end();
    this.hide();
  }

  /** The handler has returned. */
  complete(): void {
    this.#isComplete = true;
    this.#text.end();
    this.#options.onChange();
  }

  /** Call before a piece is given away, and wait. */
  async leave(): Promise<void> {
    this.#leaving ??= this.#options.onFirst();
    await this.#leaving;
  }

  /** A reader got some of it, or may have. */
  left(): void {
    this.#hasLeft = true;
  }

  /** A piece for a reader, without half of a surrogate pair at its end; `''` when it is not shown. */
  slice(from: number, maxLength: number): string {
    if (!this.#isShown) return '';
    const piece = this.#text.slice(from, maxLength);
    const isLast = this.#text.isEnded && from + piece.length === this.length;
    const endsInPair = (piece.charCodeAt(piece.length - 1) & 0xfc00) === 0xd800;
    return endsInPair && !isLast ? piece.slice(0, -1) : piece;
  }

  /** The whole. */
  toString(): string {
    return this.#text.toString();
  }
}

export function answerTooLarge(): MoleculeError {
  return new MoleculeError(`The answer is longer than ${MAX_ANSWER_LENGTH} characters.`, {
    code: 'agent_answer_too_large',
    hint: 'Store long results elsewhere and answer with a reference.',
  });
}

function tooLargeForRequest(): MoleculeError {
  return new MoleculeError('The answer of an agent that polls is a request, which has at most 1 MiB.', {
    code: 'agent_answer_too_large',
    hint: 'Give the agent a URL that the platform reaches, for 10 MiB; or store long results elsewhere and answer with a reference.',
  });
}

function handlerReturned(): MoleculeError {
  return new MoleculeError('The handler has returned: nothing can be added to its answer.', {
    code: 'invalid_argument',
    hint: 'Await context.stream() before the handler returns.',
  });
}
