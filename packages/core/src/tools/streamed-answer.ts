import type { InboundMessage } from '@molecule-ai/protocol';
import { createPlainText, plainPeerText } from '../trust-boundary/plain-text.ts';

/** Whether the sender of a message reads its answer while it is made. */
export function readsStream({
  expectsAnswer,
  method,
}: Pick<InboundMessage, 'expectsAnswer' | 'method'>): boolean {
  return expectsAnswer && /stream|subscribe/i.test(method);
}

/** What a model says, streamed to the sender without the marks of {@link plainPeerText}. What it says in several turns is separated by an empty line. */
export class StreamedAnswer {
  /** Whether the sender reads it while it is made: only then pieces are pushed. */
  readonly isRead: boolean;
  readonly #send: (text: string) => Promise<void>;
  #plain = createPlainText();
  #turn: unknown;
  #said = '';
  #lastSaid = '';

  /** @param send as `context.stream` */
  constructor(send: (text: string) => Promise<void>, isRead = true) {
    this.#send = send;
    this.isRead = isRead;
  }

  /** All that was sent. */
  get said(): string {
    return this.#said;
  }

  /** What was sent of the last turn. */
  get lastSaid(): string {
    return this.#lastSaid;
  }

  /** @param turn the same for all pieces of one turn */
  async push(piece: string, turn: unknown): Promise<void> {
    if (piece === '') return;
    if (this.#lastSaid !== '' && turn !== this.#turn) {
      await this.end();
      await this.#say('\n\n');
      this.#lastSaid = '';
      this.#plain = createPlainText();
    }
    this.#turn = turn;
    await this.#say(this.#plain.push(piece));
  }

  /**
   * Sends what was held back because it could be the beginning of a mark.
   * @param answer the whole answer. Where it goes on differently, the stream ended within a mark, and nothing is sent
   */
  async end(answer?: string): Promise<void> {
    const held = this.#plain.end();
    const whole = answer === undefined ? undefined : this.clean(answer);
    const isCut = whole?.startsWith(this.#said) === true && !whole.startsWith(this.#said + held);
    if (!isCut) await this.#say(held);
  }

  /** A text of the model without marks. */
  clean(text: string): string {
    return plainPeerText(text);
  }

  /** The last words of the model without marks, and without what was sent of them. */
  restOf(answer: string): string {
    const text = this.clean(answer);
    const lastSaid = this.#lastSaid;
    if (lastSaid === '') return text;
    if (text.trim() === lastSaid.trim()) return '';
    // A framework may end a stream before the last tokens.
    return text.startsWith(lastSaid) ? text.slice(lastSaid.length) : `\n\n${text}`;
  }

  async #say(text: string): Promise<void> {
    if (text === '') return;
    this.#said += text;
    this.#lastSaid += text;
    await this.#send(text);
  }
}
