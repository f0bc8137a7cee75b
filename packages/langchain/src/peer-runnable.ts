import { HumanMessage, HumanMessageChunk } from '@langchain/core/messages';
import { Runnable, type RunnableConfig } from '@langchain/core/runnables';
import {
  ConnectionError,
  createPeerTextFence,
  currentMessage,
  MoleculeError,
  type PeerClient,
  type PeerReply,
  TimeoutError,
} from '@molecule-ai/core';
import {
  clientProblem,
  contextIdOfCall,
  fenceRepeatably,
  messageIdOfCall,
  optionsProblem,
  outcomeOfReply,
  peerIdProblem,
} from '@molecule-ai/core/tools';
import {
  cut,
  cutNote,
  isState,
  joined,
  mayHaveArrived,
  type PeerRunnableInput,
  type PeerRunnableOutput,
  textOf,
} from './peer-messages.ts';
import { placeOfCall } from './threads.ts';

const DEFAULT_TIMEOUT_MS = 120_000;
const DEFAULT_MAX_MODEL_CHARS = 32_000;
/** A call ends so much before the `timeout` of its config, which would abort it, in milliseconds. */
const BEFORE_TIMEOUT_MS = 2_000;
const MIN_TIMEOUT_MS = 2_000;
const NUMBERS = {
  timeoutMs: { min: MIN_TIMEOUT_MS, isInteger: true },
  maxModelChars: { min: 1, isInteger: true },
};
/** Failed calls that may be repeated. */
const MAX_FAILED = 1_000;
const WAY_TO_ANSWER = /: waitForAnswer\([^)]*\)(?:, or call again with this messageId)?\./;
/** So long after a call that may have reached the peer the same question is its repeat, where nothing else says so, in milliseconds. */
const REPEATS_WITHIN_MS = 600_000;
/** Under this name LangGraph keeps what belongs to one attempt of a task. */
const ATTEMPT = '__pregel_scratchpad';

/** Options of {@link createPeerRunnable}. */
export interface PeerRunnableOptions {
  /**
   * How long to wait for the answer, in milliseconds, 2 000 or more; then it is a value of the status `queued`.
   * @default 120_000; of a stream, as long as the peer goes on
   */
  timeoutMs?: number | undefined;
  /** At most so many characters of the peer in one message, 1 or more. @default 32_000 */
  maxModelChars?: number | undefined;
}

/**
 * Asks one peer, as a step of a chain, a node of a graph or a subagent. Given a state with messages it returns messages for it, else a
 * message; its content is fenced, so it may go into a prompt. `stream` gives pieces whose content, joined, is the same.
 *
 * Every end of the message is a value, also `queued`, when there is no answer yet: `response_metadata.peer_reply` has the status. It
 * rejects when the peer cannot be asked, with an error that has no words of a peer. A call that is repeated after that sends no second message.
 * @throws MoleculeError `invalid_argument` for wrong options, and for a `peerId` that is no id of a workspace.
 *
 * @example
 * const graph = new StateGraph(MessagesAnnotation).addNode('lab', createPeerRunnable(client, labId)).addEdge(START, 'lab').compile();
 */
export function createPeerRunnable<
  Input extends PeerRunnableInput = Exclude<PeerRunnableInput, { messages: unknown }>,
>(client: PeerClient, peerId: string, options: PeerRunnableOptions = {}): PeerRunnable<Input> {
  return new PeerRunnable<Input>(client, peerId, options);
}

/** See {@link createPeerRunnable}. */
export class PeerRunnable<Input extends PeerRunnableInput> extends Runnable<
  Input,
  PeerRunnableOutput<Input>
