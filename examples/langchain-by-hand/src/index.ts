export { type LangChainHandlerOptions, langChainHandler } from './handler.ts';
export { ScriptedChatModel } from './scripted-chat-model.ts';
