import { BaseListChatMessageHistory } from '@langchain/core/chat_history';
import {
  AIMessage,
  type BaseMessage,
  HumanMessage,
  isBaseMessage,
  isBaseMessageChunk,
} from '@langchain/core/messages';
import {
  type ActivityEntry,
  currentMessage,
  fencePeerText,
  MoleculeError,
  type PeerClient,
  type PeerReply,
  parseActivityRow,
  stripA2aBoundary,
} from '@molecule-ai/core';
import { clientProblem, shape } from '@molecule-ai/core/adapter-kit';

class PeerMessageHistoryShape {
  /** `message.conversationId`. @default that of the message which is handled */
  conversationId = shape.nonBlank();
  /** At most so many rows of the feed, the latest, 1 to 500. @default 100 */
  limit = shape.number({ min: 1, max: 500, isInteger: true, byDefault: 100 });
}

/** Options of {@link peerMessageHistory}. */
export interface PeerMessageHistoryOptions extends shape.OptionsOf<PeerMessageHistoryShape> {}

const OPTIONS = shape.optionsSchema(new PeerMessageHistoryShape());

/**
 * The messages of one conversation of this agent, as the platform keeps them: those to it as `HumanMessage`, fenced where another agent
 * wrote them, and its answers as `AIMessage`. In a handler those before the message that is handled. The same row gives the same bytes each
 * time. For a prompt, or `RunnableWithMessageHistory`: the platform has what the agent was sent and answers, so adding messages does nothing.
 *
 * @throws MoleculeError `invalid_argument` for wrong options.
 *
 * @example
 * const history = await peerMessageHistory(client).getMessages();
 */
export function peerMessageHistory(
  client: Pick<PeerClient, 'workspaceId' | 'listActivity'>,
  options: PeerMessageHistoryOptions = {},
): PeerMessageHistory {
  return new PeerMessageHistory(client, options);
}

/** See {@link peerMessageHistory}. */
export class PeerMessageHistory extends BaseListChatMessageHistory {
  override lc_namespace = ['molecule_ai', 'langchain', 'history'];
  private readonly client: Pick<PeerClient, 'workspaceId' | 'listActivity'>;
  private readonly options: shape.SettingsOf<PeerMessageHistoryShape>;

  constructor(client: Pick<PeerClient, 'workspaceId' | 'listActivity'>, options: PeerMessageHistoryOptions) {
    super();
    const problem = clientProblem(client);
    if (problem !== null) throw new MoleculeError(problem, { code: 'invalid_argument' });
    this.options = shape.parseArgument('peerMessageHistory', OPTIONS, options);
    this.client = client;
  }

  /** @throws MoleculeError `invalid_argument` outside of handlers without a conversation, and what `listActivity` throws. */
  override async getMessages(): Promise<BaseMessage[]> {
    const { limit } = this.options;
    const handled = currentMessage();
    const conversationId = this.options.conversationId ?? handled?.conversationId ?? '';
    if (conversationId === '') {
      throw new MoleculeError('No conversation is named, and no message is handled.', {
        code: 'invalid_argument',
        hint: 'Set `conversationId`.',
      });
    }
    const { rows } = await this.client.listActivity({
      conversationId,
      direction: 'all',
      order: 'desc',
      limit,
    });
    const ordered = rows.toReversed();
    const current = ordered.findIndex(({ id }) => id === handled?.activityId);
    return messagesOf(current === -1 ? ordered : ordered.slice(0, current), this.client.workspaceId);
  }

  /** Does nothing: the platform has the message when it was sent. */
  override async addMessage(_message: BaseMessage): Promise<void> {}

  /** Does nothing. */
  override async addMessages(_messages: BaseMessage[]): Promise<void> {}

  /** @throws MoleculeError `not_supported`: a feed is not deleted. */
  override async clear(): Promise<void> {
    throw new MoleculeError('The messages of a conversation cannot be deleted.', { code: 'not_supported' });
  }
}

