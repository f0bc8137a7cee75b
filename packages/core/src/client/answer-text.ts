import { createBoundaryStripper, type GrowingText, type TextStage } from '@molecule-ai/protocol';
import { StreamRestartedError } from '../errors/stream-restarted-error.ts';

/**
 * The text of one stream, added to what was read of the answer before: an answer that is read again begins with it.
 * All methods return whether the text has grown, and throw a {@link StreamRestartedError} where it would have to change.
 */
export class AnswerText {
  readonly #text: GrowingText;
  readonly #messageId: string;
  readonly #isWrapped: boolean;
  #stripper: TextStage | undefined;
  /** How much of the text this stream has repeated. */
  #length = 0;

  constructor(
    text: GrowingText,
    { messageId, isWrapped }: { readonly messageId: string; readonly isWrapped: boolean },
  ) {
    this.#text = text;
    this.#messageId = messageId;
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
    if (this.#length < this.#text.length) throw new StreamRestartedError(this.#messageId);
    return hasGrown;
  }

  #take(piece: string): boolean {
    const repeated = this.#text.slice(this.#length, piece.length);
    if (!piece.startsWith(repeated)) throw new StreamRestartedError(this.#messageId);
    this.#length += piece.length;
    this.#text.append(piece.slice(repeated.length));
    return piece.length > repeated.length;
  }
}
