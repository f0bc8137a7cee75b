import { createMarkerRemover } from '@molecule-ai/protocol';
import type { PeerReply } from '../peers/peer-reply.ts';
import { cutNote, cutText } from './reply-outcome.ts';
import { type ReplyWordsOptions, wordsOfReply } from './reply-words.ts';

export interface ShownWordsOptions extends ReplyWordsOptions {
  /** At most so many UTF-16 units of the peer. */
  readonly maxChars: number;
}

/** What is shown of {@link wordsOfReply}, whole or as it comes. The end of a text that is cut has a note. */
export class ShownWords {
  #text = '';
  readonly #isJson: boolean;
  readonly #maxChars: number;
  readonly #remover = createMarkerRemover();
  /** White space before the first word. */
  #held = '';
  #isWaiting = false;
  #isFull = false;

  constructor({ isJson = false, maxChars }: ShownWordsOptions) {
    this.#isJson = isJson;
    this.#maxChars = maxChars;
  }

  /** What was shown so far. */
  get text(): string {
    return this.#text;
  }

  /** Takes the next piece, and returns what to show of it. */
  push(piece: string): string {
    if (this.#isFull || this.#isWaiting) return '';
    const words = this.#held + this.#remover.push(piece);
    if (!this.#isJson || this.text !== '') return this.#show(words);
    const [first] = words.trimStart();
    this.#held = first === undefined ? words : '';
    // What does not begin as JSON waits for the end: the peer may send the JSON beside it.
    this.#isWaiting = first !== undefined && first !== '{' && first !== '[';
    return first === undefined || this.#isWaiting ? '' : this.#show(words);
  }

  /** Returns what to show at the end, and how much of the whole is left out. */
  end(reply: PeerReply): { readonly delta: string; readonly omitted: number } {
    const whole = wordsOfReply(reply, { isJson: this.#isJson });
    const left = this.#restOf(whole);
    const rest = this.#isFull ? '' : this.#show(left);
    const omitted = left.length - rest.length;
    const note = omitted > 0 && !this.#isJson ? `\n${cutNote(omitted)}` : '';
    this.#text += note;
    return { delta: rest + note, omitted };
  }

  #restOf(whole: string): string {
    if (whole.startsWith(this.text)) return whole.slice(this.text.length);
    return this.#isJson || whole === '' ? '' : `\n${whole}`;
  }

  #show(words: string): string {
    const shown = cutText(words, this.#maxChars - this.text.length);
    this.#isFull = shown.length < words.length;
    this.#text += shown;
    return shown;
  }
}
