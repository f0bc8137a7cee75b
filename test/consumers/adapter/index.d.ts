import type {
  CurrentMessage,
  HandlerContext,
  InboundMessage,
  MessageHandler,
  PeerClient,
  PeerReply,
  PeerStream,
  RemoteAgent,
  RemoteAgentClient,
} from '@molecule-ai/core';

/** Runs an agent of this package's copy of core with the client of another copy. */
export declare function serve(client: PeerClient, onMessage: MessageHandler): RemoteAgent;

/** Takes each public type; returns the fenced text of the reply as this copy of core restores it. */
export declare function describe(values: {
  readonly client: PeerClient & RemoteAgentClient;
  readonly context: HandlerContext;
  readonly message: InboundMessage;
  readonly reply: PeerReply;
}): string;

/** Reads a stream of the client of another copy to its end. */
export declare function collect(stream: PeerStream): Promise<{ text: string; isWhole: boolean }>;

/** Whether this copy of core recognises an error. */
export declare function recognises(error: unknown): boolean;

/** The message that is handled, as this copy of core gives it. */
export declare function handled(): CurrentMessage | undefined;
