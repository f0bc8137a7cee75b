import { JsonValue } from '@molecule-ai/protocol';
import { currentMessage, handlerSignal } from '../client/current-message.ts';
import type { CallPeerOptions, MessageContent } from '../client/peer-calls.ts';
import type { PeerClient } from '../client/peer-client.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { createPeerTextFence, fencePeerText } from '../trust-boundary/fence.ts';
import {
  contextIdOfCall,
  contextIdOfThread,
  countedCall,
  currentConversation,
  messageIdOfCall,
} from './call-identity.ts';
import { mayHaveArrived, type RepeatableCall, RepeatedCalls } from './repeated-calls.ts';
import { cutNote, cutText, outcomeOfReply, ShownWords } from './reply-outcome.ts';
import type { ToolCall } from './tool-definition.ts';

const DEFAULT_TIMEOUT_MS = 120_000;
const DEFAULT_MAX_MODEL_CHARS = 32_000;

export interface PeerCallsOptions {
  readonly client: PeerClient;
  /** Names the caller, such as `language_model`: the same text by two callers is two messages. */
  readonly name: string;
  /** How long to wait for an answer, in milliseconds. @default 120_000; of a stream, as long as the peer goes on */
  readonly timeoutMs?: number | undefined;
  /** At most so many UTF-16 units of a peer in one answer. @default 32_000 */
  readonly maxModelChars?: number | undefined;
}

/** What a peer is asked, and where the framework asks it. */
export interface PeerQuestion extends Omit<ToolCall, 'onProgress' | 'earlierCalls'> {
  readonly text: string;
  /** To questions of kind `text` that the peer asked. */
  readonly answers?: CallPeerOptions['answers'];
  /** How the answer is shown: in a fence for a model, or as plain words; as `json` its data, or else its text. @default 'fenced' */
  readonly show?: 'fenced' | 'text' | 'json' | undefined;
  /** Of an earlier call with the same text, which is sent again. */
  readonly messageId?: string | undefined;
  /** Continues this conversation with the peer. */
  readonly contextId?: string | undefined;
  /** Names the conversation of the application, also in a handler. */
  readonly conversationId?: string | undefined;
  /** The conversation that a prompt names. Within {@link inConversation} somebody else may have written it, so there it does not count. */
  readonly promptContextId?: string | undefined;
  /** One object for each attempt of the work that calls. @default the handled message */
  readonly attempt?: object | undefined;
}

export interface PeerAnswer {
  readonly reply: PeerReply;
  /** What is to be shown after the pieces that were read; without them the whole. */
  readonly rest: string;
  /** How many UTF-16 units of the answer are not shown. */
  readonly omitted: number;
}

/**
 * Asks peers where a framework asks a model or runs a step. A call that the framework repeats sends no second message: in an attempt of a message the n-th
 * call that asks the same is the same as in the attempt before; a call that failed and may have arrived is repeated by the next one in the
 * same attempt, outside of attempts within ten minutes.
 */
export class PeerCalls {
  readonly #options: PeerCallsOptions;
  readonly #calls: RepeatedCalls;

  constructor(options: PeerCallsOptions) {
    this.#options = options;
    this.#calls = new RepeatedCalls(options.client);
  }

