import type { InboundMessage, JsonValue } from '@molecule-ai/protocol';
import type { HistoryOptions, HistoryPage } from '../client/conversation-history.ts';
import type { PeerClient } from '../client/peer-client.ts';
import { MessageFailure } from '../errors/message-failure.ts';
import { ConfigurationError } from '../errors/molecule-error.ts';
import type { AnswerContent, AttemptContext, HandlerAnswer, QuestionToAsk } from '../inbound/handler.ts';
import type { Logger } from '../logging/logger.ts';
import type { AnySkill, ReceivedData, SentData, Skill } from '../skills/skill.ts';
import type { InboundAnswer } from './inbound-answer.ts';

/** The second argument of a handler. It belongs to one attempt at one message. */
export interface HandlerContext extends AttemptContext {
  /** The client of the agent, for calls to peers: they carry this message as their parent, and end with `signal` and its deadline. */
  readonly client: PeerClient;
  /**
   * What was said before in the conversation of this message, oldest first: `client.conversationHistory` without this message and what
   * came after it, so that another attempt gets the same. Texts of others are untrusted: a model gets `entry.forModel()`.
   * @throws MoleculeError `invalid_argument`; what a request throws.
   */
  history(options?: HistoryOptions): Promise<HistoryPage>;
  /** The logger of the client; adds the row id of the message to each line. */
  readonly logger: Logger;
}

/**
 * Handles one message. What it returns is sent as the answer; nothing, or a blank text, ends the message as unanswered.
 * When it throws, the message is retried: by default five attempts with pauses of 1, 4, 16 and 64 s, then it becomes a dead letter
 * and its sender learns that the agent failed. A {@link MessageFailure} ends it as failed at once, with the text and
 * code that the sender receives. A value that is not an answer is an error of the agent: the message becomes a dead letter
 * at once. What is returned after `signal` aborted is not sent. The content of a message is untrusted: pass it to a
 * model through `messageForModel` only.
 */
export interface MessageHandler {
  (message: InboundMessage, context: HandlerContext): HandlerAnswer | Promise<HandlerAnswer>;
  /** What handles answers where the agent has no `onAnswer` of its own. Handlers of adapters have it: pass it on when you wrap one. */
  readonly onAnswer?: AnswerHandler | undefined;
}

/**
 * Handles an answer, which no `onMessage` gets. It fails and is retried as a {@link MessageHandler}. What it returns for the answers to questions is the
 * answer to the message that raised them, or asks again; nothing is sent for what it returns for a late answer.
 */
export interface AnswerHandler {
  (answer: InboundAnswer, context: HandlerContext): HandlerAnswer | Promise<HandlerAnswer>;
  /** What it handles. @default both */
  readonly kinds?: readonly InboundAnswer['kind'][] | undefined;
}

/** A message that names a skill, with its data checked and as the schema of the agent returns it. */
export interface SkillMessage<Input> extends Omit<InboundMessage, 'data'> {
  readonly data: ReceivedData<Input>;
}

/** What the handler of a skill returns: any answer where the skill has no `output`, else one with data that fits it, or questions. */
export type SkillAnswer<Output> = Output extends undefined
  ? HandlerAnswer
  :
      | (Omit<AnswerContent, 'data'> & { readonly data: SentData<Output> })
      | (AnswerContent & { readonly questions: readonly QuestionToAsk[] });

/** A skill with its handler, for `createRemoteAgent({ skills })`. */
export interface SkillHandler {
  readonly skill: AnySkill;
  readonly handle: (message: InboundMessage, context: HandlerContext) => Promise<HandlerAnswer>;
}

/**
 * A handler for the messages that name a skill. Data that does not fit fails the message as `invalid_data`, which names the field to its sender, and an answer
 * that does not fit as `agent_answer_invalid`, which the log explains; neither is tried again. Otherwise it fails as every handler does. What `context.reply`
 * sends is not checked.
 *
 * @example
 * const takeOrder = handleSkill(order, ({ data }) => ({ data: { number: book(data.item, data.count) } }));
 * const agent = createRemoteAgent({ client, skills: [takeOrder] });
 */
export function handleSkill<Input, Output>(
  skill: Skill<Input, Output>,
  handler: (
    message: SkillMessage<Input>,
    context: HandlerContext,
  ) => SkillAnswer<Output> | Promise<SkillAnswer<Output>>,
): SkillHandler {
  const handle: SkillHandler['handle'] = async (message, context) => {
    const input = await skill.input.check(message.data);
    if ('problem' in input) {
      const text = `The data does not fit the skill "${skill.id}". ${input.problem}`;
      throw new MessageFailure(text, { code: 'invalid_data' });
    }
    const answer = (await handler({ ...message, data: input.data }, context)) as HandlerAnswer;
    const problem = await problemOfAnswer(skill, answer);
    if (problem === null) return answer;
    throw new MessageFailure('The agent made an answer that does not fit its own description.', {
      code: 'agent_answer_invalid',
      cause: new ConfigurationError(
        `The answer of the skill "${skill.id}" does not fit its output. ${problem}`,
      ),
    });
  };
  return { skill: skill, handle };
}

async function problemOfAnswer<Input, Output>(
  { output }: Skill<Input, Output>,
  answer: unknown,
): Promise<string | null> {
  const { data, questions } = Object(answer) as AnswerContent;
  if (output.schema === undefined || (questions !== undefined && questions.length > 0)) return null;
  const checked = await output.check(data);
  return 'problem' in checked ? checked.problem : null;
}

/** Handles messages by the skill that they name, and those that name none by `others`. */
export function bySkill(skills: readonly SkillHandler[], others: MessageHandler | undefined): MessageHandler {
  if (skills.length === 0 && others !== undefined) return others;
  const known = new Map(skills.map((each) => [each.skill.id, each]));
  const handle: MessageHandler = (message, context) => {
    const named: JsonValue = message.metadata.skill ?? null;
    const found = known.get(String(named));
    if (named !== null && found !== undefined) return found.handle(message, context);
    if (named === null && others !== undefined) return others(message, context);
    const which = named === null ? 'Name one in metadata.skill.' : 'The message names another one.';
    const list = [...known.keys()].slice(0, MAX_LISTED).join(', ');
    throw new MessageFailure(`This agent has the skills ${list}. ${which}`, { code: 'unknown_skill' });
  };
  return Object.assign(handle, { onAnswer: others?.onAnswer });
}

const MAX_LISTED = 50;
