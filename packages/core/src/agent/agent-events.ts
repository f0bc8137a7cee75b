import type { InboundMessage } from '@molecule-ai/protocol';
import type { MessageFailure } from '../errors/message-failure.ts';
import type { PeerChange } from '../peers/peer-identities.ts';
import type { LoopOutcome } from '../presence/presence-machine.ts';
import type { DegradedReason } from './health.ts';
import type { LateAnswer } from './inbound-answer.ts';

/**
 * The events of an agent and the arguments of their listeners.
 *
 * @example
 * agent.on('degraded', (reason, error) => console.error(reason, error));
 * agent.on('dead-letter', (message, { attempts, error }) => console.error(message.id, attempts, error));
 */
export interface AgentEvents {
  /** Registered, sending heartbeats and receiving messages. Emitted once; for an agent that starts paused, after the resume. */
  started: [];
  /** An error has ended a start with `wait: false`, for example because the token is not accepted. `stopped` does not follow. */
  'start-failed': [error: unknown];
  /** A new message was read. Copies are not reported. */
  message: [message: InboundMessage];
  /** The handler returned and the answer, if any, was sent. */
  delivered: [message: InboundMessage];
  /** An answer was sent. */
  'reply-sent': [message: InboundMessage];
  /** The handler, or sending its answer, failed and is retried after `delayMs` milliseconds. */
  retry: [
    message: InboundMessage,
    details: { stage: 'handler' | 'reply'; attempt: number; delayMs: number; error: unknown },
  ];
  /** All attempts failed; `listDeadLetters` returns the message. */
  'dead-letter': [
    message: InboundMessage,
    details: { stage: 'handler' | 'reply'; attempts: number; error: unknown },
  ];
  /** The handler ended the message with a `MessageFailure`; its cause stays with the agent. */
  failed: [message: InboundMessage, failure: MessageFailure];
  /** The message expired before its answer was sent. */
  expired: [message: InboundMessage];
  /** The sender cancelled the message. */
  cancelled: [message: InboundMessage];
  /** A message ended that no call waits for, and nothing handles that: `waitForAnswer` returns it. */
  'answer-unhandled': [answer: LateAnswer];
  /** The handler kept running after its signal was aborted. */
  stuck: [message: InboundMessage];
  /** A message is larger than the client can read: it is a dead letter without a message, and failed for its sender. */
  'set-aside': [row: { readonly activityId: string; readonly messageId: string }, error: unknown];
  /**
   * `auto` has switched, or its first probe has ended: messages come in this way. `reason` says why it is not push, `null` when
   * it is.
   */
  'delivery-changed': [mode: 'push' | 'long-poll', reason: string | null];
  /** The workspace was paused: no handler runs until it is resumed. */
  paused: [];
  /** Handlers run again. */
  resumed: [];
  /** The workspace was deleted, and the agent ends. */
  removed: [];
  /** The token is not accepted any more, and the agent ends. */
  revoked: [];
  /** Another running agent reads for the workspace, and this one ends. */
  superseded: [];
  /** Something is wrong, and `health().ok` is false until `recovered` with the same reason. */
  degraded: [reason: DegradedReason, error: unknown];
  recovered: [reason: DegradedReason];
  /** The platform no longer knows the read position: unacknowledged messages are read again. */
  'cursor-lost': [error: unknown];
  /** The name, the card or the address of a peer is another one than when this agent first used it. */
  'peer-changed': [change: PeerChange];
  /** The agent has ended. Not emitted for one whose start failed: `start()` rejects, or `start-failed` is emitted. */
  stopped: [outcome: LoopOutcome];
}

export type AgentEventName = keyof AgentEvents;
export type AgentListener<Name extends AgentEventName> = (...values: AgentEvents[Name]) => unknown;