  begin(peerId: string, question: PeerQuestion): PeerCall {
    const { client, name } = this.#options;
    const { text, answers, attempt, signal, conversationId, threadId } = question;
    const own = contextIdOfCall(client, { threadId }, peerId);
    const named =
      question.contextId ??
      (conversationId === undefined ? undefined : contextIdOfThread(client, conversationId, peerId)) ??
      (currentConversation() === '' ? (question.promptContextId ?? own) : own);
    const more = (answers ?? []).flatMap(({ questionId, text: answer = '' }) => [questionId, answer]);
    const counted = countedCall(question, [name, peerId, named, text, ...more]);
    const { callId, stepId, runId } = counted;
    const place = [stepId ?? currentMessage()?.activityId, threadId, question.callId ?? question.callerId];
    const key = JSON.stringify([peerId.toLowerCase(), ...place, named, text, ...more]);
    const content = { toolName: name, peerId, text, more };
    const idOf = (turn: number) => {
      const id = JSON.stringify([callId, named, turn]);
      return messageIdOfCall(client, { callId: id, runId, stepId }, content);
    };
    const call = this.#calls.begin(key, { attempt, idOf, signal });
    const messageId = question.messageId ?? call.messageId;
    const contextId = named ?? contextIdOfThread(client, messageId, peerId);
    return new PeerCall({
      ...this.#options,
      ...question,
      timeoutMs: question.timeoutMs ?? this.#options.timeoutMs,
      calls: this.#calls,
      call,
      peerId,
      messageId,
      contextId,
    });
  }
}

interface PeerCallParts extends PeerCallsOptions, PeerQuestion {
  readonly timeoutMs: number | undefined;
  readonly calls: RepeatedCalls;
  readonly call: RepeatableCall;
  readonly peerId: string;
  readonly messageId: string;
  readonly contextId: string;
}

/** One call to a peer. */
export class PeerCall {
  readonly peerId: string;
  readonly messageId: string;
  readonly contextId: string;
  readonly #parts: PeerCallParts;
  readonly #shown: Shown;
  /** Any of them ends the call, which then rejects with its reason. */
  readonly #endings: readonly (AbortSignal | undefined)[];

  constructor(parts: PeerCallParts) {
    const { peerId, messageId, contextId, client, show = 'fenced', signal } = parts;
    this.peerId = peerId;
    this.messageId = messageId;
    this.contextId = contextId;
    this.#parts = parts;
    const maxChars = parts.maxModelChars ?? DEFAULT_MAX_MODEL_CHARS;
    this.#shown =
      show === 'fenced'
        ? new FencedWords(maxChars, { peerId, ownId: client.workspaceId })
        : new ShownWords({ isJson: show === 'json', maxChars });
    this.#endings = [signal, handlerSignal()];
  }

  get isAborted(): boolean {
    return this.#endings.some((signal) => signal?.aborted === true);
  }

  /** Sends the message and waits for the answer. @throws what `callPeer` does */
  async answer(): Promise<PeerAnswer> {
    const { client, text, timeoutMs = DEFAULT_TIMEOUT_MS, calls, call } = this.#parts;
    const reply = await calls.run(call, () =>
      client.callPeer(this.peerId, text, { ...this.#sendOptions, timeoutMs }),
    );
    return this.#end(reply);
  }

  /** Sends the message and gives what is shown of each piece of the answer, also where that is nothing. @throws what `streamPeer` does */
  async *read(): AsyncGenerator<string, PeerAnswer, undefined> {
    const { client, text, timeoutMs, calls, call } = this.#parts;
    const stream = client.streamPeer(this.peerId, text, { ...this.#sendOptions, timeoutMs });
    const pieces = stream[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await calls.run(call, () => pieces.next());
        if (next.done === true) return this.#end(next.value);
        yield this.#shown.push(next.value);
      }
    } finally {
      await pieces.return?.();
    }
  }

  /** The next call that asks the same waits for the answer to this message. */
  keep(): void {
    this.#parts.calls.keep(this.#parts.call);
  }

  /** Whether the peer may have the message of a call that failed: not where the platform refused it, or nothing was sent. */
  mayHaveArrived(error: unknown): boolean {
    return mayHaveArrived(error);
  }

  get #sendOptions(): Pick<CallPeerOptions, 'messageId' | 'contextId' | 'answers' | 'signal'> {
    const { answers, signal } = this.#parts;
    // Answers go to where the peer asked, which the platform knows.
    const contextId = answers === undefined ? this.contextId : undefined;
    return { messageId: this.messageId, contextId, answers, signal };
  }

  #end(reply: PeerReply): PeerAnswer {
    const { delta, omitted } = this.#shown.end(reply);
    return { reply, rest: delta, omitted };
  }
}

interface Shown {
  push(piece: string): string;
  end(reply: PeerReply): { readonly delta: string; readonly omitted: number };
}

/** The words of a peer in one fence, whole or as they come. What became of a message without an answer is said in our words. */
class FencedWords implements Shown {
  readonly #peerId: string;
  readonly #ownId: string;
  readonly #maxChars: number;
  readonly #fence: ReturnType<typeof createPeerTextFence>;
  #left: number;
  #hasBegun = false;

