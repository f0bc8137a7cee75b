import { JsonObject, JsonValue, MessagePart } from '@molecule-ai/protocol';
import { z } from 'zod';

const Answer = z.object({
  text: z.string(),
  parts: z.array(MessagePart.tolerant).optional(),
  metadata: JsonObject.optional(),
  /** Set where the text says why there is no answer. */
  end: z.object({ state: z.enum(['unanswered', 'failed']), code: z.string().optional() }).optional(),
});

/** An answer as it is stored and sent: plain JSON. */
export type StoredAnswer = Readonly<z.output<typeof Answer>>;

export const MessageProgress = z.object({
  /** Number of handler attempts started, including those that ended with a crash. */
  attempts: z.int().min(0),
  /** Set when the handler has finished, with the answer to send or `null` for none. It does not run again. */
  outcome: z
    .object({ reply: z.union([z.string().transform((text): StoredAnswer => ({ text })), Answer]).nullable() })
    .nullable(),
  /** Number of answers sent by `context.reply`. */
  repliesSent: z.int().min(0),
  /** Results of `context.once`, by key. */
  effects: z.record(z.string(), JsonValue),
  /** Whether some of the answer was sent while it was made. Later attempts send theirs as a whole. */
  hasStreamed: z.boolean().optional(),
  /** Since when the recipient of the answer has no room for it, RFC 3339. */
  refusedSince: z.string().optional(),
});

/** The progress of one unfinished message. */
export type MessageProgress = Readonly<z.output<typeof MessageProgress>>;

export const ProgressChange = MessageProgress.partial();

export type ProgressChange = Readonly<z.output<typeof ProgressChange>>;

export const NO_PROGRESS: MessageProgress = Object.freeze({
  attempts: 0,
  outcome: null,
  repliesSent: 0,
  effects: {},
});

/** Effects are added by key, what was streamed stays streamed, everything else is replaced. */
export function mergeProgress(progress: MessageProgress, change: ProgressChange): MessageProgress {
  const refusedSince = change.refusedSince ?? progress.refusedSince;
  return {
    attempts: change.attempts ?? progress.attempts,
    outcome: change.outcome ?? progress.outcome,
    repliesSent: change.repliesSent ?? progress.repliesSent,
    effects: { ...progress.effects, ...change.effects },
    ...(progress.hasStreamed || change.hasStreamed ? { hasStreamed: true } : {}),
    ...(refusedSince === undefined ? {} : { refusedSince }),
  };
}
