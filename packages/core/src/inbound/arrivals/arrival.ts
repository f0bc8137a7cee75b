import {
  type InboundMessage,
  isJsonObject,
  JsonObject,
  type JsonValue,
  MessagePart,
  parseActivityRow,
} from '@molecule-ai/protocol';
import { z } from 'zod';
import type { ArrivalEnd, InboundCaller } from '../../inbound-http/inbound-agent.ts';
import { markReceived } from '../../peers/received-values.ts';

const USE = z.enum(['push', 'direct', 'unknown']);

/** As earlier versions stored it. */
const WholeArrival = z.object({ message: z.custom<InboundMessage>(isMessage), use: USE, digest: z.string() });

/** Each text once: the message is parsed again. What the parser cannot know is beside the row. */
const StoredArrival = z
  .object({
    row: z.custom<JsonValue>(isJsonObject),
    answers: z.custom<InboundMessage['answers']>(Array.isArray),
    conversationId: z.string(),
    use: USE,
    digest: z.string(),
  })
  .transform(({ row, answers, conversationId, use, digest }, context): z.output<typeof WholeArrival> => {
    const parsed = parseActivityRow(row);
    if (parsed === null) {
      context.addIssue('The row is not a message.');
      return z.NEVER;
    }
    const message = markReceived({ ...parsed, answers, conversationId }, { kind: 'message' });
    return { message, use, digest };
  });

/**
 * A message that a request brought instead of the feed, as it is stored until it is finished. `digest` is of the message as
 * its sender wrote it, to compare repeats; `''` where the platform has compared them.
 */
export const Arrival = z.union([StoredArrival, WholeArrival]);
export type Arrival = Readonly<z.output<typeof Arrival>>;

/** What is stored of an arrival. */
export function storedArrival(arrival: Arrival): z.input<typeof Arrival> {
  const { raw, id, answers, conversationId } = arrival.message;
  if (raw.id !== id) return arrival;
  const { use, digest } = arrival;
  return { row: raw, answers, conversationId, use, digest };
}

const End = z.object({
  state: z.enum(['answered', 'input_required', 'unanswered', 'failed', 'canceled', 'expired']),
  at: z.string(),
  answer: z
    .object({
      messageId: z.string(),
      text: z.string(),
      parts: z.array(MessagePart.tolerant).optional(),
      metadata: JsonObject.optional(),
    })
    .nullable(),
  error: z.object({ message: z.string(), code: z.string() }).nullable(),
}) satisfies z.ZodType<ArrivalEnd>;

/** How a finished arrival ended, kept for its repeats. `key` identifies the message, see `messageKey`. */
export const KeptEnd = z.object({
  key: z.string(),
  row: z.string(),
  messageId: z.string(),
  contextId: z.string(),
  use: USE,
  sourceId: z.string(),
  digest: z.string(),
  end: End,
});
export type KeptEnd = Readonly<z.output<typeof KeptEnd>>;

/** Where a caller looks for a message: by the id of its row, or by its own id of it. */
export function taskKeys({
  use,
  sourceId,
  row,
  messageId,
}: Pick<KeptEnd, 'use' | 'sourceId' | 'row' | 'messageId'>): string[] {
  const own = JSON.stringify([use, sourceId.toLowerCase(), messageId]);
  return use === 'push' ? [row] : [own, row];
}

/** The keys under which a caller may find what it sent. The platform names rows, and may ask for each. */
export function askedKeys({ use, subject }: InboundCaller, taskId: string): string[] {
  return use === 'push' ? [taskId] : [JSON.stringify([use, subject.toLowerCase(), taskId])];
}

/** The id of a message for whoever sent it. */
export function taskIdOf({ use, row, messageId }: Pick<KeptEnd, 'use' | 'row' | 'messageId'>): string {
  return use === 'push' ? row : messageId;
}

function isMessage(value: unknown): value is InboundMessage {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'id') === 'string';
}
