import type { InboundMessage } from '@molecule-ai/protocol';
import type { MessageEnd } from '../inbound-state.ts';
import type { StoredDeadLetter } from '../stores/dead-letters.ts';
import type { MessageProgress } from '../stores/message-progress.ts';
import { failureCode, GAVE_UP_TEXT, isUnsendable, replyFailureCode } from './rules.ts';

/** Why a message is given up. */
interface Failure {
  /** What failed: the handler, or sending its answer. */
  readonly stage: 'handler' | 'reply';
  readonly attempts: number;
  readonly error: unknown;
  readonly at: string;
  readonly progress: MessageProgress;
}

export function codeOf(stage: Failure['stage'], error: unknown): string {
  return stage === 'reply' ? replyFailureCode(error) : failureCode(error);
}

/** What is left of a message that is given up. `end` is for its sender; `null` while the answer may still arrive by a replay. */
export function givenUp(
  message: InboundMessage,
  { stage, attempts, error, at, progress }: Failure,
): { readonly letter: StoredDeadLetter; readonly end: MessageEnd | null } {
  const errorCode = codeOf(stage, error);
  const isSendable = stage === 'reply' && !isUnsendable(errorCode);
  const { id: activityId, messageId, sourceId } = message;
  // A replay makes anew what never can be sent.
  const kept = isSendable ? progress : { ...progress, outcome: null };
  return {
    letter: { activityId, messageId, sourceId, stage, attempts, errorCode, at, message, progress: kept },
    end: isSendable ? null : { outcome: 'failed', error: { message: GAVE_UP_TEXT, code: errorCode } },
  };
}
