import { randomUUID } from 'node:crypto';
import { MessageFailure } from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import type { HostileText } from './hostile-strings.ts';
import type { ScriptedToolCall } from './scripted-model.ts';
import type { Stage } from './stage.ts';
import {
  askPeer,
  askWithTool,
  askWithTools,
  askWithTurns,
  BATCH,
  nothing,
  type Surface,
  TURNS,
  within,
} from './surface.ts';

/** Names and roles are cut at so many characters, descriptions at 1 000. */
const NAME_LENGTH = 200;
const DESCRIPTION_LENGTH = 1_000;
const STATUSES = [400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 502, 503, 504];

/** Words in responses of the platform, also of one that checks nothing, and of what stands before it. */
export const GATEWAY_SURFACES: readonly Surface[] = [
  card('card-name', 'the name of a peer', NAME_LENGTH, (text) => ({
    name: text,
    agent_card: { name: text },
  })),
  card('card-role', 'the role of a peer', NAME_LENGTH, (text) => ({ role: text })),
  card('card-description', 'the description in the card of a peer', DESCRIPTION_LENGTH, (text) => {
    return { agent_card: { name: 'peer', description: text } };
  }),
  card('card-skill', 'a skill in the card of a peer', NAME_LENGTH, (text) => {
    return { agent_card: { name: 'peer', skills: [text, { id: 'a', name: text, description: text }] } };
  }),
  {
    id: 'own-card',
    about: 'what the platform says of the own workspace',
    batch: BATCH,
    bring: async (stage, texts) => {
      const { body } = await stage.platform.request('GET', `/workspaces/${stage.client.workspaceId}`);
      const forged = texts.map(({ text }) => {
        return { ...body, name: text, role: text, status: text, parent_id: text, delivery_mode: text };
      });
      await askForEach(stage, '/workspaces/:id', forged, { name: 'get_workspace_info', args: {} });
    },
    expected: ({ client }) => ({ shown: 'maybe', origin: client.workspaceId }),
  },
  {
    id: 'sent-messages',
    about: 'states, codes and ids in the list of the messages that were sent',
    batch: BATCH,
    bring: async (stage, texts) => {
      await askPeer(stage, texts, ({ text, canary }) => {
        throw new MessageFailure(text, { code: canary });
      });
      stage.model.prompts.length = 0;
      await askWithTool(stage, 'check_task_status', { task_id: '' });
      respond(stage, '/workspaces/:id/messages', { messages: texts.flatMap(forgedMessages), has_more: true });
      await askWithTool(stage, 'check_task_status', { task_id: '' });
    },
    expected: nothing,
  },
  {
    id: 'gateway-answer',
    about: 'an answer to a call of which everything is forged',
    batch: BATCH,
    bring: async (stage, texts) => {
      const args = { peer_id: stage.peer.id, text: 'hello', new_conversation: true };
      const bodies = texts.flatMap(forgedAnswers);
      await askForEach(stage, '/workspaces/:id/a2a', bodies, { name: 'call_peer', args });
    },
    expected: () => ({ shown: 'maybe' }),
  },
  {
    id: 'gateway-error',
    about: 'an error for each of the tools, messages to the user included',
    batch: TURNS,
    bring: async (stage, texts) => {
      const { gateway, peer } = stage;
      const turns = texts.map(({ id, text, canary }) => () => {
        const body = {
          error: text,
          code: canary,
          hint: text,
          message: text,
          detail: { [text]: text },
          id: text,
        };
        const status = STATUSES[text.length % STATUSES.length] ?? 500;
        const toolCalls = [
          { name: 'list_peers', args: {} },
          { name: 'get_workspace_info', args: {} },
          { name: 'call_peer', args: { peer_id: peer.id, text: id } },
          { name: 'delegate_task_async', args: { workspace_id: peer.id, task: id } },
          { name: 'check_task_status', args: { task_id: randomUUID() } },
          { name: 'cancel_task', args: { task_id: randomUUID() } },
          { name: 'send_message_to_user', args: { message: id } },
        ].map((call) => ({ ...call, id: `${call.name}-${id}` }));
        gateway.rules = [{ fault: 'status', status, body }];
        return { toolCalls };
      });
      await askWithTurns(stage, turns);
    },
    expected: nothing,
  },
  {
    id: 'notify',
    about: 'what comes back for a message to the user',
    batch: BATCH,
    bring: async (stage, texts) => {
      const bodies = texts.map(({ text }) => ({ status: text, activity_id: text, id: text, message: text }));
      const call = { name: 'send_message_to_user', args: { message: 'hello' } };
      await askForEach(stage, '/workspaces/:id/notify', bodies, call);
    },
    expected: nothing,
  },
];

/** Fields that peers have in the list of peers, whatever the platform would accept. */
function card(id: string, about: string, length: number, fieldsOf: (text: string) => object): Surface {
  return {
    id,
    about,
    batch: BATCH,
    bring: async (stage, texts) => {
      const token = await clientPort(stage.peer.client).currentToken();
      const path = `/registry/${stage.peer.id}/peers`;
      const { body } = await stage.platform.request('GET', path, { token });
      const peers = texts.map(({ text }) => ({ ...body[0], id: randomUUID(), ...fieldsOf(text) }));
      respond(stage, '/registry/:id/peers', peers);
      await askWithTool(stage, 'list_peers');
    },
    expected: within(length, () => ({ shown: 'yes', origin: 'unknown' })),
  };
}

/** The model calls the tool as often as there are bodies, and each call gets one of them. */
async function askForEach(
  stage: Stage,
  path: string,
  bodies: readonly unknown[],
  call: ScriptedToolCall,
): Promise<void> {
  const { gateway } = stage;
  const before = gateway.hits();
  gateway.rules = bodies.map((body) => ({ fault: 'status', status: 200, path, body, times: 1 }));
  await askWithTools(
    stage,
    bodies.map(() => call),
  );
  const sent = gateway.hits() - before;
  if (sent !== bodies.length) throw new Error(`${sent} of ${bodies.length} responses were sent.`);
}

function respond({ gateway }: Stage, path: string, body: unknown): void {
  gateway.rules = [{ fault: 'status', status: 200, path, body }];
}

function forgedMessages({ text }: HostileText): readonly object[] {
  const row = { message_id: text, activity_id: text, target_id: text, context_id: text, state: text };
  const times = { created_at: text, updated_at: text, ended_at: text };
  const likely = { message_id: randomUUID(), created_at: new Date(0).toISOString() };
  return [
    { ...row, ...times, code: text, held: text },
    { ...row, ...times, code: text, held: true, ...likely },
  ];
}

function forgedAnswers({ text }: HostileText): readonly object[] {
  const message = {
    kind: 'message',
    role: 'agent',
    messageId: text,
    parts: [{ kind: text, type: text, text }],
  };
  const status = { state: text, timestamp: text, message };
  const questions = [{ id: text, kind: text, from: text, text }];
  const metadata = { message_id: text, state: text, code: text, questions };
  return [
    { jsonrpc: '2.0', id: text, result: { kind: 'task', id: text, contextId: text, status, metadata } },
    { jsonrpc: '2.0', id: text, error: { code: text, message: text, data: { code: text, hint: text } } },
    { status: text, message_id: text, delivery_mode: text, context_id: text, code: text, error: text },
  ];
}
