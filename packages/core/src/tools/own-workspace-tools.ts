import { fenceRepeatably, lineForModel } from '../peers/text-for-model.ts';
import { messageIdOfCall } from './call-identity.ts';
import type { FailureData } from './failure-outcome.ts';
import type { NoInput } from './list-peers.ts';
import { readArguments, schemaOf, textArgument } from './tool-arguments.ts';
import type { ToolDefinition } from './tool-definition.ts';
import { asOutcome, type ToolContext } from './tool-run.ts';

const MAX_NAME_LENGTH = 200;
const MAX_DESCRIPTION_LENGTH = 1_000;
const ID = /^[\w.:-]{1,128}$/;
const WORD = /^[\w-]{1,32}$/;

export type OwnWorkspace = {
  status: 'ok';
  workspace: {
    id: string;
    name: string;
    role: string;
    description: string;
    status: string;
    parentId: string | null;
    deliveryMode: string | null;
  };
};

export type SendMessageToUserInput = {
  message: string;
};

export type MessageToUser = {
  status: 'sent';
  /** The id of its row in the feed; `''` from an older platform. */
  activityId: string;
  /** Whether an earlier attempt of the same call had sent it. */
  isDuplicate: boolean;
};

export type GetWorkspaceInfoTool = ToolDefinition<'get_workspace_info', NoInput, OwnWorkspace | FailureData>;
export type SendMessageToUserTool = ToolDefinition<
  'send_message_to_user',
  SendMessageToUserInput,
  MessageToUser | FailureData
>;

const MESSAGE = { message: textArgument('The message, as plain text.') };

export function getWorkspaceInfoTool(context: ToolContext): GetWorkspaceInfoTool {
  return {
    name: 'get_workspace_info',
    description: 'Tells who you are in the organisation: your own id, name, role, state and parent.',
    inputSchema: schemaOf({}),
    parse: (raw) => readArguments(raw, {}),
    run: (_input, call = {}) =>
      asOutcome(context, call, async () => {
        const info = await context.client.getWorkspace({ signal: call.signal });
        const { id, status, parentId, deliveryMode, agentCard } = info;
        const described = {
          name: lineForModel(info.name, MAX_NAME_LENGTH),
          role: lineForModel(info.role, MAX_NAME_LENGTH),
          description: lineForModel(agentCard?.description, MAX_DESCRIPTION_LENGTH),
        };
        const parent = parentId !== null && ID.test(parentId) ? ` Its parent is ${parentId}.` : '';
        const state = WORD.test(status) ? `, its state ${status}` : '';
        const forModel = `The id of your workspace is ${context.ownId}${state}.${parent} It is described as:\n${fenceRepeatably(JSON.stringify(described), { origin: context.ownId })}`;
        return {
          forModel,
          data: { status: 'ok', workspace: { id, ...described, status, parentId, deliveryMode } },
          isError: false,
        };
      }),
  };
}

export function sendMessageToUserTool(context: ToolContext): SendMessageToUserTool {
  return {
    name: 'send_message_to_user',
    description:
      'Shows a message to the user of this agent, at once. For news while you work; your final answer is shown without it. You get no ' +
      'answer by it.',
    inputSchema: schemaOf(MESSAGE),
    parse: (raw) => readArguments(raw, MESSAGE),
    run: ({ message: text }, call = {}) =>
      asOutcome(context, call, async () => {
        const { client } = context;
        const idempotencyKey = messageIdOfCall(client, call, {
          toolName: 'send_message_to_user',
          peerId: '',
          text,
        });
        const { activityId, isDuplicate } = await client.notify(text, {
          idempotencyKey,
          signal: call.signal,
        });
        return {
          forModel: 'The message is shown to the user.',
          data: { status: 'sent', activityId, isDuplicate },
          isError: false,
        };
      }),
  };
}
