import type { InboundMessage } from '@molecule-ai/protocol';
import { MessageFailure } from '../errors/message-failure.ts';
import { ConfigurationError, MoleculeError } from '../errors/molecule-error.ts';
import type { HandlerAnswer } from '../inbound/handler.ts';
import { isShownId, messageForModel } from '../peers/text-for-model.ts';
import { orAborted } from '../time/linked-abort.ts';
import {
  type Approvals,
  answersOf,
  type PendingQuestion,
  questionsOf,
  type RunAnswers,
} from '../tools/approvals.ts';
import { conversationOfContext } from '../tools/call-identity.ts';
import { readsStream, StreamedAnswer } from '../tools/streamed-answer.ts';
import { type ModelText, ownWords, peerTextInstructions } from '../trust-boundary/fence.ts';
import type { AnswerHandler, HandlerContext, MessageHandler } from './handlers.ts';

const MAX_CAUSES = 8;

/** What an adapter knows of the errors of its framework. */
export interface FrameworkErrors {
  /** The failure for an error that comes back each time; `undefined` for errors that mean nothing special. */
  readonly failureOf?: ((error: unknown) => MessageFailure | undefined) | undefined;
}

/** How an adapter runs agents of its framework. */
export interface AgentFramework<Conversation> extends FrameworkErrors {
  /** Who decides on approvals. @default 'user' */
  readonly approvals?: Approvals | undefined;
  /** How the application names the conversation of a message, and the option in which it says so. @default `<workspaceId>:<conversationId>` */
  readonly conversation?:
    | { readonly option: string; readonly idOf: (message: InboundMessage, ownKey: string) => unknown }
    | undefined;
  /** What is stored of a conversation: turns of one conversation run one after the other. Without it nothing is stored, and they run at once. */
  readonly open?: ((turn: Turn) => Promise<Conversation>) | undefined;
  /** Whether the conversation is known, so that a late answer to what a tool asked can be handled in it. */
  readonly exists?: ((conversation: Conversation) => boolean | Promise<boolean>) | undefined;
  /** Handles a message, or what an earlier attempt left of it. */
  begin(turn: Turn, conversation: Conversation): Promise<HandlerAnswer>;
  /** Continues a run that asked; `null` when nothing waits for these answers any more. */
  resume?(turn: Turn, conversation: Conversation, answers: RunAnswers): Promise<HandlerAnswer | null>;
}

/** The `onMessage` of an agent, with its `onAnswer`. Where you wrap the one, pass the other on. */
export interface FrameworkHandler extends MessageHandler {
  readonly onAnswer: AnswerHandler;
}

/**
 * The handler of an agent that a framework runs. A message is handled in its conversation, after all others there. The answer to what a tool asked, which
 * comes later as a message, is handled in the conversation that asked; the platform says which one that is.
 */
export function agentHandler<Conversation>(framework: AgentFramework<Conversation>): FrameworkHandler {
  const queue = new SerialQueue();
  const { open, exists, conversation: named } = framework;
  const handle = async (message: InboundMessage, context: HandlerContext): Promise<HandlerAnswer> => {
    const turnIn = (conversationId: string) =>
      new Turn({ message, context, conversationId, framework, isLateAnswer: false });
    if (open === undefined)
      return framework.begin(turnIn(keyIn(framework, message, context)), undefined as Conversation);
    const within = <T>(turn: Turn, work: (conversation: Conversation) => Promise<T>): Promise<T> =>
      queue.run(turn.conversationId, context.signal, async () => work(await open(turn)));
    const asked = named === undefined ? conversationClaimed(message) : null;
    if (asked !== null) {
      const turn = new Turn({
        message,
        context,
        conversationId: keyOf(context, asked),
        framework,
        isLateAnswer: true,
      });
      const late = await within(turn, async (conversation) => {
        const isLate = (await exists?.(conversation)) === true && (await answersOwnMessage(message, context));
        return isLate ? { answer: await handleIn(framework, turn, conversation) } : null;
      });
      if (late !== null) return late.answer;
    }
    const turn = turnIn(keyIn(framework, message, context));
    return within(turn, (conversation) => handleIn(framework, turn, conversation));
  };
  const onAnswer: AnswerHandler = ({ message }, context) => handle(message, context);
  const kinds = framework.resume === undefined ? (['late'] as const) : undefined;
  return Object.assign(handle, { onAnswer: Object.assign(onAnswer, { kinds }) });
}

async function handleIn<Conversation>(
  framework: AgentFramework<Conversation>,
  turn: Turn,
  conversation: Conversation,
): Promise<HandlerAnswer> {
  const answers = answersOf(turn.message);
  if (answers === null || framework.resume === undefined) return framework.begin(turn, conversation);
  const answer = await framework.resume(turn, conversation, answers);
  if (answer !== null) return answer;
  throw new MessageFailure('The agent no longer waits for this answer.', { code: 'question_superseded' });
}

/** Under which a framework stores the conversation: a sender may have the same one with several agents, which may share a store. */
function keyIn(
  { conversation }: Pick<AgentFramework<never>, 'conversation'>,
  message: InboundMessage,
  context: HandlerContext,
): string {
  const ownKey = keyOf(context, message.conversationId || message.id);
  if (conversation === undefined) return ownKey;
  const id: unknown = conversation.idOf(message, ownKey);
  if (typeof id === 'string') return id === '' ? keyOf(context, message.id) : id;
  throw new ConfigurationError(`\`${conversation.option}\` must return a text.`);
}

function keyOf({ client }: HandlerContext, conversationId: string): string {
  return `${client.workspaceId}:${conversationId}`;
}

