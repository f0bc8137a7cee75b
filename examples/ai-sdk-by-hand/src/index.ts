export { type AiSdkHandlerOptions, aiSdkHandler } from './handler.ts';
export { scriptedLanguageModel } from './scripted-language-model.ts';
