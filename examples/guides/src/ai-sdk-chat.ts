import { type ChatAgent, createChatRoute } from '@molecule-ai/ai-sdk/chat';
import type { UIMessage } from 'ai';

/** The route of a page with `useChat`. In Next.js, `app/api/chat/route.ts` has `export const POST = chatWith(agent, save)`. */
export function chatWith(agent: ChatAgent, save: (id: string, chat: readonly UIMessage[]) => Promise<void>) {
  return createChatRoute({
    agent, // a ToolLoopAgent whose tools, or whose model, may be peers
    approvalSecret: process.env.APPROVAL_SECRET, // 32 characters or more, the same in each process
    onFinish: ({ chatId, messages }) => save(chatId, messages), // plain JSON: sent again, the chat goes on
    onError: (error, { chatId }) => console.error(`chat ${chatId}`, error),
  });
}
