import { type MessageState, routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { call } from '../platform-api/call.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';

export interface ListMessagesOptions extends CallOptions {
  /** One state or several; `open` or `ended` for all of that kind. @default every state */
  state?: MessageState | readonly MessageState[] | 'open' | 'ended' | undefined;
  /** Only messages that changed at or after this RFC 3339 time. */
  since?: string | undefined;
  /** At most this many, 1–200. @default 50 */
  limit?: number | undefined;
}

/** One message that the workspace sent, without its texts. Times are RFC 3339. */
export interface SentMessage {
  readonly messageId: string;
  readonly activityId: string;
  readonly targetId: string;
  readonly contextId: string;
  /** Treat unknown words as open. */
  readonly state: string;
  /** Whether it waits because the target is paused. */
  readonly isHeld: boolean;
  /** How often delivery was attempted. */
  readonly attempts: number;
  /** Why it failed. */
  readonly code: string | null;
  readonly createdAt: string;
  readonly answeredAt: string | null;
  /** `null` while it is open. */
  readonly endedAt: string | null;
}

export interface SentMessagePage {
  /** The latest change first. */
  readonly messages: readonly SentMessage[];
  readonly hasMore: boolean;
}

/** Lists what the workspace sent. */
export async function listSentMessages(
  transport: Transport,
  workspaceId: string,
  { state, since, limit, signal }: ListMessagesOptions,
): Promise<SentMessagePage> {
  const query = {
    state: Array.isArray(state) ? state.join(',') : (state as string | undefined),
    since,
    limit,
  };
  const { capabilities } = transport;
  if (capabilities.lacks('message-status')) throw notSupported();
  try {
    const params = { id: workspaceId };
    const { messages, has_more } = await call(transport, routes.listMessages, { params, query, signal });
    return {
      hasMore: has_more,
      messages: messages.map((message) => ({
        messageId: message.message_id,
        activityId: message.activity_id,
        targetId: message.target_id,
        contextId: message.context_id,
        state: message.state,
        isHeld: message.held,
        attempts: message.attempts,
        code: message.code,
        createdAt: message.created_at,
        answeredAt: message.answered_at,
        endedAt: message.ended_at,
      })),
    };
  } catch (error) {
    throw ApiError.isInstance(error) && error.code === 'routing_problem' ? notSupported(error) : error;
  }
}

function notSupported(cause?: unknown): MoleculeError {
  return new MoleculeError('The platform does not list the messages that a workspace sent.', {
    code: 'not_supported',
    hint: 'Keep the message ids and ask for each with getMessage().',
    cause,
  });
}
