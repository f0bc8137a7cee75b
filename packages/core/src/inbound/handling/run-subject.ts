import type { InboundMessage } from '@molecule-ai/protocol';
import type { MessageEnd } from '../inbound-state.ts';
import type { StoredDeadLetter } from '../stores/dead-letters.ts';
import type { MessageProgress, ProgressChange, StoredAnswer } from '../stores/message-progress.ts';
import type { AnswerStream } from '../streams/answer-stream.ts';

/** The message of a run: a new one, or a dead letter that is handled again. */
export interface RunSubject {
  readonly message: InboundMessage;
  /** What earlier runs did. */
  readonly progress: MessageProgress;
  /** Whether a failure is retried. When not, the first one gives the message up. */
  readonly isRetried: boolean;
  /** False when a request without a credential brought it: its answer is for that request only. */
  readonly isCallerKnown: boolean;
  /** Whether its answer is sent as a request, also when somebody reads a stream of it. */
  readonly isAnsweredByRequest: boolean;
  /** Resolves with whether the message is handled at all; `null` when it is. */
  readonly isAccepted: Promise<boolean> | null;
  /** Its answer, while the handler makes it. */
  readonly stream: AnswerStream;
  save(change: ProgressChange): Promise<unknown>;
  /** Call before the answer is sent: resolves when those who read it as a stream have its text, or do not get it in time. */
  flush(): Promise<void>;
  /** For at-most-once delivery: resolves when the message cannot be delivered again; `null` for at-least-once. */
  readonly acknowledgeFirst: ((signal: AbortSignal) => Promise<void>) | null;
  /** The answer waits until its recipient has room for it. False when too many wait. */
  answerWaits(): boolean;
  /** What the sender is sent instead of an answer, where nobody else gives it the end; else `null`. */
  lateEnd(end: MessageEnd): StoredAnswer | null;
  /** Nothing more is done. `end` is how the message ended without an answer of this run; `null` for no report. */
  finish(end: MessageEnd | null): void;
  /** The message is given up. Resolves when that is stored. */
  giveUp(letter: StoredDeadLetter, error: unknown): Promise<unknown>;
}