interface TurnParts {
  readonly message: InboundMessage;
  readonly context: HandlerContext;
  readonly conversationId: string;
  readonly isLateAnswer: boolean;
  readonly framework: FrameworkErrors & { readonly approvals?: Approvals | undefined };
}

/** One attempt to handle a message. */
export class Turn {
  readonly message: InboundMessage;
  readonly context: HandlerContext;
  /** Names the conversation in which it is handled, with the workspace of the agent: the key of what is stored of it. */
  readonly conversationId: string;
  readonly #parts: TurnParts;

  constructor(parts: TurnParts) {
    this.message = parts.message;
    this.context = parts.context;
    this.conversationId = parts.conversationId;
    this.#parts = parts;
  }

  /**
   * The message for a model, as the turn of the user: fenced where another agent wrote it.
   * @param isExplained whether the prompt has `peerTextInstructions`; where it has not, they come before a fenced text
   */
  text(isExplained: () => boolean): ModelText {
    const { message } = this;
    const { inReplyTo } = message;
    const words = messageForModel(message);
    const isNamed = this.#parts.isLateAnswer && isShownId(inReplyTo);
    const text = isNamed ? ownWords(`An answer to your message ${inReplyTo} has come:\n${words}`) : words;
    if (words === message.text || isExplained()) return text;
    return ownWords(`${peerTextInstructions}\n\n${text}`);
  }

  /** What is said in a run, of which nothing was said yet. */
  answer(): StreamedAnswer {
    return new StreamedAnswer((text) => this.context.stream(text), readsStream(this.message));
  }

  /**
   * Runs the framework.
   * @param work gets where to put what the model says
   * @throws the reason of an abort; a `MessageFailure` for what the framework knows to be final; else the error, so that the message is tried again
   */
  async run<T>(work: (answer: StreamedAnswer) => Promise<T>): Promise<T> {
    const { signal } = this.context;
    try {
      const result = await work(this.answer());
      signal.throwIfAborted();
      return result;
    } catch (error) {
      signal.throwIfAborted();
      throw handlerErrorOf(error, this.#parts.framework);
    }
  }

  /** Does work on a stored run. What is stored of it is released when that fails and no other attempt continues it. */
  async orRelease<T>(work: () => Promise<T>, release: () => Promise<unknown>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (endsForGood(error, this.context.signal)) await release().catch(() => {});
      throw error;
    }
  }

  /**
   * The answer that asks what a run waits for. The message with the answers resumes it.
   * @param run names the run, at most 149 UTF-16 units
   * @throws MessageFailure `nobody_to_ask`, `too_many_questions`, `action_too_large`
   */
  ask(pending: readonly PendingQuestion[], run: string): HandlerAnswer {
    const { approvals = 'user' } = this.#parts.framework;
    return { text: '', questions: questionsOf(pending, this.message, { approvals, run }) };
  }
}

/** The conversation in which a tool asked what this message claims to answer; `null` for other messages. */
export function conversationClaimed({
  inReplyTo,
  contextId,
}: Pick<InboundMessage, 'inReplyTo' | 'contextId'>): string | null {
  return inReplyTo === '' ? null : conversationOfContext(contextId);
}

/** Whether the platform confirms that this agent sent what the message claims to answer: peers can claim to answer anything. */
export async function answersOwnMessage(
  { inReplyTo, peerId, contextId }: Pick<InboundMessage, 'inReplyTo' | 'peerId' | 'contextId'>,
  { client, signal }: Pick<HandlerContext, 'client' | 'signal'>,
): Promise<boolean> {
  const sent = await client.getMessage(inReplyTo, { signal }).catch(() => null);
  signal.throwIfAborted();
  return sent?.peerId === peerId && sent.contextId === contextId;
}

/** Work of one key, one after the other. Messages of one conversation are so already, but late answers are handled in the conversation that asked. */
export class SerialQueue {
  /** The end of the last work of each key that has some. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** @throws the reason of the signal, also while it waits. */
  async run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const turn = (async () => {
      if (before !== undefined) await orAborted(before, signal);
      return work();
    })();
    const end = Promise.allSettled([before, turn]);
    this.#last.set(key, end);
    void end.then(() => {
      if (this.#last.get(key) === end) this.#last.delete(key);
    });
    return turn;
  }
}

/**
 * What a handler throws for an error of the framework that it runs: a `MessageFailure` or `loop_detected` among its causes, else what the framework knows to
 * be final, else the error itself, so that the message is tried again.
 */
export function handlerErrorOf(error: unknown, { failureOf }: FrameworkErrors = {}): unknown {
  const causes = causesOf(error);
  const final = causes.find(
    (each) =>
      MessageFailure.isInstance(each) || (MoleculeError.isInstance(each) && each.code === 'loop_detected'),
  );
  if (final !== undefined) return final;
  for (const each of causes) {
    const failure = failureOf?.(each);
    if (failure !== undefined) return failure;
  }
  return error;
}

/** Whether no other attempt will continue a run that failed, so that what is stored of it can go. */
export function endsForGood(error: unknown, { reason }: AbortSignal): boolean {
  if (MessageFailure.isInstance(error)) return true;
  return MoleculeError.isInstance(reason) && reason.code === 'cancelled_by_sender';
}

function causesOf(error: unknown): unknown[] {
  const causes = [error];
  while (causes.length < MAX_CAUSES) {
    const next = fieldOf(causes.at(-1), 'cause') ?? fieldOf(causes.at(-1), 'lastError');
    if (next === undefined) break;
    causes.push(next);
  }
  return causes;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
