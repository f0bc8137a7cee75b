import { type BaseMessage, HumanMessage } from '@langchain/core/messages';
import type { RunnableConfig } from '@langchain/core/runnables';
import {
  ConfigurationError,
  type FrameworkHandler,
  type HandlerAnswer,
  type InboundMessage,
  MessageFailure,
  type ModelText,
  peerTextInstructions,
} from '@molecule-ai/core';
import { agentHandler, type RunAnswers, shape, type Turn } from '@molecule-ai/core/adapter-kit';
import {
  isAnswered,
  type PendingInterrupt,
  questionsOf,
  resumeValueOf,
  runOf,
  threadOf,
} from './run-questions.ts';
import {
  answerIn,
  ERRORS,
  ResumeCommand,
  type RunResult,
  run,
  type SomeRunnable,
  savingGraph,
  type Target,
  targetOf,
} from './runs.ts';
import {
  closeOpenCalls,
  type Graph,
  hasData,
  hasOldData,
  keptIn,
  ownRun,
  partAfter,
  readThread,
  release,
  stops,
  type Thread,
  threadNotFound,
  wasResumed,
} from './threads.ts';

class LangChainHandlerShape {
  /**
   * Who decides whether an action may be done: the `user` of the agent's canvas, or with `sender-when-user` the sender where that is the
   * user. Never another agent. @default 'user'
   */
  approvals = shape.word(['user', 'sender-when-user'], undefined);
  /** The thread of a message. @default `<workspaceId>:<conversationId>`, with the workspace of the agent */
  threadId = shape.func<(message: InboundMessage) => string>();
  /**
   * What the target is invoked with for a new message. `human` is the message for a model, fenced where another agent wrote it. A chain that begins
   * with a prompt takes an object: `(human) => ({ messages: [human] })` for `new MessagesPlaceholder('messages')`.
   * @default `{ messages: [human] }` for agents and graphs, `[human]` for other runnables
   */
  input = shape.func<(human: HumanMessage, message: InboundMessage) => unknown>();
  /**
   * The answer in the output of the target.
   * @default the text of the last of its `messages`, with a `structuredResponse` as data; of other runnables a text, or the text of a message
   */
  output = shape.func<(output: unknown, message: InboundMessage) => HandlerAnswer>();
  /** Of each run, such as `recursionLimit`, `callbacks`, `tags`, `metadata`. Thread and signal are those of the message. */
  config = shape.option<RunnableConfig | undefined>((config, refuse) => {
    if (config === undefined || shape.isObject(config)) return config;
    return refuse(`must be an object, got ${shape.describe(config)}`);
  });
}

/** Options of {@link createLangChainHandler}. */
export interface LangChainHandlerOptions extends shape.OptionsOf<LangChainHandlerShape> {}

const OPTIONS = shape.optionsSchema(new LangChainHandlerShape());

/**
 * Returns the `onMessage` of an agent whose messages are handled by an agent of LangChain, a graph of LangGraph, or any other runnable.
 *
 * - A message becomes a `HumanMessage` with the id of the message, and the text of `messageForModel`; `thread_id` is its conversation. A late
 *   answer to a tool call gets into the thread that asked.
 * - With a checkpointer, a message that is delivered again continues the run that it had begun.
 * - Interrupts become questions, and their answers resume the run.
 * - The answer is streamed to senders that read a stream.
 *
 * What the framework knows to be final ends the message with a `MessageFailure`; every other error is thrown as it is, so that the message is tried again.
 *
 * @throws ConfigurationError for wrong options, for what is not a runnable, and for a target that interrupts its runs and has no checkpointer.
 *
 * @example
 * const agent = createAgent({ model, tools, checkpointer });
 * createRemoteAgent({ client, onMessage: createLangChainHandler(agent) });
 */
