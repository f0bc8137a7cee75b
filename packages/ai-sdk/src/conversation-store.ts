import { ConfigurationError, MessageFailure, MoleculeError } from '@molecule-ai/core';
import type { ModelMessage, StepResult, ToolSet } from 'ai';

const MAX_CONVERSATIONS = 1_000;

/**
 * Where the conversations of a handler are kept. Messages are plain data: a store may write them as JSON. They contain words of peers, so
 * keep them as private as credentials. Keys with a `/` are of runs; those that were not saved for a week can be deleted. In the id of a
 * conversation `/` is written `%2F`, and `%` is `%25`.
 */
export interface ConversationStore {
  /** The messages of a conversation, oldest first; `undefined` for one that it does not have. */
  load(conversationId: string): Promise<readonly ModelMessage[] | undefined>;
  /** Replaces the messages of a conversation, all at once. None means that it can be deleted. */
  save(conversationId: string, messages: readonly ModelMessage[]): Promise<void>;
}

/** Keeps conversations until the process ends, the 1 000 that were used last, and as many runs under way. */
export class MemoryConversationStore implements ConversationStore {
  readonly #conversations = new Map<string, readonly ModelMessage[]>();
  readonly #runs = new Map<string, readonly ModelMessage[]>();

  async load(conversationId: string): Promise<readonly ModelMessage[] | undefined> {
    const messages = this.#with(conversationId).get(conversationId);
    if (messages !== undefined) this.#keep(conversationId, messages);
    return messages;
  }

  async save(conversationId: string, messages: readonly ModelMessage[]): Promise<void> {
    const kept = this.#with(conversationId);
    if (messages.length === 0) {
      kept.delete(conversationId);
      return;
    }
    this.#keep(conversationId, [...messages]);
    const [oldest] = kept.keys();
    if (kept.size > MAX_CONVERSATIONS && oldest !== undefined) kept.delete(oldest);
  }

  /** As the one that was used last. */
  #keep(conversationId: string, messages: readonly ModelMessage[]): void {
    const kept = this.#with(conversationId);
    kept.delete(conversationId);
    kept.set(conversationId, messages);
  }

  #with(key: string): Map<string, readonly ModelMessage[]> {
    return key.includes('/') ? this.#runs : this.#conversations;
  }
}

/** What a conversation has of one message. */
export interface StoredRun {
  /** What was said before it. */
  readonly history: readonly ModelMessage[];
  /** From its user message on; `[]` before its first step has ended. */
  readonly messages: readonly ModelMessage[];
}

/** One conversation in a store: its finished exchanges, and under keys of their own the runs under way. Not used by two runs at the same time. */
export class Conversation {
  readonly #store: ConversationStore;
  readonly #id: string;
  readonly #maxMessages: number;
  #messages: readonly ModelMessage[] = [];
  readonly #saved = new Set<string>();

  private constructor(store: ConversationStore, id: string, maxMessages: number) {
    this.#store = store;
    // Or a conversation could have the key of a run.
    this.#id = id.replaceAll('%', '%25').replaceAll('/', '%2F');
    this.#maxMessages = maxMessages;
  }

  /** @throws MoleculeError `storage_failed`, which may pass; MessageFailure `invalid_history` */
  static async open(store: ConversationStore, id: string, maxMessages: number): Promise<Conversation> {
    const conversation = new Conversation(store, id, maxMessages);
    conversation.#messages = bounded(await conversation.#load(conversation.#key), maxMessages);
    return conversation;
  }

  /** Whether something was said in it. */
  get exists(): boolean {
    return this.#maxMessages > 0 && this.#messages.length > 0;
  }

  /** The run of a message, under way or finished. */
  async run(messageId: string): Promise<StoredRun> {
    const key = this.#keyOf(messageId);
    const stored = await this.#load(key);
    const [start, end] = this.#placeOf(messageId);
    if (stored.length > 0) this.#saved.add(key);
    const finished = this.#messages.slice(start, end);
    // A run that has ended may be stored without its last steps as well, when the process ended before it was deleted.
    const isUnderWay = stored.length > withoutEnd(finished).length;
    return {
      history: this.#maxMessages === 0 ? [] : this.#messages.slice(0, start),
      messages: isUnderWay ? stored : finished,
    };
  }

