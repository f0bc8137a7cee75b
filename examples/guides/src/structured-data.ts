// #region skill
import { defineSkill } from '@molecule-ai/core';
import * as z from 'zod';

/** What an order desk does. Both sides may import it, from a package or a file that they share. */
export const order = defineSkill({
  id: 'order',
  description: 'Orders an article of the shop.',
  input: z.object({ article: z.string(), count: z.int().min(1) }),
  output: z.object({ number: z.string(), cents: z.int() }),
});

// #endregion skill

// #region agent
import { createRemoteAgent, handleSkill, MessageFailure, type RemoteAgentClient } from '@molecule-ai/core';

const CENTS: Readonly<Record<string, number>> = { tea: 450, coffee: 590 };

/** An order desk. The types of `data` and of the answer are those of the schemas. */
export const orderDesk = (client: RemoteAgentClient) =>
  createRemoteAgent({
    client,
    skills: [
      handleSkill(order, ({ data, id }) => {
        const cents = CENTS[data.article];
        if (cents === undefined)
          throw new MessageFailure('There is no such article.', { code: 'no_such_article' });
        return { data: { number: id, cents: cents * data.count }, text: 'Thank you.' };
      }),
    ],
    onMessage: () => 'Order by the skill "order".', // what names no skill
  });

// #endregion agent

// #region caller
import type { PeerClient } from '@molecule-ai/core';

/** A program that asks it, with types. */
export async function orderTea(client: PeerClient, deskId: string): Promise<number> {
  const reply = await client.callPeer(deskId, { skill: order, data: { article: 'tea', count: 2 } });
  if (reply.status !== 'answered' || reply.data === undefined) throw new Error(`No order: ${reply.code}`);
  return reply.data.cents; // a number, checked
}
// #endregion caller

// #region untyped
/** A program that has no definition sends and reads JSON. */
export async function orderWithoutTypes(client: PeerClient, deskId: string): Promise<unknown> {
  const reply = await client.callPeer(deskId, { skill: 'order', data: { article: 'coffee', count: 1 } });
  return reply.data; // any JSON, untrusted
}

// #endregion untyped

// #region model
import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { createSkillTool, peersMiddleware } from '@molecule-ai/langchain';
import { createAgent } from 'langchain';

/** An agent of LangChain whose model orders by a typed tool. */
export const shopper = (client: PeerClient, model: BaseChatModel | string, deskId: string) =>
  createAgent({
    model,
    tools: [createSkillTool(client, deskId, order)],
    middleware: [peersMiddleware(client)],
  });
// #endregion model
