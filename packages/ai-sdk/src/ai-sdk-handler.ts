import {
  ConfigurationError,
  type HandlerAnswer,
  type HandlerContext,
  type InboundMessage,
  type JsonValue,
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
import type { ModelMessage } from 'ai';
import {
  type ApprovalAnswers,
  answersOf,
  closingResults,
  endWithoutAnswer,
  hasResponsesOf,
  type OpenCall,
  openCalls,
  pendingApprovals,
  questionsOf,
  responsesTo,
  toolWithoutExecute,
} from './approvals.ts';
import {
  Conversation,
  type ConversationStore,
  MemoryConversationStore,
  runNotFound,
  type StoredRun,
  withoutEnd,
} from './conversation-store.ts';
import {
  type AgentRun,
  type AgentSettings,
  runAgent,
  type SomeAgent,
  type Target,
  targetOf,
} from './runs.ts';

const DEFAULT_MAX_MESSAGES = 100;
const CUT = '(The answer is cut here: the model reached its length limit.)';

/** Options of {@link createAiSdkHandler}. */
export interface AiSdkHandlerOptions {
  /** Where conversations are kept. @default in memory, until the process ends */
  store?: ConversationStore | undefined;
  /**
   * How many messages of a conversation are kept and shown to the model, 0 to 10 000: a whole exchange is left out at a time, never the
   * last one. With 0 each message is a conversation of its own. @default 100
   */
  maxMessages?: number | undefined;
  /** The conversation of a message. @default its `conversationId` */
  conversationId?: ((message: InboundMessage) => string) | undefined;
  /**
   * Who decides whether a call that needs an approval may be done: the `user` of the agent's canvas, or with `sender-when-user` the sender where
   * that is the user. Never another agent. @default 'user'
   */
  approvals?: Approvals | undefined;
  /**
   * The answer in what a run came to. Is given runs that ended with tool calls as well: what is blank then fails as `too_many_steps`.
   * @default the text of the last step, with an `output` that is not a text as data
   */
  output?:
    | ((run: AgentRun, message: InboundMessage) => HandlerAnswer | PromiseLike<HandlerAnswer>)
    | undefined;
}

/**
 * Returns the `onMessage` of an agent whose messages are handled by an agent or a model of the AI SDK.
 *
 * - A message becomes a user message with the text of `messageForModel`, after what its conversation has. A late answer to a tool call gets
 *   into the conversation that asked.
 * - A message that is delivered again continues after the last step that its run had finished.
 * - Calls that need an approval become questions, and their answers resume the run.
 * - The answer is streamed to senders that read a stream.
 *
 * Errors that may pass are thrown as they are, so that the message is tried again; others end it with a `MessageFailure`.
 *
 * @param target a `ToolLoopAgent` or another `Agent`; or what a `ToolLoopAgent` is created with, to whose model `boundaryMiddleware` is added
 * @throws ConfigurationError for wrong options, and for what is not a target.
 *
 * @example
 * createRemoteAgent({ client, onMessage: createAiSdkHandler({ model, tools: createPeerTools(client) }) });
 */
export function createAiSdkHandler(
  target: SomeAgent | AgentSettings,
  options: AiSdkHandlerOptions = {},
): MessageHandler {
  const known = targetOf(target);
  checkOptions(options);
  const shared: Shared = {
    target: known,
    options,
    store: options.store ?? new MemoryConversationStore(),
    queue: new SerialQueue(),
  };
  return (message, context) => new HandledMessage(shared, message, context).answer();
}

const OPTIONS = knownOptions<AiSdkHandlerOptions>({
  store: true,
  maxMessages: true,
  conversationId: true,
  approvals: true,
  output: true,
});

function checkOptions(options: AiSdkHandlerOptions): void {
  const approvals: readonly Approvals[] = ['user', 'sender-when-user'];
  const functions = { conversationId: 'function', output: 'function' } as const;
  const numbers = { maxMessages: { min: 0, max: 10_000 } };
  const kinds = { store: 'object', approvals, ...functions, ...numbers } as const;
  const problem = optionsProblem(options, kinds, 'createAiSdkHandler', OPTIONS);
  if (problem !== null) throw new ConfigurationError(problem);
  const { store } = options;
  const isStore = ['load', 'save'].every((name) => typeof Reflect.get(Object(store), name) === 'function');
  if (store === undefined || isStore) return;
  throw new ConfigurationError('`store` must have the methods load() and save().', {
    hint: 'Both return promises: load(conversationId) the messages or undefined, save(conversationId, messages) nothing.',
  });
}

interface Shared {
  readonly target: Target;
  readonly options: AiSdkHandlerOptions;
  readonly store: ConversationStore;
  readonly queue: SerialQueue;
}

class HandledMessage {
  readonly #shared: Shared;
  readonly #options: AiSdkHandlerOptions;
  readonly #message: InboundMessage;
  readonly #context: HandlerContext;

  constructor(shared: Shared, message: InboundMessage, context: HandlerContext) {
    this.#shared = shared;
    this.#options = shared.options;
    this.#message = message;
    this.#context = context;
  }

  async answer(): Promise<HandlerAnswer> {
    // An own output may be a stream, which no journal keeps.
    if (this.#options.output !== undefined) return this.#answer();
    return this.#context.once('ai-sdk:answer', () => this.#answer());
  }

  async #answer(): Promise<HandlerAnswer> {
    const asked = this.#options.conversationId === undefined ? conversationClaimed(this.#message) : null;
    if (asked !== null) {
      const late = await this.#within(asked, async (conversation) => {
        const isLate = conversation.exists && (await answersOwnMessage(this.#message, this.#context));
        return isLate ? { answer: await this.#answerIn(conversation, true) } : null;
      });
      if (late !== null) return late.answer;
    }
    return this.#within(this.#conversationId(), (conversation) => this.#answerIn(conversation, false));
  }

  #conversationId(): string {
    const { conversationId, id } = this.#message;
    const chosen: unknown = this.#options.conversationId?.(this.#message) ?? conversationId;
    if (typeof chosen === 'string') return chosen === '' ? id : chosen;
    throw handlerErrorOf(new ConfigurationError('`conversationId` must return a text.'));
  }

  /** Work on a conversation, after all other work on it. */
  #within<T>(conversationId: string, work: (conversation: Conversation) => Promise<T>): Promise<T> {
    const { store, queue } = this.#shared;
    const { maxMessages = DEFAULT_MAX_MESSAGES } = this.#options;
    return queue.run(conversationId, this.#context.signal, async () =>
      work(await Conversation.open(store, conversationId, maxMessages)),
    );
  }

  async #answerIn(conversation: Conversation, isLateAnswer: boolean): Promise<HandlerAnswer> {
    const answers = answersOf(this.#message);
    const runId = answers?.runId ?? this.#message.id;
    const run = await conversation.run(runId);
    const begun = run.messages.length > 0 ? run.messages : [this.#turn(run.history, isLateAnswer)];
    const messages = answers === null ? begun : await this.#resumed(conversation, run, answers);
    return pendingApprovals(messages).length > 0
      ? this.#ask(conversation, runId, messages)
      : this.#run(conversation, runId, { ...run, messages: withoutEnd(messages) });
  }

  /** The run that waits for these answers, with the responses to its approvals. */
  async #resumed(
    conversation: Conversation,
    { messages }: StoredRun,
    answers: ApprovalAnswers,
  ): Promise<readonly ModelMessage[]> {
    if (messages.length === 0) throw runNotFound();
    // An earlier attempt began to continue it.
    if (hasResponsesOf(messages, this.#message.id)) return messages;
    const responses = responsesTo(pendingApprovals(messages), answers, this.#message);
    if (responses === null) throw questionSuperseded();
    const resumed = [...messages, responses];
    await conversation.saveRun(answers.runId, resumed);
    return resumed;
  }

  async #run(conversation: Conversation, runId: string, run: StoredRun): Promise<HandlerAnswer> {
    const { history, messages } = run;
    try {
      const result = await runAgent(this.#shared.target, [...history, ...messages], {
        message: this.#message,
        context: this.#context,
        onStep: (added) =>
          conversation.saveRun(runId, [...messages, ...added]).catch((error: unknown) => {
            this.#context.logger.warn(
              { error },
              'A finished step was not stored: after a crash it is repeated.',
            );
          }),
      });
      const all = [...messages, ...result.messages];
      if (pendingApprovals(all).length > 0) {
        await conversation.saveRun(runId, all);
        return await this.#ask(conversation, runId, all);
      }
      const answer = await this.#finish(result, openCalls(all));
      await conversation.end(runId, [...all, ...closingResults(all)]);
      return answer;
    } catch (error) {
      if (endsForGood(error, this.#context.signal)) await conversation.drop(runId).catch(() => {});
      throw error;
    }
  }

  async #ask(
    conversation: Conversation,
    runId: string,
    messages: readonly ModelMessage[],
  ): Promise<HandlerAnswer> {
    const { approvals = 'user' } = this.#options;
    try {
      return {
        text: '',
        questions: questionsOf(pendingApprovals(messages), this.#message, { approvals, runId }),
      };
    } catch (error) {
      await conversation.drop(runId);
      throw error;
    }
  }

  async #finish(run: AgentRun, [open]: readonly OpenCall[]): Promise<HandlerAnswer> {
    const own = this.#options.output;
    const failure = open === undefined ? endWithoutAnswer(run) : toolWithoutExecute(open.toolName);
    if (own === undefined) {
      if (failure !== undefined) throw failure;
      return answerOf(run);
    }
    const answer = afterStream(await own(run, this.#message), run.streamed);
    if (failure !== undefined && isBlank(answer)) throw failure;
    return answer;
  }

  /** The first fenced text of a conversation explains the fence, unless the instructions do. */
  #turn(history: readonly ModelMessage[], isLateAnswer: boolean): ModelMessage {
    const text = turnForModel(this.#message, {
      isLateAnswer,
      isExplained: () =>
        this.#shared.target.explainsFences(peerTextInstructions) ||
        history.some(
          ({ role, content }) => role === 'user' && textIn(content).includes(peerTextInstructions),
        ),
    });
    return {
      role: 'user',
      content: [{ type: 'text', text }],
      providerOptions: { molecule: { messageId: this.#message.id } },
    };
  }
}

/** What was streamed is the beginning of the answer. */
function answerOf({ rest, streamed, output, finishReason }: AgentRun): HandlerAnswer {
  const text = `${streamed}${rest}`;
  if (finishReason === 'length') return `${text}\n\n${CUT}`;
  if (typeof output !== 'object' || output === null) return text;
  const data = JSON.parse(JSON.stringify(output)) as JsonValue;
  return { text, parts: [{ kind: 'data', data }] };
}

/** After an empty line, as between steps, unless it begins with what was streamed. */
function afterStream(answer: HandlerAnswer, streamed: string): HandlerAnswer {
  const separated = (text: string) =>
    streamed === '' || text.trim() === '' || text.startsWith(streamed) ? text : `\n\n${text}`;
  if (typeof answer === 'string') return separated(answer);
  const hasText = typeof answer === 'object' && answer !== null && 'text' in answer;
  return hasText ? { ...answer, text: separated(answer.text) } : answer;
}

function isBlank(answer: HandlerAnswer): boolean {
  if (typeof answer === 'string') return answer.trim() === '';
  if (answer === null || answer === undefined) return true;
  return 'text' in answer && answer.text.trim() === '' && !answer.parts?.length && !answer.questions?.length;
}

function textIn(content: ModelMessage['content']): string {
  if (typeof content === 'string') return content;
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('\n');
}
