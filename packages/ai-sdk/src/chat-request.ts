import { ConfigurationError } from '@molecule-ai/core';
import type { ApprovalSigner } from '@molecule-ai/core/tools';

const CHAT_ID = /^[\x21-\x7e]{1,200}$/;
const NO_RESULT = 'The run ended before this call had a result. Whether it was done is unknown.';
const NOT_APPROVED = 'The user did not approve this call.';
const NO_TOOL = 'The tool is no longer there, and its output is left out.';

/** A part of a message or of its stream: the framework checks the rest of it. */
export type ChatPart = { readonly type: string } & Readonly<Record<string, unknown>>;

export interface ChatMessage {
  readonly role: string;
  readonly parts: readonly ChatPart[];
}

/** What a route accepts. */
export interface ChatRules {
  readonly signer: ApprovalSigner;
  readonly maxBodyBytes: number;
  readonly tools: object;
  chatId(id: string): string | PromiseLike<string>;
  allowFileUrl(url: URL): boolean;
}

/** A chat that a page sent. */
export interface Chat {
  readonly chatId: string;
  /** As the page has it. */
  readonly given: readonly ChatMessage[];
  /** As the agent may be given it: the page can have written anything. */
  readonly clean: readonly ChatMessage[];
  /** The ids of the approvals by which calls are made now. */
  readonly approved: readonly string[];
  /** The ids of the calls that are denied now. */
  readonly denied: readonly string[];
}

/** Why a request is not served, in our own words. */
export class Refusal extends Error {
  readonly #status: number;
  readonly #code: string;
  readonly #hint: string;

  constructor(status: number, code: string, message: string, hint: string) {
    super(message);
    this.#status = status;
    this.#code = code;
    this.#hint = hint;
  }

