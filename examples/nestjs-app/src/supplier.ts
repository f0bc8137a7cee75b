import type { MessageHandler } from '@molecule-ai/core';

/** The handler of the peer that knows what is in stock. It can be held up. */
export class Supplier {
  #asked = 0;
  #isReleased = Promise.resolve();
  #release = (): void => {};
  #onAsked = (): void => {};

  readonly answer: MessageHandler = async ({ text }) => {
    if (!text.startsWith('Is ')) return pieces();
    this.#asked += 1;
    this.#onAsked();
    await this.#isReleased;
    return text.includes('unicorn') ? 'no' : 'yes';
  };

  /** From now on questions wait, and are counted. */
  hold(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#isReleased = promise;
    this.#release = resolve;
    this.#asked = 0;
  }

  release(): void {
    this.#release();
  }

  async untilAsked(count: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onAsked = () => {
        if (this.#asked >= count) resolve();
      };
      this.#onAsked();
    });
  }
}

async function* pieces(): AsyncGenerator<string> {
  yield 'Tea is ';
  yield 'cheap.';
}
