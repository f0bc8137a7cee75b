import { type ChatAgent, createChatRoute } from '@molecule-ai/ai-sdk/chat';
import type { UIMessage } from 'ai';

/** Your database. `insertKey` is `insert into used_approvals values ($1) on conflict do nothing`, and whether it inserted a row. */
interface ChatDatabase {
  saveChat(id: string, chat: readonly UIMessage[]): Promise<void>;
  insertKey(key: string): Promise<boolean>;
}

/** The route of a page with `useChat`. In Next.js, `app/api/chat/route.ts` has `export const POST = chatWith(agent, database)`. */
export function chatWith(agent: ChatAgent, database: ChatDatabase) {
  return createChatRoute({
    agent, // a ToolLoopAgent whose tools, or whose model, may be peers
    approvalSecret: process.env.APPROVAL_SECRET, // 32 characters or more, the same in each process
    redeemApproval: (key) => database.insertKey(key), // each approval is used once, in whatever process
    onFinish: ({ chatId, messages }) => database.saveChat(chatId, messages), // plain JSON: sent again, the chat goes on
    onError: (error, { chatId }) => console.error(`chat ${chatId}`, error),
  });
}
