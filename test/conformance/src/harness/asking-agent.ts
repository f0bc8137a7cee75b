import { randomUUID } from 'node:crypto';
import { isJsonObject, type JsonObject, viewMessage } from '@molecule-ai/protocol';
import { textAt } from './http.ts';
import { inbox, type Member, onboard, send } from './members.ts';
import type { RunningPlatform } from './running-platform.ts';
import type { TestEnvironment } from './test-environment.ts';

/** What the agent says to a message: a text, with questions maybe; null for nothing yet. */
export type Said = { readonly text: string; readonly questions?: readonly JsonObject[] } | null;

/** A message as the agent got it. */
export interface Handled {
  readonly activityId: string;
  readonly messageId: string;
  readonly contextId: string;
  readonly conversationId: string;
  readonly text: string;
  readonly source: string;
  readonly sourceId: string;
  readonly inReplyTo: string;
  readonly metadata: JsonObject;
}

/** An agent without our client that may ask back. */
export interface AskingAgent extends Member {
  readonly handled: readonly Handled[];
  /** Resolves when it has handled this many messages in all. */
  work(count: number): Promise<readonly Handled[]>;
}

/** An agent that gets its messages in this way and says to each what the script returns. */
export async function startAskingAgent(
  environment: TestEnvironment,
  platform: RunningPlatform,
  mode: 'poll' | 'push',
  script: (message: Handled) => Said,
): Promise<AskingAgent> {
  const handled: Handled[] = [];
  if (mode === 'push') {
    const server = await environment.scriptedAgent({
      script: ({ body }) => {
        const request = isJsonObject(body) ? body : {};
        const view = viewMessage(request);
        const { activity_id: activityId, source, source_id: sourceId } = view.metadata;
        const message = {
          ...handledFrom(request),
          activityId: String(activityId),
          source: String(source),
          sourceId: String(sourceId),
          conversationId: '',
        };
        if (view.method !== 'message/send') return { kind: 'json', body: {}, status: 202 };
        handled.push(message);
        const said = script(message);
        if (said === null) return { kind: 'json', status: 202, body: { status: 'queued', queued: true } };
        return { kind: 'json', body: { jsonrpc: '2.0', id: request.id ?? null, result: answerOf(said) } };
      },
    });
    const member = await onboard(platform, { name: 'asking', url: server.url });
    const work = async (count: number) => {
      await server.received(count);
      return handled;
    };
    return { ...member, handled, work };
  }
  const member = await onboard(platform, { name: 'asking' });
  const work = async (count: number): Promise<readonly Handled[]> => {
    while (handled.length < count) {
      const rows = await inbox(member);
      for (const row of rows.slice(handled.length)) {
        const message = {
          ...handledFrom(row.request_body as JsonObject),
          activityId: textAt(row, 'id'),
          conversationId: textAt(row, 'conversation_id'),
          source: textAt(row, 'source'),
          sourceId: typeof row.source_id === 'string' ? row.source_id : '',
        };
        handled.push(message);
        const said = script(message);
        if (said !== null) await reply(member, message, said);
      }
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return handled;
  };
  return { ...member, handled, work };
}

/** Replies to a message as an agent without a server does: a peer by a message, a person by a notify. */
export async function reply(
  agent: Member,
  { messageId, sourceId }: Pick<Handled, 'messageId' | 'sourceId'>,
  said: NonNullable<Said>,
  replyId: string = randomUUID(),
) {
  const metadata = said.questions === undefined ? {} : { questions: [...said.questions] };
  if (sourceId === '') {
    const body = { message: said.text || 'question', in_reply_to: messageId, metadata };
    return agent.caller.post(`/workspaces/${agent.id}/notify`, { ...body, idempotency_key: replyId });
  }
  return send(agent.caller, sourceId, said.text, {
    role: 'agent',
    messageId: replyId,
    metadata: { ...metadata, in_reply_to: messageId },
  });
}

function handledFrom(request: JsonObject) {
  const { messageId, contextId, text, inReplyTo, metadata } = viewMessage(request);
  return { messageId, contextId, text, inReplyTo, metadata };
}

function answerOf({ text, questions }: NonNullable<Said>): JsonObject {
  return {
    kind: 'message',
    role: 'agent',
    messageId: randomUUID(),
    parts: text === '' ? [] : [{ kind: 'text', type: 'text', text }],
    ...(questions === undefined ? {} : { metadata: { questions: [...questions] } }),
  };
}
