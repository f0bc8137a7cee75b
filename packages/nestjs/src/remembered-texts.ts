import type { PeerReply, PeerStream } from '@molecule-ai/core';
import { rememberPeerText } from '@molecule-ai/core/adapter-kit';

/**
 * Remembers the texts of the reply as those of its peer, so that `PeerTextInterceptor` recognises them where a method returns them without the
 * reply. Not a text that only repeats what was sent: the application and its users write these words as well.
 */
export function rememberReply(reply: PeerReply, sent: string): PeerReply {
  const texts = [reply.text, ...reply.questions.map(({ text }) => text)];
  for (const text of texts) if (text.trim() !== sent.trim()) rememberPeerText(text, reply.peerId);
  return reply;
}

/** The stream of core. When its reply has come, or its reader stops, the text that was read is remembered. */
export class RememberedStream implements PeerStream {
  readonly #stream: PeerStream;
  readonly #sent: string;

  constructor(stream: PeerStream, sent: string) {
    this.#stream = stream;
    this.#sent = sent;
  }

  get peerId(): string {
    return this.#stream.peerId;
  }

  get messageId(): string {
    return this.#stream.messageId;
  }

  get text(): string {
    return this.#stream.text;
  }

  forModel(): string {
    return this.#stream.forModel();
  }

  async reply(): Promise<PeerReply> {
    try {
      return rememberReply(await this.#stream.reply(), this.#sent);
    } catch (error) {
      this.#remember();
      throw error;
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<string, PeerReply, undefined> {
    const iterator = this.#stream[Symbol.asyncIterator]();
    const next = async (): Promise<IteratorResult<string, PeerReply>> => {
      try {
        const result = await iterator.next();
        if (result.done === true) this.#remember();
        return result;
      } catch (error) {
        this.#remember();
        throw error;
      }
    };
    const close = async (): Promise<IteratorResult<string, PeerReply>> => {
      this.#remember();
      await this.#stream[Symbol.asyncDispose]();
      return { done: true, value: undefined } as unknown as IteratorReturnResult<PeerReply>;
    };
    return { next, return: close };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#remember();
    await this.#stream[Symbol.asyncDispose]();
  }

  toString(): string {
    return this.#stream.toString();
  }

  toJSON(): Record<string, unknown> {
    return this.#stream.toJSON();
  }

  #remember(): void {
    const { text, peerId } = this;
    if (text.trim() !== this.#sent.trim()) rememberPeerText(text, peerId);
  }
}
