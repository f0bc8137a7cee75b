import { type BaseMessage, HumanMessage } from '@langchain/core/messages';
import type { RunnableConfig } from '@langchain/core/runnables';
import {
  ConfigurationError,
  type HandlerAnswer,
  type HandlerContext,
  type InboundMessage,
  MessageFailure,
  type MessageHandler,
  peerTextInstructions,
} from '@molecule-ai/core';
import {
  type Approvals,
  answersOwnMessage,
  conversationClaimed,
  endsForGood,
  handlerErrorOf,
  knownOptions,
  optionsProblem,
  questionSuperseded,
  SerialQueue,
  turnForModel,
} from '@molecule-ai/core/tools';
import { hasOldData, ownRun, partAfter, threadNotFound } from './own-run.ts';
import {
  answersOf,
  type PendingInterrupt,
  type QuestionAnswers,
  questionsOf,
  resumeValueOf,
} from './run-questions.ts';
import {
  answerIn,
  hasData,
  ResumeCommand,
  run,
  type SomeRunnable,
  savingGraph,
  type Target,
  targetOf,
} from './runs.ts';
import {
  closeOpenCalls,
  type Graph,
  keptIn,
  readThread,
  release,
  stops,
  type Thread,
  wasResumed,
} from './threads.ts';

/** Options of {@link createLangChainHandler}. */
export interface LangChainHandlerOptions {
  /**
   * Who decides whether an action may be done: the `user` of the agent's canvas, or with `sender-when-user` the sender where that is the
   * user. Never another agent. @default 'user'
   */
  approvals?: Approvals | undefined;
  /** The thread of a message. @default its `conversationId` */
  threadId?: ((message: InboundMessage) => string) | undefined;
  /**
   * What the target is invoked with for a new message. `human` is the message for a model, fenced where another agent wrote it.
   * @default `{ messages: [human] }` for agents and graphs, `[human]` for other runnables
   */
  input?: ((human: HumanMessage, message: InboundMessage) => unknown) | undefined;
  /**
   * The answer in the output of the target.
   * @default the text of the last of its `messages`, with a `structuredResponse` as data; of other runnables a text, or the text of a message
   */
  output?: ((output: unknown, message: InboundMessage) => HandlerAnswer) | undefined;
  /** Of each run, such as `recursionLimit`, `callbacks`, `tags`, `metadata`. Thread and signal are those of the message. */
  config?: RunnableConfig | undefined;
}

