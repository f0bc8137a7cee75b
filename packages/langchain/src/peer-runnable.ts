import { HumanMessage, HumanMessageChunk } from '@langchain/core/messages';
import { Runnable, type RunnableConfig } from '@langchain/core/runnables';
import { MoleculeError, type PeerClient, type PeerReply } from '@molecule-ai/core';
import { clientProblem, type PeerCall, PeerCalls, peerIdProblem, shape } from '@molecule-ai/core/adapter-kit';
import { isState, joined, type PeerRunnableInput, type PeerRunnableOutput, textOf } from './peer-messages.ts';
import { idIn, placeOfCall, waitWithin } from './threads.ts';

/** Under this name LangGraph keeps what belongs to one attempt of a task. */
const ATTEMPT = '__pregel_scratchpad';

class PeerRunnableShape {
  /**
   * How long to wait for the answer, in milliseconds, 2 000 or more; then it is a value of the status `queued`. `invoke` may return up to 5 s earlier.
   * With a `timeout` of the config that is shorter, it waits 2 000 ms less than this; LangChain may abort a call with one under 4 000.
   * @default 120_000; of a stream, as long as the peer goes on
   */
  timeoutMs = shape.number({ min: 2_000, isInteger: true, byDefault: undefined });
  /** At most so many characters of the peer in one message, 1 or more. @default 32_000 */
  maxModelChars = shape.number({ min: 1, isInteger: true, byDefault: undefined });
}

/** Options of {@link createPeerRunnable}. */
export interface PeerRunnableOptions extends shape.OptionsOf<PeerRunnableShape> {}

const OPTIONS = shape.optionsSchema(new PeerRunnableShape());

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
  private readonly options: PeerRunnableOptions;
  private readonly calls: PeerCalls;

  constructor(client: PeerClient, peerId: string, options: PeerRunnableOptions) {
    super();
    const problem = clientProblem(client) ?? peerIdProblem(peerId);
    if (problem !== null) throw new MoleculeError(problem, { code: 'invalid_argument' });
    shape.parseArgument('createPeerRunnable', OPTIONS, options);
    this.peerId = peerId;
    this.options = options;
    this.calls = new PeerCalls({ client, name: 'peer_runnable', maxModelChars: options.maxModelChars });
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
    const { reply, rest } = await this.callOf(input, config).answer();
    return asOutput(input, new HumanMessage(this.fieldsOf(reply, rest)));
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
    const about = { id: call.messageId, name: this.peerId };
    const chunk = (content: string, more: object = {}) =>
      new HumanMessageChunk({ ...about, ...more, content }) as unknown as PeerRunnableOutput<Input>;
    const pieces = call.read();
    try {
      let next = await pieces.next();
      for (; next.done !== true; next = await pieces.next()) if (next.value !== '') yield chunk(next.value);
      const { response_metadata } = this.fieldsOf(next.value.reply, '');
      yield chunk(next.value.rest, { response_metadata });
    } finally {
      await pieces.return(undefined as never);
    }
  }

  private fieldsOf({ status, messageId, contextId, code }: PeerReply, content: string) {
    const peer_reply = { status, peerId: this.peerId, messageId, contextId, code };
    return { content, id: messageId, name: this.peerId, response_metadata: { peer_reply } };
  }

  private callOf(input: Input, config: Partial<RunnableConfig>): PeerCall {
    const { signal, configurable = {} } = config;
    const [threadId, task] = [idIn(configurable.thread_id), idIn(configurable.checkpoint_ns)];
    const place = placeOfCall(configurable);
    const { [ATTEMPT]: scratchpad } = configurable;
    const timeoutMs = Math.min(this.options.timeoutMs ?? Number.POSITIVE_INFINITY, timeLeft(config));
    return this.calls.begin(this.peerId, {
      text: textOf(input),
      signal,
      threadId,
      runId: threadId,
      callId: place.callerId === undefined ? task : undefined,
      ...place,
      attempt: typeof scratchpad === 'object' && scratchpad !== null ? scratchpad : undefined,
      timeoutMs: Number.isFinite(timeoutMs) ? timeoutMs : undefined,
    });
  }
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
  return waitWithin(timeoutMs);
}
