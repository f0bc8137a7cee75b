import { createBoundaryStripper, type GrowingText, type TextStage } from '@molecule-ai/protocol';
import { StreamRestartedError } from '../errors/connection-error.ts';
import type { OutgoingMessage } from './peer-calls.ts';

/** The message whose answer is read, and how the whole is read later. */
export type AnsweredMessage = Pick<OutgoingMessage, 'messageId' | 'answerKey'>;

/**
 * The text of one stream, added to what was read of the answer before: an answer that is read again begins with it.
 * All methods return whether the text has grown, and throw a {@link StreamRestartedError} where it would have to change.
 */
export class AnswerText {
  readonly #text: GrowingText;
  readonly #message: AnsweredMessage;
  readonly #isWrapped: boolean;
  #stripper: TextStage | undefined;
  /** How much of the text this stream has repeated. */
  #length = 0;

  constructor(
    text: GrowingText,
    { isWrapped, ...message }: AnsweredMessage & { readonly isWrapped: boolean },
  ) {
    this.#text = text;
    this.#message = message;
    this.#isWrapped = isWrapped;
    this.restart();
  }

  /** The text of the stream begins anew. */
  restart(): void {
    this.#length = 0;
    this.#stripper = this.#isWrapped ? createBoundaryStripper() : undefined;
  }

  add(piece: string): boolean {
    return this.#take(this.#stripper === undefined ? piece : this.#stripper.push(piece));
  }

  /** The stream has no more text. */
  end(): boolean {
    const rest = this.#stripper?.end() ?? '';
    this.#stripper = undefined;
    return this.#take(rest);
  }

  /** @param whole the answer, as it is in the reply */
  complete(whole: string): boolean {
    this.#length = 0;
    const hasGrown = this.#take(whole);
    if (this.#length < this.#text.length) throw this.#restarted();
    return hasGrown;
  }

  #take(piece: string): boolean {
    const repeated = this.#text.slice(this.#length, piece.length);
    if (!piece.startsWith(repeated)) throw this.#restarted();
    this.#length += piece.length;
    this.#text.append(piece.slice(repeated.length));
    return piece.length > repeated.length;
  }

  #restarted(): StreamRestartedError {
    return new StreamRestartedError(this.#message.messageId, this.#message.answerKey);
  }
}
