import { ConfigurationError } from '@molecule-ai/core';
import type { ApprovalSigner } from './chat-approvals.ts';

const CHAT_ID = /^[\x21-\x7e]{1,200}$/;
const PLACE = /^messages\[\d+\](\.parts\[\d+\])?(\.[a-zA-Z]{1,30})?$/;
/** What a page may set in a part, by its type. Other fields can name what the application has at a provider, such as a file. */
const FIELDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['text', ['text', 'state']],
  ['reasoning', ['id', 'text', 'state']],
  ['file', ['mediaType', 'filename', 'url']],
  ['reasoning-file', ['mediaType', 'url']],
  ['custom', ['kind']],
  ['source-url', ['sourceId', 'url', 'title']],
  ['source-document', ['sourceId', 'mediaType', 'title', 'filename']],
  ['steering-message', ['id']],
  ['step-start', []],
  ['data', ['id', 'data']],
]);
const CALL = ['type', 'toolName', 'toolCallId', 'title', 'toolMetadata', 'providerExecuted', 'input'];
const APPROVAL = ['id', 'approved', 'reason', 'requestReason', 'signature', 'inputSchemaInput'];
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
  if (!Array.isArray(messages) || messages.length === 0) throw invalidMessages();
  const wrong = messages.findIndex((message) => !isMessage(message));
  if (wrong !== -1) throw invalidMessages({ context: { field: `messages[${wrong}]` } });
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