  constructor(maxChars: number, { peerId, ownId }: { readonly peerId: string; readonly ownId: string }) {
    this.#peerId = peerId;
    this.#ownId = ownId;
    this.#maxChars = maxChars;
    this.#left = maxChars;
    this.#fence = createPeerTextFence({ origin: peerId });
  }

  push(piece: string): string {
    const shown = cutText(piece, this.#left);
    this.#left -= shown.length;
    if (shown === '') return '';
    this.#hasBegun = true;
    return this.#fence.push(shown);
  }

  end(reply: PeerReply): { readonly delta: string; readonly omitted: number } {
    const omitted = Math.max(0, reply.text.length - this.#maxChars);
    const isWhole = this.#hasBegun && reply.status === 'answered';
    const parts = [
      this.#hasBegun ? this.#fence.end() : '',
      isWhole ? cutNote(omitted) : this.#wholeOf(reply, omitted),
    ];
    return { delta: parts.filter((part) => part !== '').join('\n'), omitted };
  }

  #wholeOf(reply: PeerReply, omitted: number): string {
    const maxModelChars = this.#maxChars;
    if (reply.status !== 'answered') {
      return outcomeOfReply(reply, { maxModelChars, offered: new Set(), ownId: this.#ownId }).forModel;
    }
    const fenced = fencePeerText(cutText(reply.text, maxModelChars), { origin: this.#peerId });
    return omitted > 0 ? `${fenced}\n${cutNote(omitted)}` : fenced;
  }
}

/**
 * The options of a call that a program makes. In a handler it continues the conversation of the message with this peer, and the call that is made again in
 * another attempt sends the same message. `contextId` and `messageId` of the options take precedence.
 * @param name of the caller: the same text by two callers is two messages
 * @throws MoleculeError `invalid_argument` for what has no form as JSON
 */
export function repeatableCallOptions<
  Options extends Pick<CallPeerOptions, 'contextId' | 'messageId' | 'metadata' | 'answers'>,
>(
  client: PeerClient,
  name: string,
  [peerId, given]: readonly [string, string | MessageContent],
  options: Options,
): Options {
  const { contextId, metadata, answers } = options;
  const { text = '', data, skill } = typeof given === 'string' ? { text: given } : Object(given);
  // Wrong values are errors of the call itself.
  if (typeof peerId !== 'string' || !JsonValue.safeParse([text, data ?? null]).success) return options;
  const typed = data === undefined && skill === undefined ? [] : [jsonOf([data, skill?.id ?? skill])];
  const content = {
    toolName: name,
    peerId,
    text: String(text),
    more: [jsonOf([contextId, metadata, answers]), ...typed],
  };
  const call = countedCall({ callerId: crypto.randomUUID() }, [content]);
  const continued = contextId ?? (answers === undefined ? contextIdOfCall(client, {}, peerId) : undefined);
  return {
    ...options,
    messageId: options.messageId ?? messageIdOfCall(client, call, content),
    contextId: continued,
  };
}

function jsonOf(content: readonly unknown[]): string {
  try {
    return JSON.stringify(content);
  } catch (cause) {
    const problem = '`metadata` and `answers` must be plain JSON.';
    throw new MoleculeError(problem, { code: 'invalid_argument', cause });
  }
}