  /** Keeps a run under way. */
  async saveRun(messageId: string, messages: readonly ModelMessage[]): Promise<void> {
    const key = this.#keyOf(messageId);
    await this.#save(key, messages);
    this.#saved.add(key);
  }

  /** Adds the exchange of a run that has ended. */
  async end(messageId: string, messages: readonly ModelMessage[]): Promise<void> {
    const [start, end] = this.#placeOf(messageId);
    const all = [...this.#messages.slice(0, start), ...messages, ...this.#messages.slice(end)];
    this.#messages = bounded(all, this.#maxMessages);
    await this.#save(this.#key, this.#messages);
    await this.drop(messageId);
  }

  /** Forgets a run under way. */
  async drop(messageId: string): Promise<void> {
    const key = this.#keyOf(messageId);
    if (this.#saved.delete(key)) await this.#save(key, []);
  }

  /** Without a memory, the last exchange is kept for its redelivery, as a run is. */
  get #key(): string {
    return this.#maxMessages === 0 ? this.#keyOf('') : this.#id;
  }

  #keyOf(messageId: string): string {
    return `${this.#id}/${messageId}`;
  }

  /** Where the exchange of a message is; at the end before it is there. */
  #placeOf(messageId: string): readonly [start: number, end: number] {
    const start = this.#messages.findIndex((message) => messageIdOf(message) === messageId);
    if (start === -1) return [this.#messages.length, this.#messages.length];
    const next = this.#messages.findIndex((message, at) => at > start && messageIdOf(message) !== undefined);
    return [start, next === -1 ? this.#messages.length : next];
  }

  async #load(key: string): Promise<readonly ModelMessage[]> {
    const loaded: unknown = await stored(() => this.#store.load(key));
    if (loaded === undefined || loaded === null) return [];
    if (Array.isArray(loaded) && loaded.every(isMessage)) return loaded;
    throw invalidHistory(new TypeError('load() must return a list of messages of the AI SDK, or undefined.'));
  }

  async #save(key: string, messages: readonly ModelMessage[]): Promise<void> {
    await stored(() => this.#store.save(key, messages));
  }
}

/** A run without the step that ended it: no model continues after its own words. */
export function withoutEnd(messages: readonly ModelMessage[]): readonly ModelMessage[] {
  return messages.slice(0, messages.findLastIndex(({ role }) => role !== 'assistant') + 1);
}

/** What the steps of a run add to the conversation. Version 6 has in each step what all of them added, 7 what that one did. */
export class StepRecorder {
  readonly #input: readonly ModelMessage[];
  readonly #signal: AbortSignal;
  readonly #onStep: (messages: readonly ModelMessage[]) => Promise<void>;
  #messages: ModelMessage[] = [];
  /** Whether the results of calls that were just approved are not known. They come before the first step. */
  #lacksResults: boolean;

  constructor(
    input: readonly ModelMessage[],
    signal: AbortSignal,
    onStep: (messages: readonly ModelMessage[]) => Promise<void>,
  ) {
    this.#input = input;
    this.#signal = signal;
    this.#onStep = onStep;
    this.#lacksResults = approvalIn(input.at(-1)) !== undefined;
  }

  /** Whether the results of approved calls are yet to be known. */
  get isResumed(): boolean {
    return this.#lacksResults;
  }

