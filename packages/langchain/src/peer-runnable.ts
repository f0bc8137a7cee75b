import { HumanMessage, HumanMessageChunk } from '@langchain/core/messages';
import { Runnable, type RunnableConfig } from '@langchain/core/runnables';
import {
  createPeerTextFence,
  currentMessage,
  MoleculeError,
  type PeerClient,
  type PeerReply,
} from '@molecule-ai/core';
import {
  clientProblem,
  contextIdOfCall,
  cutNote,
  cutText,
  fenceRepeatably,
  knownOptions,
  messageIdOfCall,
  optionsProblem,
  outcomeOfReply,
  peerIdProblem,
  type RepeatableCall,
  RepeatedCalls,
} from '@molecule-ai/core/tools';
import { isState, joined, type PeerRunnableInput, type PeerRunnableOutput, textOf } from './peer-messages.ts';
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

const OPTIONS = knownOptions<PeerRunnableOptions>({ timeoutMs: true, maxModelChars: true });

/**
 * Asks one peer, as a step of a chain, a node of a graph or a subagent. Given a state with messages it returns messages for it, else a
 * message; its content is fenced, so it may go into a prompt. `stream` gives pieces whose content, joined, is the same.
 *
 * Every end of the message is a value, also `queued`, when there is no answer yet: `response_metadata.peer_reply` has the status. It
 * rejects when the peer cannot be asked, with an error that has no words of a peer. A call that is repeated after that sends no second message.
 * @throws MoleculeError `invalid_argument` for wrong options, and for a `peerId` that is not the id of a workspace.
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
  private readonly calls: RepeatedCalls;

  constructor(client: PeerClient, peerId: string, options: PeerRunnableOptions) {
    super();
    const problem =
      clientProblem(client) ??
      peerIdProblem(peerId) ??
      optionsProblem(options, NUMBERS, 'createPeerRunnable', OPTIONS);
    if (problem !== null) throw new MoleculeError(problem, { code: 'invalid_argument' });
    this.client = client;
    this.peerId = peerId;
    this.options = options;
    this.calls = new RepeatedCalls(client);
  }

  /** Traces do not contain the client. */
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
    const reply = await this.calls.run(call, () =>
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
        const next = await this.calls.run(call, () => iterator.next());
        if (next.done === true) break;
        const shown = cutText(next.value, left);
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
    const fenced = fenceRepeatably(cutText(reply.text, maxModelChars), { origin: this.peerId });
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
    const isCounted = handled !== undefined && stepId === undefined && task !== undefined;
    const idOf = (turn: number) => {
      const callId = JSON.stringify([isCounted ? place : task, turn]);
      return messageIdOfCall(this.client, { callId, runId: threadId, stepId }, asked);
    };
    const { [ATTEMPT]: scratchpad } = configurable;
    const attempt = typeof scratchpad === 'object' && scratchpad !== null ? scratchpad : undefined;
    const timeoutMs = Math.min(this.options.timeoutMs ?? Number.POSITIVE_INFINITY, timeLeft(config));
    return {
      ...this.calls.begin(key, { attempt, idOf, signal }),
      text,
      limits: { timeoutMs: Number.isFinite(timeoutMs) ? timeoutMs : undefined, contextId, signal },
    };
  }
}

interface Call extends RepeatableCall {
  readonly text: string;
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

function idIn(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