/** @param error of the framework, of which only the place is shown */
export function invalidMessages(error?: unknown): Refusal {
  const hint = `Send them as they were received: \`${placeIn(error)}\` is wrong.`;
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
    const live = callCounts(parts.slice(lastStep + 1));
    const clean = parts.flatMap((part, at) => {
      if (role !== 'assistant' || !isCall(part)) return this.#content(part, role);
      return this.#call(part, at > lastStep, live.get(part.toolCallId) === 1);
    });
    return { ...message, parts: clean };
  }

  /** A part with the fields that a page may set; none for a type that only a later version of the framework has. */
  #content(part: ChatPart, role: string): ChatPart[] {
    const fields = FIELDS.get(part.type.startsWith('data-') ? 'data' : part.type);
    const isUsers = role !== 'assistant';
    if (fields === undefined || (isUsers && part.type === 'steering-message')) return [];
    if (/^(reasoning-)?file$/.test(part.type)) this.#checkFile(part);
    const clean = { type: part.type, ...picked(part, fields) };
    if (part.type === 'steering-message') {
      if (!isMessage({ ...part, role: 'user' })) throw invalidMessages();
      const said = part.parts as readonly ChatPart[];
      return [{ ...clean, parts: said.flatMap((each) => this.#content(each, 'user')) }];
    }
    // Options of a provider are not for users to set.
    return [isUsers ? clean : { ...clean, ...ownMetadata(part, ['providerMetadata']) }];
  }

  /** A call with its result, or why it has none. Only one that waits for its approval keeps it. */
  #call(part: ChatPart, isLive: boolean, isOnly: boolean): ChatPart[] {
    const { state, approval, preliminary, output, errorText, rawInput } = part;
    const call: ChatPart = {
      type: part.type,
      ...picked(part, CALL),
      ...ownMetadata(part, ['callProviderMetadata', 'resultProviderMetadata']),
    };
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
    if (isLive && state === 'approval-responded')
      return [this.#approved({ ...call, state, approval }, isOnly)];
    const isDenied = state === 'approval-requested' || (state === 'approval-responded' && approved === false);
    return withError(isDenied ? reason : NO_RESULT);
  }

  #approved(part: ChatPart, isOnly: boolean): ChatPart {
    const approval = picked(fieldsOf(part.approval), APPROVAL);
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

async function readBody(request: Request, maxBytes: number): Promise<unknown> {
  const { method, headers } = request;
  if (method !== 'POST') throw new Refusal(405, 'method_not_allowed', 'A chat is sent by POST.', 'Use POST.');
  if (!/^application\/json\s*(;|$)/i.test(headers.get('content-type') ?? '')) {
    const hint = 'Content-Type: application/json';
    throw new Refusal(415, 'unsupported_media_type', 'The body is not JSON.', hint);
  }
  const chunks = await chunksOf(request, maxBytes);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    const text = chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join('');
    return JSON.parse(text + decoder.decode());
  } catch {
    throw new Refusal(400, 'invalid_json', 'The body is not JSON.', 'Send what DefaultChatTransport sends.');
  }
}

async function chunksOf(request: Request, maxBytes: number): Promise<Uint8Array[]> {
  const { headers, body, signal } = request;
  const sentence = `A chat has ${maxBytes} bytes at most.`;
  const tooLarge = new Refusal(413, 'body_too_large', sentence, 'Begin another one.');
  if (Number(headers.get('content-length') ?? 0) > maxBytes) throw tooLarge;
  if (request.bodyUsed || body?.locked === true) {
    const hint = 'Give the route the request itself, or a new one.';
    throw new ConfigurationError('The body of the request was read before.', { hint });
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  const kept = new WritableStream<Uint8Array>({
    write(chunk) {
      size += chunk.byteLength;
      if (size > maxBytes) throw tooLarge;
      chunks.push(chunk);
    },
  });
  try {
    // It is cancelled when the page closes the connection.
    await body?.pipeTo(kept, { signal });
  } catch (error) {
    if (error === tooLarge || signal.aborted) throw error;
    throw new Refusal(400, 'incomplete_body', 'The body broke off.', 'Send it again.');
  }
  return chunks;
}

/** The words of a peer stay such, but which of its conversations goes on is not for the page to choose. */
function ownMetadata(part: ChatPart, names: readonly string[]): object {
  const metadata = Object.entries(picked(part, names)).map(([name, value]) => {
    const { molecule, ...others } = fieldsOf(value);
    if (molecule === undefined) return [name, value];
    const { origin } = fieldsOf(molecule);
    const kept = { untrusted: true, origin: typeof origin === 'string' ? origin : 'unknown' };
    return [name, { ...others, molecule: kept }];
  });
  return Object.fromEntries(metadata);
}

function picked(value: object, names: readonly string[]): Readonly<Record<string, unknown>> {
  const entries = names.filter((name) => Object.hasOwn(value, name));
  return Object.fromEntries(entries.map((name) => [name, Reflect.get(value, name)]));
}

/** How often there is a call with each id. */
function callCounts(parts: readonly ChatPart[]): Map<unknown, number> {
  const counts = new Map<unknown, number>();
  for (const { toolCallId } of parts.filter(isCall))
    counts.set(toolCallId, (counts.get(toolCallId) ?? 0) + 1);
  return counts;
}

function isCall({ type }: ChatPart): boolean {
  return type === 'dynamic-tool' || type.startsWith('tool-');
}

function isMessage(value: unknown): value is ChatMessage {
  const { role, parts } = fieldsOf(value);
  return (
    typeof role === 'string' &&
    Array.isArray(parts) &&
    parts.every((part) => typeof fieldsOf(part).type === 'string')
  );
}

/** Which field of which message: the framework names it, or its first issue has the path to it. */
function placeIn(error: unknown): string {
  const { context, cause } = fieldsOf(error);
  const { field } = fieldsOf(context);
  if (typeof field === 'string' && PLACE.test(field)) return field;
  const { path } = fieldsOf(Object(fieldsOf(cause).issues)[0]);
  if (!Array.isArray(path) || typeof path[0] !== 'number') return 'messages';
  const [message, list, part, name] = path;
  const isPart = list === 'parts' && typeof part === 'number';
  const last = isPart ? name : list;
  const place = `messages[${message}]${isPart ? `.parts[${part}]` : ''}`;
  const named = `${place}.${String(last)}`;
  return PLACE.test(named) && typeof last === 'string' ? named : place;
}

function nameOf({ type, toolName }: ChatPart): string {
  return type === 'dynamic-tool' ? String(toolName) : type.slice('tool-'.length);
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return Object(value);
}