> {
  static override lc_name(): string {
    return 'PeerRunnable';
  }

  override lc_namespace = ['molecule_ai', 'langchain', 'peers'];
  readonly peerId: string;
  private readonly client: PeerClient;
  private readonly options: PeerRunnableOptions;
  private readonly failed = new Map<string, FailedCall>();
  private readonly counts = new WeakMap<object, Map<string, number>>();

  constructor(client: PeerClient, peerId: string, options: PeerRunnableOptions) {
    super();
    const problem = clientProblem(client) ?? peerIdProblem(peerId) ?? optionsProblem(options, NUMBERS);
    if (problem !== null) throw new MoleculeError(problem, { code: 'invalid_argument' });
    this.client = client;
    this.peerId = peerId;
    this.options = options;
  }

  /** The client is no part of traces. */
  override toJSON(): ReturnType<Runnable['toJSON']> {
    return { lc: 1, type: 'not_implemented', id: [...this.lc_namespace, PeerRunnable.lc_name()] };
  }

  override invoke(input: Input, config?: Partial<RunnableConfig>): Promise<PeerRunnableOutput<Input>> {
    return this._callWithConfig((given, own) => this.ask(given, own), input, config);
  }

  override async *_streamIterator(
    input: Input,
    config?: Partial<RunnableConfig>,
  ): AsyncGenerator<PeerRunnableOutput<Input>> {
    async function* only(): AsyncGenerator<Input> {
      yield input;
    }
    yield* this.transform(only(), config ?? {});
  }

  override async *transform(
    inputs: AsyncGenerator<Input>,
    config: Partial<RunnableConfig>,
  ): AsyncGenerator<PeerRunnableOutput<Input>> {
    const answer = (all: AsyncGenerator<Input>, _run: unknown, own?: Partial<RunnableConfig>) =>
      this.answerTo(all, own ?? {});
    yield* this._transformStreamWithConfig(inputs, answer, config);
  }

  private async ask(input: Input, config: Partial<RunnableConfig> = {}): Promise<PeerRunnableOutput<Input>> {
    const call = this.callOf(input, config);
    const reply = await this.repeatable(call, () =>
      this.client.callPeer(this.peerId, call.text, {
        ...call.limits,
        timeoutMs: call.limits.timeoutMs ?? DEFAULT_TIMEOUT_MS,
        messageId: call.messageId,
      }),
    );
    return asOutput(input, new HumanMessage(this.fieldsOf(reply, this.contentOf(reply))));
  }

  private async *answerTo(
    inputs: AsyncGenerator<Input>,
    config: Partial<RunnableConfig>,
  ): AsyncGenerator<PeerRunnableOutput<Input>> {
    const input = await joined(inputs);
    if (isState(input)) {
      yield this.ask(input, config);
      return;
    }
    const call = this.callOf(input, config);
    const { messageId, limits } = call;
    const fence = createPeerTextFence({ origin: this.peerId });
    const stream = this.client.streamPeer(this.peerId, call.text, { ...limits, messageId });
    const iterator = stream[Symbol.asyncIterator]();
    const about = { id: messageId, name: this.peerId };
    const chunk = (content: string, more: object = {}) =>
      new HumanMessageChunk({ ...about, ...more, content }) as unknown as PeerRunnableOutput<Input>;
    let left = this.maxModelChars;
    let hasBegun = false;
    try {
      for (;;) {
        const next = await this.repeatable(call, () => iterator.next());
        if (next.done === true) break;
        const shown = cut(next.value, left);
        left -= shown.length;
        if (shown === '') continue;
        hasBegun = true;
        const content = fence.push(shown);
        if (content !== '') yield chunk(content);
      }
    } finally {
      await iterator.return?.();
    }
    const reply = await stream.reply();
    const end = hasBegun ? fence.end() : '';
    const isWhole = hasBegun && reply.status === 'answered';
    const rest = isWhole ? cutNote(reply.text.length - this.maxModelChars) : this.contentOf(reply);
    const { response_metadata } = this.fieldsOf(reply, '');
    yield chunk([end, rest].filter((part) => part !== '').join('\n'), { response_metadata });
  }

  private get maxModelChars(): number {
    return this.options.maxModelChars ?? DEFAULT_MAX_MODEL_CHARS;
  }

  private contentOf(reply: PeerReply): string {
    const { maxModelChars } = this;
    if (reply.status !== 'answered') {
      return outcomeOfReply(reply, { maxModelChars, offered: new Set(), ownId: this.client.workspaceId })
        .forModel;
    }
    const fenced = fenceRepeatably(cut(reply.text, maxModelChars), { origin: this.peerId });
    const note = cutNote(reply.text.length - maxModelChars);
    return note === '' ? fenced : `${fenced}\n${note}`;
  }

  private fieldsOf({ status, messageId, contextId, code }: PeerReply, content: string) {
    const peer_reply = { status, peerId: this.peerId, messageId, contextId, code };
    return { content, id: messageId, name: this.peerId, response_metadata: { peer_reply } };
  }

  private callOf(input: Input, config: Partial<RunnableConfig>): Call {
    const { signal, configurable = {} } = config;
    const [threadId, task] = [idIn(configurable.thread_id), idIn(configurable.checkpoint_ns)];
    const text = textOf(input);
    const contextId = contextIdOfCall(this.client, { threadId }, this.peerId);
    const handled = currentMessage()?.activityId;
    const { stepId, turn: place } = placeOfCall(configurable, [this.peerId, contextId, text]);
    const key = JSON.stringify([stepId ?? handled, threadId, task, contextId, text]);
    const asked = { toolName: 'peer_runnable', peerId: this.peerId, text };
    const failed = this.failedOf(key);
    const turn = this.turnOf(key, configurable);
    const isCounted = handled !== undefined && stepId === undefined && task !== undefined;
    const callId = JSON.stringify([isCounted ? place : task, turn]);
    const derived =
      turn === undefined
        ? undefined
        : messageIdOfCall(this.client, { callId, runId: threadId, stepId }, asked);
    const timeoutMs = Math.min(this.options.timeoutMs ?? Number.POSITIVE_INFINITY, timeLeft(config));
    return {
      key,
      text,
      messageId: failed ?? derived ?? crypto.randomUUID(),
      isInAttempt: turn !== undefined,
      limits: { timeoutMs: Number.isFinite(timeoutMs) ? timeoutMs : undefined, contextId, signal },
    };
  }

  /** The same question may be asked again in one attempt: how often it was before. `undefined` outside of attempts. */
  private turnOf(key: string, configurable: Readonly<Record<string, unknown>>): number | undefined {
    const { [ATTEMPT]: scratchpad } = configurable;
    const attempt = typeof scratchpad === 'object' && scratchpad !== null ? scratchpad : currentMessage();
    if (attempt === undefined) return undefined;
    const counts = this.counts.get(attempt) ?? new Map<string, number>();
    const turn = counts.get(key) ?? 0;
    // A call that failed is repeated with the same id.
    if (!this.failed.has(key)) this.counts.set(attempt, counts.set(key, turn + 1));
    return turn;
  }

  /** The message id of the call before, if it failed and this one is its repeat. */
  private failedOf(key: string): string | undefined {
    const { messageId, endsAtMs } = this.failed.get(key) ?? {};
    if (endsAtMs === undefined || this.client.clock.monotonic() < endsAtMs) return messageId;
    this.failed.delete(key);
    return undefined;
  }

  /** Keeps the id of a call that fails for the next one like it, unless it was aborted: then its message is canceled. */
  private async repeatable<T>(
    { key, messageId, isInAttempt, limits }: Call,
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      const result = await work();
      this.failed.delete(key);
      return result;
    } catch (error) {
      this.failed.delete(key);
      // Only an attempt says that the same question is a repeat. Elsewhere another caller may ask it.
      if (limits.signal?.aborted !== true && (isInAttempt || mayHaveArrived(error))) {
        const endsAtMs = isInAttempt ? undefined : this.client.clock.monotonic() + REPEATS_WITHIN_MS;
        this.failed.set(key, { messageId, endsAtMs });
      }
      const [oldest] = this.failed.keys();
      if (this.failed.size > MAX_FAILED && oldest !== undefined) this.failed.delete(oldest);
      throw withRunnableHint(error);
    }
  }
}

