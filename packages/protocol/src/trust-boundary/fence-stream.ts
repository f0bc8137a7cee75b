import type { TextStage } from './boundary-stream.ts';
import { beginFence, type FencePeerTextOptions, neutraliseBetween } from './fence.ts';

const TAG_NAME = 'peer-text';
/** What may stand between `<` and the name. */
const GAP = /[\s\\/\uFFFD]/;
/** As much of the text decides about the next character, and is decided by the one before it, in UTF-16 units. */
const AHEAD = 2;
const BEHIND = 4;

/**
 * `fencePeerText` for a text that arrives in pieces: the pieces that it returns, joined, are the fence of the whole text, however it is
 * cut. Held back are two characters and what may still become a tag. `end` closes the fence, so call it however the text ends.
 *
 * The nonce is drawn before the text is there, so it is not checked against it: use it only for a text whose author cannot know what this
 * returns before the text is complete, such as the answer to a message that was sent. He would have to guess 128 random bits.
 */
export function createPeerTextFence(options: FencePeerTextOptions): TextStage {
  const { opening, closing } = beginFence(options);
  const tags = new TagEscaper();
  let before = opening;
  let behind = '';
  let held = '';

  const release = (length: number): string => {
    const body = tags.push(neutraliseBetween(behind + held, behind.length, behind.length + length));
    behind = (behind + held.slice(0, length)).slice(-BEHIND);
    held = held.slice(length);
    const released = before + body;
    before = '';
    return released;
  };
  return {
    push(piece) {
      held += piece;
      const length = Math.max(0, held.length - AHEAD);
      return release(isInsidePair(held, length) ? length - 1 : length);
    },
    end: () => release(held.length) + tags.end() + closing,
  };
}

function isInsidePair(text: string, at: number): boolean {
  return at > 0 && /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(at - 1, at + 1));
}

/** Makes `&lt;` of each `<` before what resembles a tag of a fence. */
class TagEscaper {
  /** From a `<` on, while it may still be one. */
  #held: string[] = [];
  /** Number of characters of the name that were read. */
  #matched = 0;

  push(text: string): string {
    let released = '';
    let from = 0;
    for (let at = 0; at < text.length; at += 1) {
      const character = text.charAt(at);
      if (this.#held.length > 0) {
        if (this.#accepts(character)) {
          if (this.#matched < TAG_NAME.length) continue;
          released += `&lt;${(this.#held.join('') + text.slice(from, at + 1)).slice(1)}`;
          from = at + 1;
          this.#reset();
          continue;
        }
        released += this.#held.join('') + text.slice(from, at);
        from = at;
        this.#reset();
      }
      if (character !== '<') continue;
      released += text.slice(from, at);
      from = at;
      // Not yet `<` itself: what is held is the text from `from` on, kept when this piece ends.
      this.#held = [''];
    }
    if (this.#held.length > 0) this.#held.push(text.slice(from));
    else released += text.slice(from);
    return released;
  }

  end(): string {
    const rest = this.#held.join('');
    this.#reset();
    return rest;
  }

  #accepts(character: string): boolean {
    if (this.#matched === 0 && GAP.test(character)) return true;
    if (character.toLowerCase() !== TAG_NAME.charAt(this.#matched)) return false;
    this.#matched += 1;
    return true;
  }

  #reset(): void {
    this.#held = [];
    this.#matched = 0;
  }
}
