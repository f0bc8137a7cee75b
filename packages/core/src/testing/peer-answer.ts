import type { InboundMessage } from '@molecule-ai/protocol';
import type { HandlerContext, MessageHandler } from '../agent/agent-options.ts';
import type { PeerClient } from '../client/platform-client.ts';
import { MessageFailure } from '../errors/message-failure.ts';
import type { AnswerContent, HandlerAnswer } from '../inbound/handler-answer.ts';
import type { Clock } from '../time/clock.ts';

/** What a scripted peer does with a message. Times are of the clock of its client, in milliseconds. */
export type PeerAnswer =
  /** Answers with this text. */
  | string
  /** Answers with a text, parts, metadata or questions. */
  | AnswerContent
  /** Says nothing: the sender learns `unanswered`. */
  | null
  /** The sender learns `failed`, with this text. `code` @default 'handler_failed' */
  | { readonly fail: string; readonly code?: string | undefined }
  /** The handler throws this, and is tried again: five attempts with pauses of 1, 4, 16 and 64 s. */
  | { readonly error: unknown }
  /** Asks its sender this question; the answer to it is the next message. */
  | { readonly ask: string }
  /** Streams these pieces, with a pause before each but the first. `everyMs` @default 0 */
  | { readonly stream: readonly string[]; readonly everyMs?: number | undefined }
  /** Does this later. */
  | { readonly afterMs: number; readonly answer: PeerAnswer }
  /** Works until the message is cancelled or expires, or the peer is stopped. */
  | { readonly never: true }
  | MessageHandler;

/** Handles a message as a script says. */
export async function giveAnswer(
  answer: PeerAnswer,
  message: InboundMessage,
  context: HandlerContext<PeerClient>,
): Promise<HandlerAnswer> {
  if (typeof answer === 'function') return answer(message, context);
  if (answer === null || typeof answer === 'string') return answer;
  if ('fail' in answer) throw new MessageFailure(answer.fail, { code: answer.code });
  if ('error' in answer) throw answer.error;
  if ('ask' in answer) return { text: '', questions: [{ kind: 'text', text: answer.ask, from: 'sender' }] };
  const { signal, client } = context;
  if ('stream' in answer) return pieces(answer.stream, answer.everyMs ?? 0, client.clock, signal);
  if ('afterMs' in answer) {
    await client.clock.sleep(answer.afterMs, { signal });
    return giveAnswer(answer.answer, message, context);
  }
  if (!('never' in answer)) return answer;
  await new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

async function* pieces(
  texts: readonly string[],
  everyMs: number,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<string> {
  for (const [at, text] of texts.entries()) {
    if (at > 0 && everyMs > 0) await clock.sleep(everyMs, { signal });
    yield text;
  }
}
