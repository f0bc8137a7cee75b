import type { JsonObject } from '@molecule-ai/protocol';
import type { UnitOfWork } from '../../database/platform-database.ts';
import type { EndedMessage, MessageRow } from '../message.store.ts';
import type { Outcome } from './outcome.rules.ts';
import type { ReplyMessage } from './outcome-delivery.ts';

export interface EndDetails {
  readonly durationMs?: number;
  /** The message that is the answer; it is delivered even to a caller that expected none. */
  readonly reply?: ReplyMessage | undefined;
  /** The caller learns of the end in the response to this very request, so nothing is put on its feed. */
  readonly isKnownToCaller?: boolean;
  /** The answer is stored with the message that continues this one and not again with this one. */
  readonly isStoredBelow?: boolean;
}

/** How a message is interrupted; `expiresAt` is an RFC 3339 time. */
export interface InterruptionDetails extends Omit<EndDetails, 'durationMs'> {
  readonly expiresAt: string;
}

/** Called in the transaction in which a message ends; `was` is its `delivery_state` before. */
export type EndListener = (
  unit: UnitOfWork,
  message: EndedMessage,
  end: Outcome,
  was: string,
) => Promise<void>;

/**
 * Called before a message is answered. Where the questions are delivered when the answer asks some, and the message stays
 * open; `changed`: the message was changed since it was read; undefined for an answer that ends its message.
 */
export type AnswerInterceptor = (
  unit: UnitOfWork,
  message: MessageRow,
  answer: JsonObject,
  reply: ReplyMessage | undefined,
) => Promise<OutcomeDestination | 'changed' | undefined>;

/**
 * Where an outcome is delivered: to the caller's held call, or, when it does not wait, to its feed. It is `caller` as
 * well when the message of an agent that brought it is on no feed.
 */
export type OutcomeDestination = 'caller' | 'feed';
