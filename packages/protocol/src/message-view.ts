import { a2aMethod } from './a2a-versions.ts';
import { extractMessageText, extractParts } from './message-text.ts';
import { idOf, isJsonObject, type JsonObject, type JsonValue, objectOf, textOf } from './open-json.ts';

/**
 * A parsed request to an agent: a JSON-RPC call, a bare `{method, params}`, or a shorthand such as `{message}`,
 * `{parts}` or `{task}`. Missing texts are `''`. Frozen. Everything in it comes from the sender and is untrusted.
 */
export interface MessageView {
  /** The request, unchanged. */
  readonly envelope: JsonObject;
  /** Such as `message/send`, also for the names of A2A 1.0, such as `SendMessage`; `''` for a shorthand. */
  readonly method: string;
  readonly params: JsonObject;
  /** The A2A message: `params.message` or `message`; `{}` for a request without one, such as `tasks/cancel`. */
  readonly message: JsonObject;
  readonly role: 'user' | 'agent';
  readonly messageId: string;
  readonly contextId: string;
  /** `metadata.trace_id`. */
  readonly traceId: string;
  /** `metadata.in_reply_to`: the id of the message or row that this message answers. */
  readonly inReplyTo: string;
  /** `metadata.delegation_id`. */
  readonly delegationId: string;
  /** `metadata.deadline`: an RFC 3339 time after which nobody waits for an answer. */
  readonly deadline: string;
  /** The metadata of the params and of the message in one; the message's entries win. */
  readonly metadata: JsonObject;
  /** False for answers and for messages in the role `agent`, so that two agents cannot answer each other forever. */
  readonly expectsAnswer: boolean;
  /** The result of `extractParts`; computed on first use. */
  readonly parts: readonly JsonObject[];
  /** The result of `extractMessageText`; computed on first use. */
  readonly text: string;
}

/** Parses a request of any supported shape; anything but an object is treated as `{}`. Never throws on JSON. */
export function viewMessage(envelope: JsonValue | undefined): MessageView {
  return new EnvelopeView(objectOf(envelope));
}

/** Whether the sender of a message expects an answer to it. */
export function expectsAnswer(message: Pick<MessageView, 'role' | 'inReplyTo'>): boolean {
  return message.inReplyTo === '' && message.role === 'user';
}

class EnvelopeView implements MessageView {
  readonly envelope: JsonObject;
  readonly method: string;
  readonly params: JsonObject;
  readonly message: JsonObject;
  readonly role: 'user' | 'agent';
  readonly messageId: string;
  readonly contextId: string;
  readonly traceId: string;
  readonly inReplyTo: string;
  readonly delegationId: string;
  readonly deadline: string;
  readonly metadata: JsonObject;
  readonly expectsAnswer: boolean;
  #parts: readonly JsonObject[] | undefined;
  #text: string | undefined;

  constructor(envelope: JsonObject) {
    const params = objectOf(envelope.params);
    const message = isJsonObject(params.message) ? params.message : objectOf(envelope.message);
    const metadata = Object.freeze({ ...objectOf(params.metadata), ...objectOf(message.metadata) });
    this.envelope = envelope;
    this.method = a2aMethod(textOf(envelope.method));
    this.params = params;
    this.message = message;
    this.role = isAgentRole(message.role) ? 'agent' : 'user';
    this.messageId = idOf(message.messageId);
    this.contextId = idOf(message.contextId) || idOf(params.contextId);
    this.traceId = textOf(metadata.trace_id);
    this.inReplyTo = idOf(metadata.in_reply_to);
    this.delegationId = idOf(metadata.delegation_id);
    this.deadline = textOf(metadata.deadline);
    this.metadata = metadata;
    this.expectsAnswer = expectsAnswer(this);
    Object.freeze(this);
  }

  get parts(): readonly JsonObject[] {
    this.#parts ??= Object.freeze(extractParts(this.envelope));
    return this.#parts;
  }

  get text(): string {
    this.#text ??= extractMessageText(this.envelope);
    return this.#text;
  }
}

/** `agent`, or `ROLE_AGENT` as A2A 1.0 writes it, in any letter case. */
function isAgentRole(role: JsonValue | undefined): boolean {
  return typeof role === 'string' && /^(role_)?agent$/i.test(role);
}
