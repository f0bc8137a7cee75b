import { behaviours } from './behaviour.ts';

const PAGE = 'docs/decisions/0116-ai-sdk-chat.md';

/** A chat endpoint for pages that use the AI SDK. */
export const AI_SDK_CHAT = behaviours({
  'ai-sdk.chat': [
    'createChatRoute streams what the agent says and does to a page in the protocol of the AI SDK, and gives the whole chat to a program that stores it; stored and sent again, it continues.',
    `${PAGE}#a-request`,
  ],
  'ai-sdk.chat-peers': [
    'Peers that an agent asks in a chat remember that chat and no other. The same call of the same chat is one message, also in another process; of another chat, or of another user, it is another one.',
    `${PAGE}#peers`,
  ],
  'ai-sdk.chat-requests': [
    'A wrong request gets a 4xx response with error, code and hint, and the agent does not run: another media type, a body that is too large or no JSON, no id, messages of the system, files of other servers, and messages that are none.',
    `${PAGE}#a-request`,
  ],
  'ai-sdk.chat-parts': [
    'Of the parts of a page, the agent gets the fields that are known and no others, so a page names no file of the application at a provider and sets no options of a provider for what a user says.',
    `${PAGE}#a-request`,
  ],
  'ai-sdk.chat-approvals': [
    'A call that needs approval is made when the page approves it, once, and not when it denies it; other processes with the same secret take the approval.',
    `${PAGE}#approvals`,
  ],
  'ai-sdk.chat-forged-approvals': [
    'An approval that the route did not issue, or with another tool, input, call or chat, is refused and no tool runs (vercel/ai#16068).',
    `${PAGE}#approvals`,
  ],
  'ai-sdk.chat-history': [
    'A stored chat with calls that were not finished, tools that are gone, or results that were edited stays usable; what was edited reaches the model in a fence.',
    `${PAGE}#history`,
  ],
  'ai-sdk.chat-errors': [
    'What goes wrong in a run reaches onError, and the page gets one general sentence instead; nothing is printed (vercel/ai#4726).',
    `${PAGE}#errors`,
  ],
  'ai-sdk.chat-abort': [
    'A page that closes the connection ends the run and its messages to peers, also when it does so twice.',
    `${PAGE}#errors`,
  ],
  'ai-sdk.chat-options': ['Wrong options of createChatRoute throw a ConfigurationError.', `${PAGE}#options`],
});
