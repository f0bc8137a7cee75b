import type { InboundMessage } from '@molecule-ai/protocol';
import type { CallOptions } from '../transport/platform-request.ts';

/** Which messages a delivery asks for. */
export interface FeedQuery extends CallOptions {
  readonly sinceId?: string | undefined;
  readonly unacknowledged?: boolean | undefined;
  readonly limit?: number | undefined;
  /** How long the platform may hold the request, in whole seconds. */
  readonly waitSecs?: number | undefined;
}

/** A page of the inbound feed. */
export interface FeedPage {
  /** Oldest first. */
  readonly messages: readonly InboundMessage[];
  /** Rows the platform sent. */
  readonly rows: number;
  /** How many of them are no message to this agent. */
  readonly skipped: number;
  /** The last row, message or not; `null` for an empty page. */
  readonly lastRowId: string | null;
  readonly hasMore: boolean;
  readonly waitApplied: boolean;
}

/** What a delivery needs of a client; `RemoteAgentClient` satisfies it. */
export interface FeedPort {
  /** Rejects with `CursorLostError` when the platform does not know `sinceId`. */
  fetchInboundPage(query: FeedQuery): Promise<FeedPage>;
}

/** What became of an answer; `duplicate` when this message had been answered before. */
export interface AnswerReceipt {
  readonly status: 'sent' | 'duplicate';
}

/** What the inbox and the processor need of a client; `RemoteAgentClient` satisfies it. */
export interface InboundPort extends FeedPort {
  /** Finished up to and including this row. */
  acknowledge(upToActivityId: string, options: CallOptions): Promise<{ readonly isSupported: boolean }>;
  /** One answer per message and key, however often it is sent. */
  reply(
    message: InboundMessage,
    text: string,
    options: CallOptions & { readonly idempotencyKey?: string | undefined },
  ): Promise<AnswerReceipt>;
}