interface FailedCall {
  readonly messageId: string;
  /** By the monotonic clock; `undefined` for an attempt, whose key no other call has. */
  readonly endsAtMs: number | undefined;
}

interface Call {
  readonly key: string;
  readonly text: string;
  readonly messageId: string;
  readonly isInAttempt: boolean;
  readonly limits: {
    readonly timeoutMs: number | undefined;
    readonly contextId: string | undefined;
    readonly signal: AbortSignal | undefined;
  };
}

function asOutput<Input extends PeerRunnableInput>(
  input: Input,
  message: HumanMessage,
): PeerRunnableOutput<Input> {
  return (isState(input) ? { messages: [message] } : message) as unknown as PeerRunnableOutput<Input>;
}

/** Until the time limit of the run, which is a signal by now, in milliseconds. */
function timeLeft({ metadata }: Partial<RunnableConfig>): number {
  const timeoutMs: unknown = metadata?.timeoutMs;
  if (typeof timeoutMs !== 'number') return Number.POSITIVE_INFINITY;
  return Math.max(MIN_TIMEOUT_MS, timeoutMs - BEFORE_TIMEOUT_MS);
}

/** Core's hint names a method of the client; here the call itself is repeated. */
function withRunnableHint(error: unknown): unknown {
  if (!MoleculeError.isInstance(error) || !WAY_TO_ANSWER.test(error.hint ?? '')) return error;
  const hint = error.hint?.replace(WAY_TO_ANSWER, '; the same call again sends the same message.');
  const changed = { hint, cause: error.cause };
  if (TimeoutError.isInstance(error)) return new TimeoutError(error.message, { ...error, ...changed });
  if (ConnectionError.isInstance(error)) return new ConnectionError(error.message, { ...error, ...changed });
  return error;
}

function idIn(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