  /** Keeps the results of approved calls before a model reads them: what was approved once is not done twice. */
  async resumed(messages: readonly ModelMessage[]): Promise<void> {
    const approvalId = approvalIn(this.#input.at(-1));
    const at = messages.findLastIndex((message) => approvalIn(message) === approvalId);
    const [responses, results] = at === -1 ? [] : messages.slice(at);
    if (!this.#lacksResults || responses?.role !== 'tool' || results?.role !== 'tool') return;
    this.#messages = [results];
    this.#lacksResults = false;
    if (!this.#signal.aborted) return this.#onStep(this.#messages);
    const done = results.content.filter((part) => part.type === 'tool-result' && isDone(part.output.type));
    // With its result beside its response, an approved call is not run again. The others are.
    if (done.length > 0) await this.#onStep([{ role: 'tool', content: [...responses.content, ...done] }]);
  }

  /** A step with a call that was aborted is left out until another follows: the next attempt makes the call again. */
  async finished(step: Pick<StepResult<ToolSet>, 'response' | 'content'>): Promise<void> {
    const { messages } = step.response;
    if ('performance' in step) this.#messages.push(...messages);
    else {
      this.#messages = [...messages];
      this.#lacksResults = false;
    }
    const isCut = step.content.some((part) => part.type === 'tool-error' && this.#isAbort(part.error));
    if (this.#lacksResults || isCut || this.#messages.at(-1)?.role !== 'tool') return;
    await this.#onStep(this.#messages);
  }

  #isAbort(error: unknown): boolean {
    return this.#signal.aborted || /^(Abort|Timeout)Error$/.test(String(Object(error).name));
  }
}

/** Neither failed, as aborted calls do, nor denied, which the AI SDK adds in each attempt. */
function isDone(type: string): boolean {
  return !type.startsWith('error-') && type !== 'execution-denied';
}

function approvalIn(message: ModelMessage | undefined): string | undefined {
  if (message?.role !== 'tool') return undefined;
  return message.content.find((part) => part.type === 'tool-approval-response')?.approvalId;
}

/** Version 7 of the AI SDK checks little of a prompt. */
function isMessage(value: unknown): value is ModelMessage {
  const { role, content }: { readonly role?: unknown; readonly content?: unknown } = Object(value);
  if (typeof content === 'string') return role === 'system' || role === 'user' || role === 'assistant';
  const isTyped = Array.isArray(content) && content.every(isPart);
  if (!isTyped || role === 'assistant') return isTyped;
  return (
    (role === 'user' || role === 'tool') && content.every(({ type }) => isOfTool(type) === (role === 'tool'))
  );
}

/** Types of parts are words with hyphens, also those of later releases; others have underscores or capitals. */
function isPart(value: unknown): boolean {
  const { type, text, toolCallId, output } = Object(value);
  if (type === 'text' || type === 'reasoning') return typeof text === 'string';
  if (type === 'tool-call') return typeof toolCallId === 'string' && 'input' in Object(value);
  if (type === 'tool-result')
    return typeof toolCallId === 'string' && typeof Object(output).type === 'string';
  return typeof type === 'string' && /^[a-z]+(-[a-z]+)*$/.test(type);
}

function isOfTool(type: unknown): boolean {
  return String(type).startsWith('tool-');
}

async function stored<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new MoleculeError('The store of conversations failed.', {
      code: 'storage_failed',
      hint: 'See the cause, which is what the `store` of createAiSdkHandler() threw. The message is tried again.',
      isRetryable: true,
      cause: error,
    });
  }
}

/** For messages in a store that cannot be continued. */
export function invalidHistory(cause: unknown): MessageFailure {
  return new MessageFailure('The agent cannot read what was said before.', {
    code: 'invalid_history',
    cause: new MoleculeError('The store has messages that this version of the AI SDK does not read.', {
      code: 'storage_failed',
      hint: 'Convert the messages of this conversation, or delete them: save(conversationId, []).',
      cause,
    }),
  });
}

/** For an answer to what a run asked that the store does not have. */
export function runNotFound(): MessageFailure {
  return new MessageFailure('The agent has lost the work that this answer is for.', {
    code: 'run_not_found',
    cause: new ConfigurationError(
      'The store has no run that asked this. A MemoryConversationStore loses all of them when the process ends.',
      {
        hint: 'Set the option `store` of createAiSdkHandler() to one that keeps conversations in a database.',
      },
    ),
  });
}

/** The message of the platform to which a stored user message belongs. */
function messageIdOf({ role, providerOptions }: ModelMessage): string | undefined {
  const id = role === 'user' ? providerOptions?.molecule?.messageId : undefined;
  return typeof id === 'string' ? id : undefined;
}

/** The latest messages, from a user message on, so that no result is parted from its call; at least the last exchange. */
function bounded(messages: readonly ModelMessage[], maxMessages: number): readonly ModelMessage[] {
  if (messages.length <= maxMessages) return messages;
  const isStart = ({ role }: ModelMessage) => role === 'user';
  const start = messages.findIndex((message, at) => at >= messages.length - maxMessages && isStart(message));
  return messages.slice(start === -1 ? messages.findLastIndex(isStart) : start);
}
