/** An adapter to the framework of `loop.ts`. It translates: tools out, messages in, pieces to a stream, an approval to a question, and the signal. */
import {
  MessageFailure,
  type MessageHandler,
  type PeerClient,
  peerTextInstructions,
} from '@molecule-ai/core';
import {
  type Approvals,
  agentHandler,
  type PeerToolsOptions,
  type PendingQuestion,
  peerTools,
  type Turn,
} from '@molecule-ai/core/adapter-kit';
import { type Loop, type LoopMessage, type LoopTool, type ToolUse, TooManySteps } from './loop.ts';

// #region tools
/** The tools by which a model of the framework works with peers. */
export function loopTools(client: PeerClient, options: PeerToolsOptions = {}): LoopTool[] {
  return peerTools(client, options).map((tool) => ({
    name: tool.name,
    description: tool.description,
    inputSchema: tool.inputSchema,
    execute: async (input, { id: callId, ...call }) => {
      const { forModel: text, data, isError } = await tool.execute(input, { callId, ...call });
      return { text, data, isError };
    },
  }));
}
// #endregion tools

/** Conversations by their ids. A program that is started again keeps them in a database. */
export type Conversations = Map<string, LoopMessage[]>;

export interface LoopHandlerOptions {
  readonly approvals?: Approvals;
  /** @default in memory */
  readonly conversations?: Conversations;
}

// #region handler
/** The `onMessage` of an agent whose messages the loop handles. */
export function loopHandler(loop: Loop, options: LoopHandlerOptions = {}): MessageHandler {
  const { approvals, conversations = new Map() } = options;
  return agentHandler<LoopMessage[]>({
    approvals,
    failureOf: (error) =>
      error instanceof TooManySteps
        ? new MessageFailure('The agent did not come to an end.', { code: 'too_many_steps', cause: error })
        : undefined,
    open: async ({ conversationId }) => {
      const messages = conversations.get(conversationId) ?? [];
      conversations.set(conversationId, messages);
      return messages;
    },
    exists: (messages) => messages.length > 0,
    begin: (turn, messages) => {
      const { id } = turn.message;
      const isExplained = () => loop.instructions.includes(peerTextInstructions);
      // A message that is delivered again continues where the last attempt ended.
      if (!messages.some((each) => each.id === id))
        messages.push({ role: 'user', id, text: turn.text(isExplained) });
      return runIn(loop, turn, messages);
    },
    resume: async (turn, messages, answers) => {
      const answered = loop.waiting(messages).flatMap((call) => {
        const answer = answers.to(questionOf(call).about);
        return answer === undefined ? [] : [[call.id, answer.isApproved] as const];
      });
      return answered.length === 0 ? null : runIn(loop, turn, messages, new Map(answered));
    },
  });
}

async function runIn(
  loop: Loop,
  turn: Turn,
  messages: LoopMessage[],
  decisions: ReadonlyMap<string, boolean> = new Map(),
) {
  const before = [...messages];
  const work = async () => {
    const text = await turn.run(async (answer) => {
      const onText = (piece: string, step: number) => (answer.isRead ? answer.push(piece, step) : undefined);
      const said = await loop.run(messages, { signal: turn.context.signal, onText, decisions });
      await answer.end();
      return answer.restOf(said);
    });
    const waiting = loop.waiting(messages);
    return waiting.length === 0 ? text : turn.ask(waiting.map(questionOf), turn.conversationId);
  };
  // What no other attempt continues is forgotten.
  return turn.orRelease(work, async () => messages.splice(0, messages.length, ...before));
}

/** What a person is asked about a call: the whole of it. */
function questionOf({ id, name, input }: ToolUse): PendingQuestion {
  return {
    about: [id, name, input],
    kind: 'approval',
    text: `May the tool ${name} be run?`,
    data: { action: name, args: input },
  };
}
// #endregion handler