export function createLangChainHandler(
  target: SomeRunnable,
  options: LangChainHandlerOptions = {},
): FrameworkHandler {
  const known = targetOf(target);
  shape.parseOptions('createLangChainHandler', OPTIONS, options);
  const graph = savingGraph(known);
  if (known.interrupts && graph === undefined) {
    throw new ConfigurationError(
      'The agent interrupts its runs, and has no checkpointer to continue them with.',
      {
        hint: 'Give createAgent() or compile() a `checkpointer`.',
      },
    );
  }
  const { approvals, threadId } = options;
  const shared = {
    approvals,
    ...ERRORS,
    conversation: threadId && { option: 'threadId', idOf: threadId },
  };
  if (graph === undefined) {
    return agentHandler({ ...shared, begin: (turn) => new HandledMessage(known, options, turn).answer() });
  }
  return agentHandler<StoredMessage>({
    ...shared,
    open: async (turn) => new StoredMessage(known, options, turn, graph),
    exists: (message) => message.exists(),
    begin: (_turn, message) => message.answer(),
    resume: (_turn, message, answers) => message.resume(answers),
  });
}

class HandledMessage {
  protected readonly turn: Turn;
  protected readonly message: InboundMessage;
  protected readonly config: RunnableConfig;
  protected readonly options: LangChainHandlerOptions;
  readonly #target: Target;

  constructor(target: Target, options: LangChainHandlerOptions, turn: Turn) {
    const { config = {} } = options;
    this.turn = turn;
    this.message = turn.message;
    this.options = options;
    this.#target = target;
    this.config = {
      ...config,
      configurable: { ...config.configurable, thread_id: turn.conversationId },
      signal: turn.context.signal,
    };
  }

  async answer(): Promise<HandlerAnswer> {
    return this.answerOf(await this.run(this.input([]), this.config));
  }

  protected run(input: unknown, config: RunnableConfig): Promise<RunResult> {
    return run(this.#target, input, config, this.turn);
  }

  /** @param isOld whether a `structuredResponse` is of an earlier run */
  protected answerOf(result: RunResult, isOld = false): HandlerAnswer {
    const own = this.options.output;
    return own === undefined ? answerIn(result, this.message.id, isOld) : own(result.output, this.message);
  }

  /** @param thread what is in the thread @param before what comes before the message */
  protected input(thread: readonly BaseMessage[], before: readonly BaseMessage[] = []): unknown {
    const human = this.#human([...thread, ...before]);
    const { input } = this.options;
    if (input !== undefined) return input(human, this.message);
    return this.#target.graph === undefined ? [human] : { messages: [...before, human] };
  }

  /** The first fenced text of a thread explains the fence, unless the system prompt does. */
  #human(known: readonly BaseMessage[]): HumanMessage {
    const content = this.turn.text(
      () =>
        this.#target.explainsFences(peerTextInstructions) ||
        known.some((message) => message.getType() === 'human' && message.text.includes(peerTextInstructions)),
    );
    return humanTurn(this.message.id, content);
  }
}

/** A message that is handled in a thread which a checkpointer keeps. */
class StoredMessage extends HandledMessage {
  readonly #graph: Graph;
  /** The checkpoint of its thread before its run. */
  #startId = '';

  constructor(target: Target, options: LangChainHandlerOptions, turn: Turn, graph: Graph) {
    super(target, options, turn);
    this.#graph = graph;
  }

