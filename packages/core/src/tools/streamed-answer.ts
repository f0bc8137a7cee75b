import { createMarkerRemover, type InboundMessage, type TextStage } from '@molecule-ai/protocol';

/** A tag of a fence, with the line break between it and the fenced text. It contains one `<`, its first character or the one after the line break. */
const TAG =
  /<peer-text-[0-9a-f]{32}(?: origin="(?:unknown|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})")?>\n?|\n?<\/peer-text-[0-9a-f]{32}>/gi;

const DIGITS = '0'.repeat(32);
const UUID = '00000000-0000-0000-0000-000000000000';
/** One tag of each form. */
const EXAMPLES = [
  `<peer-text-${DIGITS}>\n`,
  `<peer-text-${DIGITS} origin="unknown">\n`,
  `<peer-text-${DIGITS} origin="${UUID}">\n`,
  `</peer-text-${DIGITS}>`,
  `\n</peer-text-${DIGITS}>`,
];
const TAG_ONLY = new RegExp(`^(?:${TAG.source})$`, 'i');

/**
 * Removes from an answer of a model what it repeated of the marks around texts of peers: the tags of fences, and the boundary
 * markers as `removeBoundaryMarkers` does. All other words stay. For people and other agents; what a model reads keeps its fences.
 */
export function removeRepeatedMarks(text: string): string {
  const remover = createRepeatedMarkRemover();
  return remover.push(text) + remover.end();
}

/**
 * {@link removeRepeatedMarks} for an answer that arrives in pieces: however it is cut, the result is that of the whole answer. Held
 * back is only what may still become a mark.
 */
export function createRepeatedMarkRemover(): TextStage {
  let held = '';
  // After the tags, because a marker may be whole only after a tag in it was removed.
  const markers = createMarkerRemover();
  return {
    push(piece) {
      const text = held + piece;
      let kept = '';
      let copied = 0;
      for (const { index, 0: tag } of text.matchAll(TAG)) {
        kept += text.slice(copied, index);
        copied = index + tag.length;
        // Its line break may be in the next piece.
        if (copied === text.length && tag.endsWith('>') && !tag.includes('/')) copied = index;
      }
      const from = copied + beginningOfTag(text.slice(copied));
      held = text.slice(from);
      return markers.push(kept + text.slice(copied, from));
    },
    end() {
      const rest = held.replace(TAG, '');
      held = '';
      return markers.push(rest) + markers.end();
    },
  };
}

/** The index at which a tag may begin that the next piece continues; the length of the text for none. */
function beginningOfTag(text: string): number {
  const bracket = text.lastIndexOf('<');
  const places = bracket === -1 ? [text.length - 1] : [bracket - 1, bracket, text.length - 1];
  return places.find((at) => at >= 0 && mayBecomeTag(text.slice(at))) ?? text.length;
}

function mayBecomeTag(text: string): boolean {
  return EXAMPLES.some((tag) => text.length < tag.length && TAG_ONLY.test(text + tag.slice(text.length)));
}

/** Whether the sender of a message reads its answer while it is made. */
export function readsStream({
  expectsAnswer,
  method,
}: Pick<InboundMessage, 'expectsAnswer' | 'method'>): boolean {
  return expectsAnswer && /stream|subscribe/i.test(method);
}

/** What a model says, streamed to the sender without the marks of {@link removeRepeatedMarks}. What it says in several turns is separated by an empty line. */
export class StreamedAnswer {
  /** Whether the sender reads it while it is made: only then pieces are pushed. */
  readonly isRead: boolean;
  readonly #send: (text: string) => Promise<void>;
  #remover = createRepeatedMarkRemover();
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
      this.#remover = createRepeatedMarkRemover();
    }
    this.#turn = turn;
    await this.#say(this.#remover.push(piece));
  }

  /**
   * Sends what was held back because it could be the beginning of a mark.
   * @param answer the whole answer. Where it goes on differently, the stream ended within a mark, and nothing is sent
   */
  async end(answer?: string): Promise<void> {
    const held = this.#remover.end();
    const whole = answer === undefined ? undefined : this.clean(answer);
    const isCut = whole?.startsWith(this.#said) === true && !whole.startsWith(this.#said + held);
    if (!isCut) await this.#say(held);
  }

  /** A text of the model without marks. */
  clean(text: string): string {
    return removeRepeatedMarks(text);
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
