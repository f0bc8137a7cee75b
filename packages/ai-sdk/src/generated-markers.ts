import { createPlainText } from '@molecule-ai/core/adapter-kit';
import type { LanguageModelMiddleware } from 'ai';

type Content = Awaited<ReturnType<NonNullable<LanguageModelMiddleware['wrapGenerate']>>>['content'];
type Stream = Awaited<ReturnType<NonNullable<LanguageModelMiddleware['wrapStream']>>>['stream'];
type StreamPart = Stream extends ReadableStream<infer Each> ? Each : never;
type TextPart = Extract<StreamPart, { type: `${Kind}-${'start' | 'delta' | 'end'}` }>;
type Kind = 'text' | 'reasoning';
type Pass = (part: StreamPart) => void;

/**
 * What a model generated, without markers. All of its texts are read as one, whatever is between them, so a marker may be in several; what it
 * thinks is another text.
 */
export function withoutMarkers(content: Content): Content {
  const removers = {
    text: createPlainText({ keepFences: true }),
    reasoning: createPlainText({ keepFences: true }),
  };
  const last = {
    text: content.findLastIndex(({ type }) => type === 'text'),
    reasoning: content.findLastIndex(({ type }) => type === 'reasoning'),
  };
  return content.map((part, place) => {
    if (part.type !== 'text' && part.type !== 'reasoning') return part;
    const remover = removers[part.type];
    const text = remover.push(part.text) + (place === last[part.type] ? remover.end() : '');
    return text === part.text ? part : { ...part, text };
  });
}

/** The same for a stream. Only texts and ends of texts in which a marker may have begun wait; all other parts are passed on at once. */
export function markerRemoval(): TransformStream<StreamPart, StreamPart> {
  let pass: Pass = () => {};
  const text = new SpokenTexts('text-delta', (part) => pass(part));
  const reasoning = new SpokenTexts('reasoning-delta', (part) => pass(part));
  const endBoth = (): void => {
    reasoning.end();
    text.end();
  };
  return new TransformStream({
    start: (controller) => {
      pass = (part) => controller.enqueue(part);
    },
    transform: (part) => {
      switch (part.type) {
        case 'text-start':
        case 'text-delta':
        case 'text-end':
          return text.take(part);
        case 'reasoning-start':
        case 'reasoning-delta':
        case 'reasoning-end':
          return reasoning.take(part);
        case 'finish':
          endBoth();
      }
      pass(part);
    },
    flush: endBoth,
  });
}

/** The texts of one kind in a stream, read in the order in which they began, as in what is generated at once. */
class SpokenTexts {
  readonly #deltaType: `${Kind}-delta`;
  readonly #pass: Pass;
  readonly #remover = createPlainText({ keepFences: true });
  /** Those that have begun and are not read to their end. Parts of all but the first wait. */
  readonly #open: { readonly id: string; readonly waiting: TextPart[] }[] = [];
  /** What was read since nothing was held back. */
  #tail = '';
  /** The text that was read last, and its end, if that waits because something of the text is held back. */
  #lastId = '';
  #end: TextPart | undefined;

  constructor(deltaType: `${Kind}-delta`, pass: Pass) {
    this.#deltaType = deltaType;
    this.#pass = pass;
  }

  take(part: TextPart): void {
    const { id } = part;
    const known = this.#open.findLast((each) => each.id === id);
    const isOpen = known !== undefined && !isEnd(known.waiting.at(-1));
    if (isOpen && known !== this.#open[0]) {
      known.waiting.push(part);
      return;
    }
    if (!isOpen) {
      this.#passEnd();
      this.#open.push({ id, waiting: [] });
    }
    if (isStart(part)) this.#pass(part);
    else if (isOpen || this.#open.length === 1) this.#read(part);
    else this.#open.at(-1)?.waiting.push(part);
    this.#readWaiting();
  }

  /** Passes on what is held back. */
  end(): void {
    for (let first = this.#open.shift(); first !== undefined; first = this.#open.shift()) {
      this.#lastId = first.id;
      this.#readWaiting();
    }
    const delta = this.#remover.end();
    this.#tail = '';
    if (delta !== '') this.#pass({ type: this.#deltaType, id: this.#lastId, delta });
    this.#passEnd();
  }

  #readWaiting(): void {
    for (let part = this.#open[0]?.waiting.shift(); part !== undefined; part = this.#open[0]?.waiting.shift())
      this.#read(part);
  }

  #read(part: TextPart): void {
    this.#lastId = part.id;
    if (isEnd(part)) {
      this.#open.shift();
      // What is held back belongs to the next text where there is one.
      if (this.#open.length > 0 || !this.#isHolding()) this.#pass(part);
      else this.#end = part;
    } else if ('delta' in part) {
      this.#tail += part.delta;
      const delta = this.#remover.push(part.delta);
      if (delta !== '' || part.providerMetadata !== undefined) this.#pass({ ...part, delta });
    } else {
      this.#pass(part);
    }
  }

  #passEnd(): void {
    if (this.#end !== undefined) this.#pass(this.#end);
    this.#end = undefined;
  }

  #isHolding(): boolean {
    const copy = createPlainText({ keepFences: true });
    copy.push(this.#tail);
    const isHolding = copy.end() !== '';
    if (!isHolding) this.#tail = '';
    return isHolding;
  }
}

function isStart({ type }: TextPart): boolean {
  return type === 'text-start' || type === 'reasoning-start';
}

function isEnd(part: TextPart | undefined): boolean {
  return part?.type === 'text-end' || part?.type === 'reasoning-end';
}
