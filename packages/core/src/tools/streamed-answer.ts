import type { InboundMessage } from '@molecule-ai/protocol';
import { createRepeatedMarkRemover, removeRepeatedMarks } from './repeated-marks.ts';

/** Whether the sender of a message reads its answer while it is made. */
export function readsStream({
  expectsAnswer,
  method,
}: Pick<InboundMessage, 'expectsAnswer' | 'method'>): boolean {
  return expectsAnswer && /stream|subscribe/i.test(method);
}

/** What a model says, streamed to the sender without the marks of {@link removeRepeatedMarks}. What it says in several turns is separated by an empty line. */
export class StreamedAnswer {
  readonly #send: (text: string) => Promise<void>;
  #remover = createRepeatedMarkRemover();
  #turn: unknown;
  #said = '';
  #lastSaid = '';

  /** @param send as `context.stream` */
  constructor(send: (text: string) => Promise<void>) {
    this.#send = send;
  }

  /** All that was said. */
  get said(): string {
    return this.#said;
  }

  /** What was said in the last turn. */
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
      this.#remover = createRepeatedMarkRemover();
    }
    this.#turn = turn;
    await this.#say(this.#remover.push(piece));
  }

  /**
   * Sends what was held back because it could be the beginning of a mark.
   * @param answer the whole answer without marks. Where it goes on differently, the stream ended within a mark, and nothing is sent
   */
  async end(answer?: string): Promise<void> {
    const held = this.#remover.end();
    const isCut = answer?.startsWith(this.#said) === true && !answer.startsWith(this.#said + held);
    if (!isCut) await this.#say(held);
  }

  async #say(text: string): Promise<void> {
    if (text === '') return;
    this.#said += text;
    this.#lastSaid += text;
    await this.#send(text);
  }
}

/** An answer without the marks of {@link removeRepeatedMarks}, and without what was streamed. @param lastSaid of the last turn, `''` for nothing */
export function restOfAnswer(answer: string, lastSaid: string): string {
  const text = removeRepeatedMarks(answer);
  if (lastSaid === '') return text;
  if (text.trim() === lastSaid.trim()) return '';
  // A framework may end a stream before the last tokens.
  return text.startsWith(lastSaid) ? text.slice(lastSaid.length) : `\n\n${text}`;
}
