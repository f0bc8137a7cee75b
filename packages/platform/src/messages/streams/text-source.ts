import type { GrowingText } from '@molecule-ai/protocol';
import type { AnswerAccount, AnswerShare } from '../answer-memory.ts';

/** One attempt of an agent to make the answer. */
export interface TextSource {
  /** Aborted when the message has ended: nobody wants more of the text. */
  readonly ended: AbortSignal;
  /** Whether this attempt has made some. */
  readonly hasText: boolean;
  /** More of the text. What an earlier attempt made before counts once. */
  add(text: string): void;
  /** The text of this attempt is this one from its beginning. */
  restart(text: string): void;
  /** Memory for what is read of the answer, besides the text that readers take. */
  share(): AnswerShare;
  /** Whether somebody reads, and nobody keeps up with the text. */
  readonly isHeldBack: boolean;
  /** Resolves when a reader has taken something or has left, or the message has ended. */
  nextMove(): Promise<void>;
  /** Idempotent. */
  close(): void;
}

/** What a source does with a text. */
export interface WritableText {
  readonly text: GrowingText;
  append(text: string): void;
  /** Another text takes the place of the one so far. */
  restart(text: string): void;
  readonly isHeldBack: boolean;
  nextMove(): Promise<void>;
}

export class Attempt implements TextSource {
  readonly #stream: WritableText;
  readonly ended: AbortSignal;
  readonly #account: AnswerAccount;
  readonly #close: () => void;
  /** UTF-16 units that this attempt has made. */
  #made = 0;

  constructor(stream: WritableText, ended: AbortSignal, account: AnswerAccount, close: () => void) {
    this.#stream = stream;
    this.ended = ended;
    this.#account = account;
    this.#close = close;
  }

  get hasText(): boolean {
    return this.#made > 0;
  }

  add(text: string): void {
    const { text: known } = this.#stream;
    const repeated = known.slice(this.#made, text.length);
    if (text.startsWith(repeated)) this.#stream.append(text.slice(repeated.length));
    else this.#stream.restart(known.slice(0, this.#made) + text);
    this.#made += text.length;
  }

  restart(text: string): void {
    this.#made = 0;
    this.add(text);
  }

  share(): AnswerShare {
    return this.#account.share();
  }

  get isHeldBack(): boolean {
    return this.#stream.isHeldBack;
  }

  nextMove(): Promise<void> {
    return this.#stream.nextMove();
  }

  close(): void {
    this.#close();
  }
}
