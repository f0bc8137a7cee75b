import type { PeerInfo } from '../peers/peer-info.ts';
import {
  descriptionForModel,
  isShownId,
  isShownWord,
  lineForModel,
  peersForModel,
} from '../peers/text-for-model.ts';
import { fencePeerText, type ModelText, ownWords } from '../trust-boundary/fence.ts';
import { messageIdOfCall } from './call-identity.ts';
import { type ToolDefinition, textArgument } from './tool-definition.ts';
import { defineTool, type ToolContext } from './tool-run.ts';
import type {
  FailureData,
  MessageToUser,
  NoInput,
  OwnWorkspace,
  PeerList,
  SendMessageToUserInput,
} from './tool-shapes.ts';

export function listPeersTool(
  context: ToolContext,
): ToolDefinition<'list_peers', NoInput, PeerList | FailureData> {
  return defineTool(context, {
    name: 'list_peers',
    description:
      'Lists the other agents that you can send messages to: their ids, whether they are there, and what they say of themselves.',
    args: {},
    run: async (_input, { signal }) => {
      const all = await context.client.getPeers({ signal });
      const { shown, text } = fitting(all, context.maxModelChars);
      const omitted = all.length - shown.length;
      const peers = shown.map(({ id, name, role, status }) => {
        return { id, name: lineForModel(name), role: lineForModel(role), status };
      });
      const forModel = omitted > 0 ? ownWords(`${text}\n${omitted} more peers are left out.`) : text;
      return { forModel, data: { status: 'ok', peers, omitted }, isError: false };
    },
  });
}

/** As many peers, from the first on, as have room. */
function fitting(
  peers: readonly PeerInfo[],
  maxLength: number,
): { shown: readonly PeerInfo[]; text: ModelText } {
  for (let shown = peers; ; ) {
    const text = peersForModel(shown);
    if (text.length <= maxLength || shown.length <= 1) return { shown, text };
    const share = Math.floor((shown.length * maxLength) / text.length);
    shown = shown.slice(0, Math.max(1, Math.min(shown.length - 1, share)));
  }
}

export function getWorkspaceInfoTool(
  context: ToolContext,
): ToolDefinition<'get_workspace_info', NoInput, OwnWorkspace | FailureData> {
  return defineTool(context, {
    name: 'get_workspace_info',
    description: 'Tells who you are in the organisation: your own id, name, role, state and parent.',
    args: {},
    run: async (_input, { signal }) => {
      const info = await context.client.getWorkspace({ signal });
      const { id, status, parentId, deliveryMode, agentCard } = info;
      const described = {
        name: lineForModel(info.name),
        role: lineForModel(info.role),
        description: descriptionForModel(agentCard?.description),
      };
      const parent = parentId !== null && isShownId(parentId) ? ` Its parent is ${parentId}.` : '';
      const state = isShownWord(status) ? `, its state ${status}` : '';
      const fenced = fencePeerText(JSON.stringify(described), { origin: context.ownId });
      return {
        forModel: ownWords(
          `The id of your workspace is ${context.ownId}${state}.${parent} It is described as:\n${fenced}`,
        ),
        data: { status: 'ok', workspace: { id, ...described, status, parentId, deliveryMode } },
        isError: false,
      };
    },
  });
}

export function sendMessageToUserTool(
  context: ToolContext,
): ToolDefinition<'send_message_to_user', SendMessageToUserInput, MessageToUser | FailureData> {
  const { client } = context;
  return defineTool(context, {
    name: 'send_message_to_user',
    description:
      'Shows a message to the user of this agent, at once. For news while you work; your final answer is shown without it. You get no ' +
      'answer by it.',
    args: { message: textArgument('The message, as plain text.') },
    run: async ({ message: text }, call) => {
      const content = { toolName: 'send_message_to_user', peerId: '', text };
      const idempotencyKey = messageIdOfCall(client, call, content);
      const { activityId, isDuplicate } = await client.notify(text, { idempotencyKey, signal: call.signal });
      const forModel = ownWords('The message is shown to the user.');
      return { forModel, data: { status: 'sent', activityId, isDuplicate }, isError: false };
    },
  });
}