/**
 * Returns the `onMessage` of an agent whose messages are handled by an agent of LangChain, a graph of LangGraph, or any other runnable.
 *
 * - A message becomes a `HumanMessage` with the id of the message, and the text of `messageForModel`; `thread_id` is its conversation. A late
 *   answer to a tool call gets into the thread that asked.
 * - With a checkpointer, a message that is delivered again continues the run that it had begun.
 * - Interrupts become questions, and their answers resume the run.
 * - The answer is streamed to senders that read a stream.
 *
 * Errors that may pass are thrown as they are, so that the message is tried again; others end it with a `MessageFailure`.
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
): MessageHandler {
  const known = targetOf(target);
  const checked = checkedOptions(options);
  if (known.interrupts && savingGraph(known) === undefined) {
    throw new ConfigurationError(
      'The agent interrupts its runs, and has no checkpointer to continue them with.',
      {
        hint: 'Give createAgent() or compile() a `checkpointer`.',
      },
    );
  }
  const threads = new SerialQueue();
  return (message, context) => new HandledMessage(known, checked, threads, message, context).answer();
}

function checkedOptions(options: LangChainHandlerOptions): LangChainHandlerOptions {
  const functions = { threadId: 'function', input: 'function', output: 'function' } as const;
  const approvals: readonly Approvals[] = ['user', 'sender-when-user'];
  const kinds = { approvals, ...functions, config: 'object' } as const;
  const known = knownOptions<LangChainHandlerOptions>(kinds);
  const problem = optionsProblem(options, kinds, 'createLangChainHandler', known);
  if (problem !== null) throw new ConfigurationError(problem);
  const { threadId } = options;
  if (threadId === undefined) return options;
  return {
    ...options,
    threadId: (message) => {
      const id: unknown = threadId(message);
      if (typeof id === 'string') return id;
      throw handlerErrorOf(new ConfigurationError('`threadId` must return a text.'));
    },
  };
}

class HandledMessage {
  readonly #target: Target;
  readonly #options: LangChainHandlerOptions;
  readonly #threads: SerialQueue;
  readonly #message: InboundMessage;
  readonly #context: HandlerContext;
  #config: RunnableConfig;
  /** Whether the platform says that it answers a message which this agent sent. */
  #isLateAnswer = false;
  /** The checkpoint of its thread before its run. */
  #startId = '';

  constructor(
    target: Target,
    options: LangChainHandlerOptions,
    threads: SerialQueue,
    message: InboundMessage,
    context: HandlerContext,
  ) {
    const { config = {}, threadId = ({ conversationId }) => conversationId } = options;
    this.#target = target;
    this.#options = options;
    this.#threads = threads;
    this.#message = message;
    this.#context = context;
    this.#config = {
      ...config,
      configurable: { ...config.configurable, thread_id: threadId(message) || message.id },
      signal: context.signal,
    };
  }

  async answer(): Promise<HandlerAnswer> {
    const graph = savingGraph(this.#target);
    if (graph === undefined) return this.#finish(await this.#run(this.#input([]), this.#config));
    const asked = await this.#threadThatAsked(graph);
    if (asked !== null) {
      this.#config = asked;
      this.#isLateAnswer = true;
    }
    const threadId: string = this.#config.configurable?.thread_id;
    return this.#threads.run(threadId, this.#context.signal, () => this.#answerIn(graph));
  }

  async #answerIn(graph: Graph): Promise<HandlerAnswer> {
    const answers = answersOf(this.#message);
    if (answers !== null) return this.#resume(graph, answers);
    const about = { messageId: this.#message.id, isInState: this.#options.input === undefined };
    const at = { ...about, config: this.#config, context: this.#context };
    const { todo, thread, startId, history } = await ownRun(graph, at);
    this.#startId = startId;
    if (todo === 'continue') return this.#continue(graph, thread);
    if (todo === 'finished') return this.#finish({ output: thread.values, lastSaid: '' }, { graph, thread });
    const before = [...history, ...closeOpenCalls(thread.messages)];
    return this.#runIn(graph, thread, this.#input(thread.messages, before));
  }

  /** The thread in which a tool asked what this message answers; the platform says that it was asked. */
  async #threadThatAsked(graph: Graph): Promise<RunnableConfig | null> {
    const conversationId = conversationClaimed(this.#message);
    if (conversationId === null || this.#options.threadId !== undefined) return null;
    const config = {
      ...this.#config,
      configurable: { ...this.#config.configurable, thread_id: conversationId },
    };
    if ((await readThread(graph, config)).checkpointId === '') return null;
    return (await answersOwnMessage(this.#message, this.#context)) ? config : null;
  }

  /** Goes on with a run that an earlier attempt began. */
  async #continue(graph: Graph, thread: Thread): Promise<HandlerAnswer> {
    if (thread.interrupts.length > 0) return this.#ask(graph, thread);
    if (thread.isUnfinished) return this.#runIn(graph, thread, null);
    return this.#finish({ output: thread.values, lastSaid: '' }, { graph, thread });
  }

  async #resume(graph: Graph, answers: QuestionAnswers): Promise<HandlerAnswer> {
    const asked = ({ interrupts }: Thread) => interrupts.filter(({ id }) => answers.interruptIds.has(id));
    let thread = await readThread(graph, this.#config, answers.thread);
    if (thread.checkpointId === '') throw threadNotFound();
    const asking = () => (asked(thread).length > 0 ? thread.checkpointId : '');
    this.#startId = await this.#context.once('langchain:asked', asking);
    if (this.#startId === '') throw questionSuperseded();
    const ids = asked(thread).map(({ id }) => id);
    if (ids.length > 0 && (await wasResumed(graph, thread, ids))) {
      // An earlier attempt gave the values. A run that has read them must not get them for its next interrupt.
      await this.#runThread(graph, thread, null);
      thread = await readThread(graph, this.#config, answers.thread);
    }
    const pending = asked(thread);
    if (pending.length === 0) {
      const part = (await partAfter(graph, thread, this.#startId)) ?? thread;
      if (part.checkpointId === thread.checkpointId) return this.#continue(graph, thread);
      if (part.isUnfinished) throw questionSuperseded();
      return this.#finish({ output: part.values, lastSaid: '' }, { graph, thread: part });
    }
    return this.#runIn(graph, thread, await this.#resumption(graph, thread, pending, answers));
  }

  /** The input that resumes a run; `null` for one that waits before or after a node. */
  async #resumption(
    graph: Graph,
    thread: Thread,
    pending: readonly PendingInterrupt[],
    answers: QuestionAnswers,
  ): Promise<ResumeCommand | null> {
    try {
      const values = pending.map((each) => [each.id, resumeValueOf(each, answers, this.#message)] as const);
      if (!pending.some(({ isStep }) => isStep)) return new ResumeCommand(Object.fromEntries(values));
      if (values.every(([, value]) => value === true)) return null;
      throw new MessageFailure('The agent was not allowed to continue.', { code: 'rejected' });
    } catch (error) {
      await release(graph, thread);
      throw error;
    }
  }

  async #runIn(graph: Graph, thread: Thread, input: unknown): Promise<HandlerAnswer> {
    const result = await this.#runThread(graph, thread, input);
    const { output } = result;
    const isAsking = typeof output === 'object' && output !== null && '__interrupt__' in output;
    if (!isAsking && !stops(graph) && !hasData(output)) return this.#finish(result);
    const after = await readThread(graph, this.#config, thread.key);
    return after.interrupts.length > 0
      ? this.#ask(graph, after)
      : this.#finish(result, { graph, thread: after });
  }

  /** A run that no attempt will continue must not keep its thread. */
  async #runThread(graph: Graph, thread: Thread, input: unknown): ReturnType<typeof run> {
    try {
      return await this.#run(input, thread.config);
    } catch (error) {
      if (endsForGood(error, this.#context.signal)) await release(graph, thread).catch(() => {});
      throw error;
    }
  }

  async #ask(graph: Graph, thread: Thread): Promise<HandlerAnswer> {
    const { approvals = 'user' } = this.#options;
    const asking = { approvals, thread: thread.key };
    try {
      return { text: '', questions: questionsOf(thread.interrupts, this.#message, asking) };
    } catch (error) {
      await release(graph, thread);
      throw error;
    }
  }

  #run(input: unknown, config: RunnableConfig): ReturnType<typeof run> {
    const isKept = savingGraph(this.#target) !== undefined;
    return run(this.#target, input, isKept ? keptIn(config) : config, {
      message: this.#message,
      context: this.#context,
    });
  }

  /** @param at the thread at the end of the run, where it is known */
  async #finish(
    { output, lastSaid }: Awaited<ReturnType<typeof run>>,
    at?: { readonly graph: Graph; readonly thread: Thread },
  ): Promise<HandlerAnswer> {
    const own = this.#options.output;
    if (own !== undefined) return own(output, this.#message);
    const isOld = at !== undefined && (await hasOldData(at.graph, at.thread, this.#startId));
    return answerIn(output, { messageId: this.#message.id, lastSaid, hasData: !isOld });
  }

  /** @param thread what is in the thread @param before what comes before the message */
  #input(thread: readonly BaseMessage[], before: readonly BaseMessage[] = []): unknown {
    const human = this.#human([...thread, ...before]);
    const { input } = this.#options;
    if (input !== undefined) return input(human, this.#message);
    return this.#target.graph === undefined ? [human] : { messages: [...before, human] };
  }

  /** The first fenced text of a thread explains the fence, unless the system prompt does. */
  #human(known: readonly BaseMessage[]): HumanMessage {
    const content = turnForModel(this.#message, {
      isLateAnswer: this.#isLateAnswer,
      isExplained: () =>
        this.#target.explainsFences(peerTextInstructions) ||
        known.some((message) => message.getType() === 'human' && message.text.includes(peerTextInstructions)),
    });
    return new HumanMessage({ id: this.#message.id, content });
  }
}
