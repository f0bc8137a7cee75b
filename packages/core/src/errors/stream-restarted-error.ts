import { ERROR_BRAND, MoleculeError } from './molecule-error.ts';

/** The answer of a peer does not continue the text that was read before: the peer handled the message a second time. */
export class StreamRestartedError extends MoleculeError {
  static override readonly [ERROR_BRAND]: string = 'StreamRestartedError';
  override readonly name = 'StreamRestartedError';
  /** The message whose answer was read: for `getMessage` and `waitForAnswer`, which return the whole. */
  readonly messageId: string;

  /** @param answerKey the arguments of `waitForAnswer`, as code */
  constructor(messageId: string, answerKey = `'${messageId}'`) {
    super('The answer begins anew: it does not continue the text that was read before.', {
      code: 'stream_restarted',
      hint: `Discard the text so far, and read the whole answer: waitForAnswer(${answerKey}).`,
    });
    this.messageId = messageId;
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), messageId: this.messageId };
  }
}
