import {
  type FrameworkHandler,
  type HandlerAnswer,
  type InboundMessage,
  type JsonValue,
  type ModelText,
  peerTextInstructions,
} from '@molecule-ai/core';
import { agentHandler, type RunAnswers, shape, type Turn } from '@molecule-ai/core/adapter-kit';
import type { ModelMessage } from 'ai';
import {
  closingResults,
  endWithoutAnswer,
  hasResponsesOf,
  type OpenCall,
  openCalls,
  pendingApprovals,
  questionOf,
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
  ERRORS,
  runAgent,
  type SomeAgent,
  type Target,
  targetOf,
} from './runs.ts';

const CUT = '(The answer is cut here: the model reached its length limit.)';

class AiSdkHandlerShape {
  /** Where conversations are kept. @default in memory, until the process ends */
  store = shape.withMethods<ConversationStore>(
    ['load', 'save'],
    'Both return promises: load(conversationId) the messages or undefined, save(conversationId, messages) nothing.',
  );
  /**
   * How many messages of a conversation are kept and shown to the model, 0 to 10 000: a whole exchange is left out at a time, never the
   * last one. With 0 each message is a conversation of its own. @default 100
   */
  maxMessages = shape.number({ min: 0, max: 10_000, byDefault: 100 });
  /** The key of the conversation of a message. @default `<workspaceId>:<conversationId>`, with the workspace of the agent */
  conversationId = shape.func<(message: InboundMessage) => string>();
  /**
   * Who decides whether a call that needs an approval may be done: the `user` of the agent's canvas, or with `sender-when-user` the sender where
   * that is the user. Never another agent. @default 'user'
   */
  approvals = shape.word(['user', 'sender-when-user'], undefined);
  /**
   * The answer in what a run came to: its `text`, `output`, `finishReason`, `steps`, and the `messages` that it added. Is given runs that ended with tool
   * calls as well: what is blank then fails as `too_many_steps`. After a stream, an answer that does not begin with the streamed words is appended to them.
   * @default the text of the last step, with an `output` that is not a text as data
   */
  output =
    shape.func<(run: AgentRun, message: InboundMessage) => HandlerAnswer | PromiseLike<HandlerAnswer>>();
}

/** Options of {@link createAiSdkHandler}. */
export interface AiSdkHandlerOptions extends shape.OptionsOf<AiSdkHandlerShape> {}

const OPTIONS = shape.optionsSchema(new AiSdkHandlerShape());