  async exists(): Promise<boolean> {
    return (await readThread(this.#graph, this.config)).checkpointId !== '';
  }

  override async answer(): Promise<HandlerAnswer> {
    const about = { messageId: this.message.id, isInState: this.options.input === undefined };
    const at = { ...about, config: this.config, context: this.turn.context };
    const { todo, thread, startId, history } = await ownRun(this.#graph, at);
    this.#startId = startId;
    if (todo === 'continue') return this.#continue(thread);
    if (todo === 'finished') return this.#finishAt(thread);
    const before = [...history, ...closeOpenCalls(thread.messages)];
    return this.#runIn(thread, this.input(thread.messages, before));
  }

  /** Goes on with a run that an earlier attempt began. */
  async #continue(thread: Thread): Promise<HandlerAnswer> {
    if (thread.interrupts.length > 0) return this.#ask(thread);
    return thread.isUnfinished ? this.#runIn(thread, null) : this.#finishAt(thread);
  }

  async resume(answers: RunAnswers): Promise<HandlerAnswer | null> {
    const graph = this.#graph;
    const key = threadOf(answers);
    const asked = ({ interrupts }: Thread) => interrupts.filter((each) => isAnswered(each, answers));
    let thread = await readThread(graph, this.config, key);
    if (thread.checkpointId === '') throw threadNotFound();
    const asking = () => (asked(thread).length > 0 ? thread.checkpointId : '');
    this.#startId = await this.turn.context.once('langchain:asked', asking);
    if (this.#startId === '') return null;
    const ids = asked(thread).map(({ id }) => id);
    if (ids.length > 0 && (await wasResumed(graph, thread, ids))) {
      // An earlier attempt gave the values. A run that has read them must not get them for its next interrupt.
      await this.#runThread(thread, null);
      thread = await readThread(graph, this.config, key);
    }
    const pending = asked(thread);
    if (pending.length === 0) {
      const part = (await partAfter(graph, thread, this.#startId)) ?? thread;
      if (part.checkpointId === thread.checkpointId) return this.#continue(thread);
      return part.isUnfinished ? null : this.#finishAt(part);
    }
    const input = await this.#orRelease(thread, async () => resumption(pending, answers));
    return this.#runIn(thread, input);
  }

  async #runIn(thread: Thread, input: unknown): Promise<HandlerAnswer> {
    const result = await this.#runThread(thread, input);
    const { output } = result;
    const isAsking = typeof output === 'object' && output !== null && '__interrupt__' in output;
    if (!isAsking && !stops(this.#graph) && !hasData(output)) return this.answerOf(result);
    const after = await readThread(this.#graph, this.config, thread.key);
    return after.interrupts.length > 0 ? this.#ask(after) : this.#finish(result, after);
  }

  #runThread(thread: Thread, input: unknown): Promise<RunResult> {
    return this.#orRelease(thread, () => this.run(input, keptIn(thread.config)));
  }

  #ask(thread: Thread): Promise<HandlerAnswer> {
    return this.#orRelease(thread, async () =>
      this.turn.ask(thread.interrupts.flatMap(questionsOf), runOf(thread.key, this.message)),
    );
  }

  #orRelease<T>(thread: Thread, work: () => Promise<T>): Promise<T> {
    return this.turn.orRelease(work, () => release(this.#graph, thread));
  }

  /** The answer of a run that has ended before. */
  #finishAt(thread: Thread): Promise<HandlerAnswer> {
    return this.#finish({ output: thread.values, answer: this.turn.answer() }, thread);
  }

  /** @param thread as it is at the end of the run */
  async #finish(result: RunResult, thread: Thread): Promise<HandlerAnswer> {
    const isOld = this.options.output === undefined && (await hasOldData(this.#graph, thread, this.#startId));
    return this.answerOf(result, isOld);
  }
}

/** The input that resumes a run; `null` for one that waits before or after a node. */
function resumption(pending: readonly PendingInterrupt[], answers: RunAnswers): ResumeCommand | null {
  const values = pending.map((each) => [each.id, resumeValueOf(each, answers)] as const);
  if (!pending.some(({ isStep }) => isStep)) return new ResumeCommand(Object.fromEntries(values));
  if (values.every(([, value]) => value === true)) return null;
  throw new MessageFailure('The agent was not allowed to continue.', { code: 'rejected' });
}

/** The message as a turn of the user, the door to the model. */
export function humanTurn(id: string, content: ModelText): HumanMessage {
  return new HumanMessage({ id, content });
}
