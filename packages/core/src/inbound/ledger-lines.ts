import {
  type InboundMessage,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseActivityRow,
  z,
} from '@molecule-ai/protocol';
import type { MessageEnd } from '../inbound-http/inbound-agent.ts';
import { markReceived } from '../peers/received-values.ts';
import { type MessageRecord, Outcome, Progress } from './life.ts';

const Via = z.enum(['push', 'direct', 'unknown']);
const Message = z.custom<InboundMessage>((value) => isJsonObject(value) && typeof value.id === 'string');

/** A message that a request brought. */
export type Arrival = Pick<MessageRecord, 'message' | 'digest'> & { readonly via: z.output<typeof Via> };

/** Each text once: the message is parsed again. What the parser cannot know is beside the row. */
const StoredArrival = z.object({
  row: z.custom<JsonObject>(isJsonObject),
  answers: z.custom<InboundMessage['answers']>(Array.isArray),
  conversationId: z.string(),
  via: Via,
  digest: z.string(),
});

/** How a message of a request ended, kept for its repeats. `key` identifies the message, see `messageKey`. */
const EndedMessage = z.object({
  key: z.string(),
  row: z.string(),
  messageId: z.string(),
  contextId: z.string(),
  via: Via,
  sourceId: z.string(),
  digest: z.string(),
  end: z.custom<MessageEnd>(isJsonObject),
});
export type EndedMessage = Readonly<z.output<typeof EndedMessage>>;

/** A dead letter as it is stored. */
const StoredDeadLetter = z.object({
  activityId: z.string(),
  messageId: z.string(),
  sourceId: z.string(),
  /** What failed: the handler, or sending its answer. */
  stage: z.enum(['handler', 'reply']),
  attempts: z.int().min(0),
  /** The code of the last error; `handler_failed` for an error without one. */
  errorCode: z.string(),
  /** When it was given up, RFC 3339. */
  at: z.string(),
  /** The message itself, for a replay; untrusted. `null` if it was too large to read. */
  message: Message.nullable(),
  /** What a replay need not do again. */
  progress: Progress.nullable(),
});
export type StoredDeadLetter = Readonly<z.output<typeof StoredDeadLetter>>;

const ReportedOutcome = Outcome.extend({ activityId: z.string() });
export type ReportedOutcome = Readonly<z.output<typeof ReportedOutcome>>;

/** One step: one line of the log. */
export const LedgerLine = z
  .object({
    /** Everything up to this row is finished, and the rows `ahead` are, too. */
    acknowledged: z.string().nullable().optional(),
    ahead: z.array(z.string()).optional(),
    /** A message and its copies are finished: their rows on the feed, and the keys that identify later copies. */
    finished: z.object({ rows: z.array(z.string()), keys: z.array(z.string()) }).optional(),
    arrived: StoredArrival.optional(),
    row: z.string().optional(),
    /** What is new in the progress of the message of `row`. */
    progress: Progress.partial().optional(),
    ended: EndedMessage.optional(),
    letter: StoredDeadLetter.optional(),
    /** The dead letter of this row is not kept any more. */
    discarded: z.string().optional(),
    /** Have to be reported to the platform; a later one for the same row replaces it. */
    outcomes: z.array(ReportedOutcome).optional(),
    /** The platform has the outcomes of these rows. */
    reported: z.array(z.string()).optional(),
  })
  .refine((line) => Object.keys(line).length > 0);
export type LedgerLine = Readonly<z.output<typeof LedgerLine>>;

/** A message that was given up. */
export type DeadLetter = Omit<StoredDeadLetter, 'progress'>;

/** The public view of a stored letter. */
export function publicDeadLetter({ progress: _progress, ...letter }: StoredDeadLetter): DeadLetter {
  return letter;
}

export function storedArrival({ message, via, digest }: Pick<MessageRecord, 'message' | 'via' | 'digest'>) {
  const { raw, answers, conversationId } = message;
  return { row: raw as JsonObject, answers, conversationId, via: via as Arrival['via'], digest };
}

/** `null` for what is not a message. */
export function arrivalOf(stored: z.output<typeof StoredArrival>): Arrival | null {
  const { row, answers, conversationId, via, digest } = stored;
  const parsed = parseActivityRow(row as JsonValue);
  if (parsed === null) return null;
  return { message: markReceived({ ...parsed, answers, conversationId }, { kind: 'message' }), via, digest };
}
