import { chooseLanguageModel } from '@molecule-tests/harness/ai-sdk';
import { chooseChatModel } from '@molecule-tests/harness/langchain';
import { Module } from '@nestjs/common';
import { initChatModel } from 'langchain';
import { researching, writing } from './scripts.ts';

/** The model of the agent of LangChain, a `BaseChatModel`. */
export const CHAT_MODEL = Symbol('CHAT_MODEL');
/** The model of the agent of the AI SDK, a `LanguageModel`. */
export const LANGUAGE_MODEL = Symbol('LANGUAGE_MODEL');

/** Those of a provider with OPENAI_API_KEY or ANTHROPIC_API_KEY, else ones that follow a script. */
@Module({
  providers: [
    {
      provide: CHAT_MODEL,
      useFactory: async () => (await chooseChatModel(researching, initChatModel)).model,
    },
    {
      provide: LANGUAGE_MODEL,
      useFactory: async () => (await chooseLanguageModel(writing, (name) => import(name))).model,
    },
  ],
  exports: [CHAT_MODEL, LANGUAGE_MODEL],
})
export class ModelsModule {}
