/** As `app/api/chat/route.ts` of an application in Next.js, where `POST` and `GET` are exported by their names. */
import { type ChatAgent, createChatRoute } from '@molecule-ai/ai-sdk/chat';
import type { ChatStore } from './chat-store.ts';

export interface Route {
  POST(request: Request): Promise<Response>;
  GET(request: Request): Promise<Response>;
}

export function chatRoute(agent: ChatAgent, store: ChatStore): Route {
  return {
    POST: createChatRoute({
      agent,
      // In production a secret of the deployment, else an approval ends with the process that asked for it.
      approvalSecret: process.env.APPROVAL_SECRET,
      redeemApproval: (key) => store.redeem(key),
      onFinish: ({ chatId, messages }) => store.save(chatId, messages),
      onError: (error, { chatId }) => console.error(`chat ${chatId}:`, error),
    }),
    /** The chat as it is stored, for a page that is opened again. */
    GET: async (request) => {
      const id = new URL(request.url).searchParams.get('id') ?? '';
      const messages = await store.load(id);
      return messages === undefined ? new Response(null, { status: 404 }) : Response.json(messages);
    },
  };
}