/**
 * Returns the `onMessage` of an agent whose messages are handled by an agent or a model of the AI SDK.
 *
 * - A message becomes a user message with the text of `messageForModel`, after what its conversation has. A late answer to a tool call gets
 *   into the conversation that asked.
 * - A message that is delivered again continues after the last step that its run had finished.
 * - Calls that need an approval become questions, and their answers resume the run.
 * - The answer is streamed to senders that read a stream.
 *
 * What the framework knows to be final ends the message with a `MessageFailure`; every other error is thrown as it is, so that the message is tried again.
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
): FrameworkHandler {
  const known = targetOf(target);
  const checked = shape.parseOptions('createAiSdkHandler', OPTIONS, options);
  const { store = new MemoryConversationStore(), maxMessages, approvals, conversationId, output } = checked;
  // An own output may be a stream, which no journal keeps.
  const once = <Answer>({ context }: Turn, answer: () => Promise<Answer>): Promise<Answer> =>
    output === undefined ? context.once('ai-sdk:answer', answer) : answer();
  return agentHandler<Conversation>({
    ...ERRORS,
    approvals,
    conversation: conversationId && {
      option: 'conversationId',
      idOf: (message, ownKey) => conversationId(message) ?? ownKey,
    },
    open: (turn) => Conversation.open(store, turn.conversationId, maxMessages),
    exists: (conversation) => conversation.exists,
    begin: (turn, conversation) =>
      once(turn, () => new HandledMessage(known, output, turn, conversation).answer()),
    resume: (turn, conversation, answers) =>
      once(turn, () => new HandledMessage(known, output, turn, conversation).resume(answers)),
  });
}

class HandledMessage {
  readonly #target: Target;
  readonly #output: AiSdkHandlerOptions['output'];
  readonly #turn: Turn;
  readonly #message: InboundMessage;
  readonly #conversation: Conversation;

  constructor(target: Target, output: AiSdkHandlerOptions['output'], turn: Turn, conversation: Conversation) {
    this.#target = target;
    this.#output = output;
    this.#turn = turn;
    this.#message = turn.message;
    this.#conversation = conversation;
  }

  async answer(): Promise<HandlerAnswer> {
    const { id } = this.#message;
    const run = await this.#conversation.run(id);
    return this.#continue(id, run, run.messages.length > 0 ? run.messages : [this.#userMessage(run.history)]);
  }

  /** Continues the run that waits for these answers. */
  async resume(answers: RunAnswers): Promise<HandlerAnswer | null> {
    const { run: runId } = answers;
    const run = await this.#conversation.run(runId);
    const { messages } = run;
    if (messages.length === 0) throw runNotFound();
    // An earlier attempt began to continue it.
    if (hasResponsesOf(messages, this.#message.id)) return this.#continue(runId, run, messages);
    const responses = responsesTo(pendingApprovals(messages), answers, this.#message.id);
    if (responses === null) return null;
    const resumed = [...messages, responses];
    await this.#conversation.saveRun(runId, resumed);
    return this.#continue(runId, run, resumed);
  }

  async #continue(
    runId: string,
    { history }: StoredRun,
    messages: readonly ModelMessage[],
  ): Promise<HandlerAnswer> {
    const isWaiting = pendingApprovals(messages).length > 0;
    return this.#turn.orRelease(
      async () => (isWaiting ? this.#ask(runId, messages) : this.#run(runId, history, withoutEnd(messages))),
      () => this.#conversation.drop(runId),
    );
  }

  async #run(
    runId: string,
    history: readonly ModelMessage[],
    messages: readonly ModelMessage[],
  ): Promise<HandlerAnswer> {
    const conversation = this.#conversation;
    const { logger } = this.#turn.context;
    const result = await runAgent(this.#target, [...history, ...messages], this.#turn, (added) =>
      conversation.saveRun(runId, [...messages, ...added]).catch((error: unknown) => {
        logger.warn({ error }, 'A finished step was not stored: after a crash it is repeated.');
      }),
    );
    const all = [...messages, ...result.messages];
    if (pendingApprovals(all).length > 0) {
      await conversation.saveRun(runId, all);
      return this.#ask(runId, all);
    }
    const answer = await this.#finish(result, openCalls(all));
    await conversation.end(runId, [...all, ...closingResults(all)]);
    return answer;
  }

  #ask(runId: string, messages: readonly ModelMessage[]): HandlerAnswer {
    return this.#turn.ask(pendingApprovals(messages).map(questionOf), runId);
  }

  async #finish(run: AgentRun, [open]: readonly OpenCall[]): Promise<HandlerAnswer> {
    const own = this.#output;
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
  #userMessage(history: readonly ModelMessage[]): ModelMessage {
    const text = this.#turn.text(
      () =>
        this.#target.explainsFences(peerTextInstructions) ||
        history.some(
          ({ role, content }) => role === 'user' && textIn(content).includes(peerTextInstructions),
        ),
    );
    return userTurn(this.#message.id, text);
  }
}

/** The message as a turn of the user, the door to the model. */
export function userTurn(messageId: string, text: ModelText): ModelMessage {
  return {
    role: 'user',
    content: [{ type: 'text', text }],
    providerOptions: { molecule: { messageId } },
  };
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
  return hasText ? { ...answer, text: separated(answer.text ?? '') } : answer;
}

function isBlank(answer: HandlerAnswer): boolean {
  if (typeof answer === 'string') return answer.trim() === '';
  if (answer === null || answer === undefined) return true;
  if (Symbol.asyncIterator in answer) return false;
  return (answer.text ?? '').trim() === '' && !answer.parts?.length && !answer.questions?.length;
}

function textIn(content: ModelMessage['content']): string {
  if (typeof content === 'string') return content;
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('\n');
}
