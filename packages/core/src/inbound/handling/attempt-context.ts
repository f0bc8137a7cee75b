import type { InboundMessage } from '@molecule-ai/protocol';
import { MoleculeError } from '../../errors/molecule-error.ts';
import type { Logger } from '../../logging/logger.ts';
import type { InboundObserver } from '../inbound-observer.ts';
import type { AttemptText } from '../streams/attempt-text.ts';
import type { AttemptContext } from './attempt.ts';
import { checkDelta, readAnswer } from './handler-answer.ts';
import { logIgnored } from './ignored-keys.ts';
import type { MessageJournal } from './message-journal.ts';
import { isExpiredForReply } from './rules.ts';

const MAX_PROGRESS_LENGTH = 200;
const EITHER = 'Use either context.reply() or context.stream() for one message.';

export interface AttemptContextOptions {
  readonly message: InboundMessage;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly text: AttemptText;
  readonly journal: MessageJournal;
  readonly observer: Pick<InboundObserver, 'progressed'>;
  readonly logger: Logger;
  /** The platform has let the message expire before a reply. */
  readonly onExpired: () => void;
}

/** What the handler of one attempt is given. */
export function attemptContext(options: AttemptContextOptions): AttemptContext {
  const { message, attempt, signal, text, journal, observer, logger, onExpired } = options;
  const replier = journal.replier();
  let hasReplied = journal.hasReplied;
  return {
    signal,
    attempt,
    reply: async (content) => {
      signal.throwIfAborted();
      const read = readAnswer(content);
      if (read.kind === 'invalid') throw read.error;
      logIgnored(logger, message, read.ignored);
      if (read.answer === null) throw invalid('The text of a reply must not be blank.');
      if (text.length > 0) {
        throw mixed('The answer to this message is being streamed.', 'Stream the rest of it, or return it.');
      }
      hasReplied = true;
      // What the handler returns after it is not sent.
      text.hide();
      await replier(read.answer, signal).catch((error: unknown) => {
        if (isExpiredForReply(error)) onExpired();
        throw error;
      });
    },
    stream: async (delta) => {
      const checked = checkDelta(delta);
      if (hasReplied) {
        throw mixed('The message was answered with context.reply() before.', EITHER);
      }
      await text.append(checked, signal);
    },
    progress: (line) => {
      if (signal.aborted) return;
      observer.progressed(message, String(line).replace(/\s+/g, ' ').trim().slice(0, MAX_PROGRESS_LENGTH));
    },
    once: async <T>(key: string, effect: () => T | Promise<T>) =>
      (await journal.once(key, effect, signal)) as T,
  };
}

function invalid(message: string): MoleculeError {
  return new MoleculeError(message, { code: 'invalid_argument' });
}

/** A defect of the handler, which another attempt does not repair. */
function mixed(message: string, hint: string): MoleculeError {
  return new MoleculeError(message, { code: 'invalid_answer', hint });
}