  response(): Response {
    const body = { error: this.message, code: this.#code, hint: this.#hint };
    const headers = this.#status === 405 ? { allow: 'POST' } : {};
    return Response.json(body, { status: this.#status, headers });
  }
}

/** @throws Refusal */
export async function readChat(request: Request, rules: ChatRules): Promise<Chat> {
  const { id, messages } = fieldsOf(await readBody(request, rules.maxBodyBytes));
  if (typeof id !== 'string' || !CHAT_ID.test(id)) {
    const hint = '`id` has up to 200 printable ASCII characters.';
    throw new Refusal(400, 'invalid_request', 'The chat has no id.', hint);
  }
  if (!Array.isArray(messages) || messages.length === 0 || !messages.every(isMessage))
    throw invalidMessages();
  const chatId: unknown = await rules.chatId(id);
  if (typeof chatId !== 'string' || chatId === '')
    throw new ConfigurationError('`chatId` must return a text.');
  const checked = new CheckedChat(rules, chatId);
  const clean = messages
    .map((message, at) => checked.message(message, at === messages.length - 1))
    // Left by a run that ended before it said anything.
    .filter(({ role, parts }) => role !== 'assistant' || parts.length > 0);
  const { approved, denied } = checked;
  return { chatId, given: messages, clean, approved, denied };
}

export function invalidMessages(): Refusal {
  const hint = 'Send them as they were received.';
  return new Refusal(400, 'invalid_messages', 'The messages are not a chat with this agent.', hint);
}

/**
 * What is approved. A call that the provider of the model makes is another one.
 * @param given what the approval adds to the call
 */
export function approvalOf(call: ChatPart, given: object, conversationId: string) {
  const input = [call.input, fieldsOf(given).inputSchemaInput, call.providerExecuted === true];
  return { conversationId, callId: String(call.toolCallId), toolName: nameOf(call), input };
}

class CheckedChat {
  readonly chatId: string;
  readonly approved: string[] = [];
  readonly denied: string[] = [];
  readonly #rules: ChatRules;

  constructor(rules: ChatRules, chatId: string) {
    this.#rules = rules;
    this.chatId = chatId;
  }

  message(message: ChatMessage, isLast: boolean): ChatMessage {
    const { role, parts } = message;
    if (role === 'system') {
      const hint = 'The agent has its instructions: send those of users as their messages.';
      throw new Refusal(400, 'system_message', 'A page sends no system messages.', hint);
    }
    // The framework makes the calls that were approved in the last step only.
    const lastStep = isLast ? parts.findLastIndex(({ type }) => type === 'step-start') : parts.length;
    const clean = parts.flatMap((part, at) => {
      if (/^(reasoning-)?file$/.test(part.type)) this.#checkFile(part);
      // Options of a provider are not for users to set.
      if (role !== 'assistant') return [{ ...part, providerMetadata: undefined }];
      if (part.type !== 'dynamic-tool' && !part.type.startsWith('tool-')) return [ownConversation(part)];
      const isOnly = parts.every((other) => other === part || other.toolCallId !== part.toolCallId);
      return this.#call(part, at > lastStep, isOnly);
    });
    return { ...message, parts: clean };
  }

  /** A call with its result, or why it has none. Only one that waits for its approval keeps it. */
  #call(part: ChatPart, isLive: boolean, isOnly: boolean): ChatPart[] {
    const { state, approval, preliminary, output, errorText, rawInput, ...call } = part;
    const withError = (text: unknown): ChatPart[] => {
      const input = call.input ?? rawInput ?? {};
      const toolName = nameOf(part);
      return [{ ...call, type: 'dynamic-tool', toolName, state: 'output-error', input, errorText: text }];
    };
    if (state === 'input-streaming') return [];
    if (state === 'output-error') return withError(errorText);
    const { approved, reason = NOT_APPROVED } = fieldsOf(approval);
    if (state === 'output-denied') return withError(reason);
    if (state === 'output-available' && preliminary !== true) {
      return this.#hasTool(part) ? [{ ...call, state, output }] : withError(NO_TOOL);
    }
    if (isLive && state === 'approval-requested') {
      const hint = 'Answer each of them, or send a message.';
      throw new Refusal(409, 'approval_open', 'An approval waits for its answer.', hint);
    }
    if (isLive && state === 'approval-responded') return [this.#approved(part, isOnly)];
    const isDenied = state === 'approval-requested' || (state === 'approval-responded' && approved === false);
    return withError(isDenied ? reason : NO_RESULT);
  }

  #approved(part: ChatPart, isOnly: boolean): ChatPart {
    const { isAutomatic, ...approval } = fieldsOf(part.approval);
    const signed = typeof approval.id === 'string' ? approval.id : '';
    const id = this.#rules.signer.verify(signed, approvalOf(part, approval, this.chatId));
    // With two calls of one id the framework would make the other one.
    if (id === undefined || !isOnly || !this.#hasTool(part)) {
      const hint = 'Load the chat again, and let the agent ask anew.';
      throw new Refusal(403, 'approval_refused', 'This approval was not asked for in this chat.', hint);
    }
    if (approval.approved === true) this.approved.push(signed);
    else this.denied.push(String(part.toolCallId));
    return { ...part, approval: { ...approval, id } };
  }

  #hasTool(part: ChatPart): boolean {
    return Object.hasOwn(this.#rules.tools, nameOf(part));
  }

  #checkFile({ url }: ChatPart): void {
    const isUrl = typeof url === 'string' && URL.canParse(url);
    if (isUrl && (/^data:/i.test(url) || this.#rules.allowFileUrl(new URL(url)))) return;
    const hint = 'Send the file itself, as a `data:` URL.';
    throw new Refusal(400, 'file_url', 'A file by this URL is not accepted.', hint);
  }
}

async function readBody({ method, headers, body }: Request, maxBytes: number): Promise<unknown> {
  if (method !== 'POST') throw new Refusal(405, 'method_not_allowed', 'A chat is sent by POST.', 'Use POST.');
  if (!/^application\/json\s*(;|$)/i.test(headers.get('content-type') ?? '')) {
    const hint = 'Content-Type: application/json';
    throw new Refusal(415, 'unsupported_media_type', 'The body is not JSON.', hint);
  }
  const tooLarge = new Refusal(
    413,
    'body_too_large',
    `A chat has ${maxBytes} bytes at most.`,
    'Begin another one.',
  );
  if (Number(headers.get('content-length') ?? 0) > maxBytes) throw tooLarge;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw tooLarge;
    chunks.push(chunk);
  }
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    const text = chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join('');
    return JSON.parse(text + decoder.decode());
  } catch {
    throw new Refusal(400, 'invalid_json', 'The body is not JSON.', 'Send what DefaultChatTransport sends.');
  }
}

/** The words of a peer stay such, but which of its conversations goes on is not for the page to choose. */
function ownConversation(part: ChatPart): ChatPart {
  const { molecule, ...others } = fieldsOf(part.providerMetadata);
  if (molecule === undefined) return part;
  const { origin } = fieldsOf(molecule);
  const kept = { untrusted: true, origin: typeof origin === 'string' ? origin : 'unknown' };
  return { ...part, providerMetadata: { ...others, molecule: kept } };
}

function isMessage(value: unknown): value is ChatMessage {
  const { role, parts } = fieldsOf(value);
  return (
    typeof role === 'string' &&
    Array.isArray(parts) &&
    parts.every((part) => typeof fieldsOf(part).type === 'string')
  );
}

function nameOf({ type, toolName }: ChatPart): string {
  return type === 'dynamic-tool' ? String(toolName) : type.slice('tool-'.length);
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return Object(value);
}
