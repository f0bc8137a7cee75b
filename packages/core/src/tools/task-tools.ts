import { isErrorCode } from '@molecule-ai/protocol';
import type { SentMessage } from '../client/message-state.ts';
import { isShownId, isShownWord } from '../peers/text-for-model.ts';
import { ownWords } from '../trust-boundary/fence.ts';
import { messageIdOfCall } from './call-identity.ts';
import { outcomeOfReply, peerNamed } from './reply-outcome.ts';
import {
  idArgument,
  optionalIdArgument,
  type ToolDefinition,
  type ToolOutcome,
  textArgument,
} from './tool-definition.ts';
import { defineTool, type ToolContext, whereToLook } from './tool-run.ts';
import type {
  CancelTaskInput,
  CheckTaskStatusInput,
  DelegateTaskAsyncInput,
  FailureData,
  PeerReplyOutcome,
  TaskList,
} from './tool-shapes.ts';

/** How long a look at a task waits for its end, in milliseconds: a model that looks again and again does so slowly. */
const LOOK_MS = 20_000;
const MAX_LISTED = 10;

/** What other Molecule AI tools want to know here. */
const IGNORED = ['workspace_id'];

/** Sends a task and does not wait for it; each is a conversation of its own, so that several are handled at the same time. */
export function delegateTaskAsyncTool(
  context: ToolContext,
): ToolDefinition<'delegate_task_async', DelegateTaskAsyncInput, PeerReplyOutcome | FailureData> {
  const { client } = context;
  return defineTool(context, {
    name: 'delegate_task_async',
    description:
      'Gives another agent a task and does not wait for it. The result has a task_id, by which check_task_status returns what became of ' +
      'it. For work that takes long, and for several agents that work at the same time.',
    args: {
      workspace_id: idArgument('The id of the workspace of the other agent.', 'peer_id'),
      task: textArgument('The task, so that it can be understood without this conversation.', 'text'),
    },
    run: async ({ workspace_id: peerId, task: text }, call) => {
      const messageId = messageIdOfCall(client, call, { toolName: 'delegate_task_async', peerId, text });
      const reply = await client.sendToPeer(peerId, text, { messageId, signal: call.signal });
      const outcome = outcomeOfReply(reply, context);
      if (reply.status !== 'queued') return outcome;
      const later = reply.isHeld ? ' when it is resumed, because it is paused' : '';
      const look = whereToLook(reply.messageId, context);
      return {
        ...outcome,
        forModel: ownWords(
          `The ${peerNamed(peerId)} has the task or gets it${later}. Go on with something else. The result comes later${look}`,
        ),
      };
    },
  });
}

export function checkTaskStatusTool(
  given: ToolContext,
): ToolDefinition<'check_task_status', CheckTaskStatusInput, PeerReplyOutcome | TaskList | FailureData> {
  const context: ToolContext = { ...given, subject: 'task' };
  const { client } = context;
  return defineTool(context, {
    name: 'check_task_status',
    description:
      'Returns what became of a task that you gave to another agent, or of a message that was not answered in time, and the answer ' +
      `when it is there. Waits up to ${LOOK_MS / 1_000} s for it.`,
    args: { task_id: optionalIdArgument('The task_id as it was given to you; "" for the latest tasks.') },
    ignored: IGNORED,
    run: async (
      { task_id: taskId = '' },
      { signal, timeoutMs: given },
    ): Promise<ToolOutcome<PeerReplyOutcome | TaskList>> => {
      if (taskId === '') {
        const { messages, hasMore } = await client.listMessages({ limit: MAX_LISTED, signal });
        return listOf(messages, hasMore);
      }
      const timeoutMs = Math.min(given ?? context.timeoutMs, LOOK_MS);
      return outcomeOfReply(await client.waitForAnswer(taskId, { signal, timeoutMs }), context);
    },
  });
}

export function cancelTaskTool(
  given: ToolContext,
): ToolDefinition<'cancel_task', CancelTaskInput, PeerReplyOutcome | FailureData> {
  const context: ToolContext = { ...given, subject: 'task' };
  return defineTool(context, {
    name: 'cancel_task',
    description: 'Cancels a task that you gave to another agent, which then stops its work on it.',
    args: { task_id: idArgument('The task_id as it was given to you.') },
    ignored: IGNORED,
    run: async ({ task_id: taskId }, { signal }) => {
      const reply = await context.client.cancelTask(taskId, { signal });
      const outcome = outcomeOfReply(reply, context);
      if (reply.status === 'canceled') {
        return { ...outcome, forModel: ownWords('The task is canceled.'), isError: false };
      }
      const forModel = ownWords(`The task was not canceled: it had ended before.\n${outcome.forModel}`);
      return { ...outcome, forModel };
    },
  });
}

function listOf(messages: readonly SentMessage[], hasMore: boolean): ToolOutcome<TaskList> {
  const tasks = messages.map(({ messageId, targetId, state, isHeld, code, createdAt, endedAt }) => {
    return { taskId: messageId, peerId: targetId, state, isHeld, code, createdAt, endedAt };
  });
  const lines = tasks.map(({ taskId, peerId, state, isHeld, code, createdAt }, index) => {
    const why = code !== null && isErrorCode(code) ? ` (${code})` : '';
    const shown = isShownWord(state) ? state : 'open';
    const held = isHeld ? ', the peer is paused' : '';
    return `${index + 1}. ${isShownId(taskId) ? taskId : 'unknown'}: ${shown}${why}${held}, to the ${peerNamed(peerId)}, sent ${shownTime(createdAt)}`;
  });
  const more = hasMore ? ['There are older ones.'] : [];
  const text =
    tasks.length === 0
      ? 'You have given no task to another agent.'
      : ['The latest tasks, by task_id:', ...lines, ...more].join('\n');
  return { forModel: ownWords(text), data: { status: 'ok', tasks, hasMore }, isError: false };
}

function shownTime(time: string): string {
  const at = Date.parse(time);
  return Number.isNaN(at) ? 'at an unknown time' : new Date(at).toISOString();
}
