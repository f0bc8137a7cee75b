import type { JsonObject, MessagePart } from '@molecule-ai/protocol';
import { ConfigurationError } from '../errors/molecule-error.ts';

/** What a handler of inbound requests needs of an agent. `RemoteAgent` has it. */
export interface InboundAgent {
  readonly inbound: InboundPort;
}

/** The receiving side of an agent, for requests that reach its own URL. */
export interface InboundPort {
  /** Call when requests are served: only then the agent may receive by push. */
  attach(): void;
  /** Call when a server of the agent has started or stopped: whether the platform reaches it is probed at once. */
  serverChanged(): void;
  /** Call when a request came whose body was read before: no message can reach the agent like this. */
  bodyWasRead?(): void;
  /** The agent's card. */
  card(): JsonObject;
  /** Checks the credential of a request. Never rejects. */
  authenticate(headers: Pick<Headers, 'get'>): InboundAccess | Promise<InboundAccess>;
  /** Accepts a message and waits for its end, at most as long as the request says. Never rejects. */
  receive(request: InboundRequest): Promise<InboundResult>;
  /** Accepts a message for a stream of its answer; a result where there is nothing to stream. Never rejects. */
  stream(request: Omit<InboundRequest, 'holdMs'>): Promise<InboundStream | InboundResult>;
  /** The stream of a message that this caller sent before; `null` for any other. */
  resubscribe(caller: InboundCaller, taskId: string, signal: AbortSignal): Promise<InboundStream | null>;
  /** The state of a message that this caller sent; `null` for any other. */
  find(caller: InboundCaller, taskId: string): Promise<InboundResult | null>;
  /** Ends a message that this caller sent; `null` when it sent none that can end. */
  cancel(caller: InboundCaller, taskId: string): Promise<InboundResult | null>;
  /** The platform says that the state of the workspace has changed. */
  stateChanged(status: string): void;
}

/**
 * Who sends a request, as its credential says: the platform (`push`), a peer with a token for this agent (`direct`), or
 * somebody without a credential (`unknown`).
 */
export interface InboundCaller {
  readonly use: 'push' | 'direct' | 'unknown';
  /** The sending workspace, `canvas` for a person; `''` when the credential does not name it. */
  readonly subject: string;
}

/** Why a request is not accepted, as the response says it. */
export interface InboundRefusal {
  /** Of the HTTP response. */
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

export type InboundAccess =
  /** `tokenId` is the `jti` of the token, `''` without one. */
  | { readonly kind: 'granted'; readonly caller: InboundCaller; readonly tokenId: string }
  | {
      readonly kind: 'refused';
      readonly refusal: InboundRefusal;
      /** The token of the platform is good, but for the clock of the agent. */
      readonly hasWrongTime?: boolean | undefined;
    };

/** A message that a request brings. */
export interface InboundRequest {
  readonly caller: InboundCaller;
  /** The JSON-RPC request. */
  readonly envelope: JsonObject;
  /** The headers that say which trace the request belongs to; `null` where it has none. */
  readonly traceparent?: string | null | undefined;
  readonly tracestate?: string | null | undefined;
  /** How long to wait for the end of the message, in milliseconds. */
  readonly holdMs: number;
  /** Aborts when the caller has closed the connection. The message is handled all the same. */
  readonly signal: AbortSignal;
}

/** How a message ended that a request brought, or what it asks. */
export interface MessageEnd {
  readonly state: 'answered' | 'input_required' | 'unanswered' | 'failed' | 'canceled' | 'expired';
  /** RFC 3339. */
  readonly at: string;
  /** Of `answered` and `input_required`, else `null`. */
  readonly answer: {
    readonly messageId: string;
    readonly text: string;
    readonly parts?: readonly MessagePart[] | undefined;
    readonly metadata?: JsonObject | undefined;
  } | null;
  /** Of `failed`, else `null`: the sentence for the sender, and a word. */
  readonly error: { readonly message: string; readonly code: string } | null;
}

/** The message that a result is about. `taskId` is the id of its row, of a direct message its own id. */
export interface AboutMessage {
  readonly taskId: string;
  readonly messageId: string;
  readonly contextId: string;
}

export type InboundResult =
  | ({ readonly kind: 'ended'; readonly end: MessageEnd } & AboutMessage)
  /** Accepted and not ended; the answer is sent later. */
  | ({ readonly kind: 'working'; readonly at: string } & AboutMessage)
  | { readonly kind: 'refused'; readonly refusal: InboundRefusal };

/** The answer of a message, step by step. */
export interface InboundStream extends AboutMessage {
  readonly kind: 'stream';
  /** The message id of the answer. */
  readonly answerId: string;
  /** When it was opened, RFC 3339. */
  readonly at: string;
  /** Aborts when the caller has not taken a step for 30 s; the stream is closed then. */
  readonly stalled: AbortSignal;
  /** Waits for the next step. Call it again when the caller has taken it. Never rejects. */
  next(): Promise<StreamStep>;
  /** The caller has gone. The message goes on. Idempotent. */
  close(): void;
}

export type StreamStep =
  /** More of the text, at most 64 Ki UTF-16 units. */
  | { readonly kind: 'text'; readonly text: string }
  /** Nothing has happened for 15 s. */
  | { readonly kind: 'silence' }
  /** The last step, which comes when the text is complete; `working` after five minutes without text. */
  | { readonly kind: 'end'; readonly result: Exclude<InboundResult, { readonly kind: 'refused' }> }
  /** The last step when the message is handled later: the caller asks again. */
  | { readonly kind: 'closed' };

/** @throws ConfigurationError naming the option. */
export function checkInboundAgent(option: string, agent: unknown): void {
  const { inbound } = (agent ?? {}) as Partial<InboundAgent>;
  if (typeof inbound?.attach === 'function') return;
  throw new ConfigurationError(`${option} must be an agent, as createRemoteAgent returns it.`);
}
