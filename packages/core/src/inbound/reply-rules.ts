import type { InboundMessage } from '@molecule-ai/protocol';
import { MoleculeError } from '../errors/molecule-error.ts';

/**
 * Why a returned text is not sent as an answer, or `null` when it is. Answers are not answered, or two echo agents
 * would talk for ever (decision 11); an unknown sender cannot be answered (seed 003).
 */
export function mayAutoReply(message: InboundMessage): string | null {
  if (!message.expectsAnswer) {
    return 'The message is itself an answer: the text the handler returned is not sent.';
  }
  if (message.source === 'unknown' || (message.source === 'peer_agent' && message.peerId === '')) {
    return 'The sender is not known: the text the handler returned is not sent.';
  }
  return null;
}

/** Says nothing about the answer: the platform is away, or this agent's standing with it is in question. */
const NOT_ABOUT_THE_REPLY: ReadonlySet<string> = new Set([
  'connection_failed',
  'timed_out',
  'platform_unavailable',
  'rate_limited',
  'inbox_full',
  'unauthorized',
  'routing_problem',
  'workspace_paused',
]);

/**
 * What a failed answer means. `away`: try for as long as it takes, nothing is wrong with it. `final`: it can never
 * be sent. `counts`: one of its five attempts.
 */
export function isReplyVerdict(error: unknown): 'away' | 'final' | 'counts' {
  if (!MoleculeError.isInstance(error)) return 'counts';
  if (error.code === 'invalid_argument' || error.code === 'payload_too_large') return 'final';
  return error.isRetryable || NOT_ABOUT_THE_REPLY.has(error.code) ? 'away' : 'counts';
}