function messagesOf(rows: readonly ActivityEntry[], self: string): BaseMessage[] {
  // An answer to a person is also a row of its own.
  const answered = new Set(rows.flatMap(({ answer, messageId }) => (answer === '' ? [] : [messageId])));
  return rows.flatMap((row) => {
    const { id, direction, text, answer, inReplyTo } = row;
    if (direction === 'out')
      return answered.has(inReplyTo) || text === '' ? [] : [new AIMessage({ id, content: text })];
    const message = parseActivityRow(row.raw, { self });
    if (message === null || message.text === '') return [];
    const { source, peerId } = message;
    const words = message.inReplyTo === '' ? message.text : stripA2aBoundary(message.text);
    const content = source === 'canvas_user' ? words : fencePeerText(words, { origin: peerId });
    const human = new HumanMessage({ id, content });
    return answer === '' ? [human] : [human, new AIMessage({ id: `answer-${id}`, content: answer })];
  });
}

/** What a peer is asked: a text, or the last of several messages. */
export type PeerRunnableInput =
  | string
  | BaseMessage
  | readonly BaseMessage[]
  | { readonly text: string }
  | { readonly messages: readonly BaseMessage[] }
  | { toChatMessages(): BaseMessage[] };

/** Of a state with messages it is the update of that state. */
export type PeerRunnableOutput<Input> = Input extends { toChatMessages(): BaseMessage[] }
  ? PeerMessage
  : Input extends { readonly messages: readonly BaseMessage[] }
    ? { messages: PeerMessage[] }
    : PeerMessage;

/** What came of it, as plain JSON for programs. Of the peer's words it has none but a `code`. */
export interface PeerMessageData {
  status: PeerReply['status'];
  peerId: string;
  messageId: string;
  contextId: string;
  /** Why it failed, `null` for none. The agent that failed may have chosen it. */
  code: string | null;
}

/** The reply of a peer as a message of a third party. Its content is for a model: words of the peer are in a fence. */
export interface PeerMessage extends HumanMessage {
  content: string;
  response_metadata: { peer_reply: PeerMessageData };
}

/** Whether it is the state of a graph. */
export function isState(input: PeerRunnableInput): input is { readonly messages: readonly BaseMessage[] } {
  if (typeof input !== 'object' || isBaseMessage(input) || 'toChatMessages' in input) return false;
  return 'messages' in input && Array.isArray(input.messages);
}

/** Of several messages the last is the question; all of a prompt are. @throws MoleculeError `invalid_argument` */
export function textOf(input: PeerRunnableInput): string {
  if (typeof input === 'string') return input;
  if (isBaseMessage(input)) return input.text;
  if (Array.isArray(input)) return lastText(input);
  if (isState(input)) return lastText(input.messages);
  if ('text' in input && typeof input.text === 'string') return input.text;
  if ('toChatMessages' in input && typeof input.toChatMessages === 'function') {
    const messages: BaseMessage[] = input.toChatMessages();
    return messages.map(({ text }) => text).join('\n\n');
  }
  throw new MoleculeError('The input for a peer has no text.', {
    code: 'invalid_argument',
    hint: 'Pass a text, a message, messages, { text }, { messages } or a prompt.',
  });
}

function lastText(messages: readonly BaseMessage[]): string {
  return messages.at(-1)?.text ?? '';
}

/** The input of a step, where the step before it gives its output in pieces. */
export async function joined<Input extends PeerRunnableInput>(inputs: AsyncGenerator<Input>): Promise<Input> {
  let all: Input | undefined;
  for await (const next of inputs) {
    if (typeof all === 'string' && typeof next === 'string') all = (all + next) as Input;
    else if (isBaseMessageChunk(all) && isBaseMessageChunk(next)) all = all.concat(next) as unknown as Input;
    else all = next;
  }
  return all ?? ('' as Input);
}
