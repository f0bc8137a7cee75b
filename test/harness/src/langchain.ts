import { setTimeout as sleep } from 'node:timers/promises';
import type { CallbackManagerForLLMRun } from '@langchain/core/callbacks/manager';
import type { BaseLanguageModelInput } from '@langchain/core/language_models/base';
import { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { AIMessage, AIMessageChunk, type BaseMessage } from '@langchain/core/messages';
import { ChatGenerationChunk, type ChatResult } from '@langchain/core/outputs';
import type { Runnable } from '@langchain/core/runnables';
import type { ModelScript, ReadMessage } from './model-script.ts';

const ROLES: Readonly<Record<string, ReadMessage['role']>> = {
  system: 'system',
  human: 'user',
  ai: 'assistant',
  tool: 'tool',
};

/** A chat model of LangChain that follows a script. Its streams come word by word. */
export class ScriptedChatModel extends BaseChatModel {
  /** All that it read, one prompt each. */
  readonly prompts: (readonly ReadMessage[])[] = [];
  readonly #script: ModelScript;
  readonly #msPerWord: number;

  /** @param msPerWord how long each word of a stream takes, but the first */
  constructor(script: ModelScript, { msPerWord = 0 }: { readonly msPerWord?: number } = {}) {
    super({});
    this.#script = script;
    this.#msPerWord = msPerWord;
  }

  /** The texts of the prompts, one line each. */
  get read(): string {
    return this.prompts.flatMap((prompt) => prompt.map(({ text }) => text)).join('\n');
  }

  override _llmType(): string {
    return 'scripted';
  }

  override bindTools(): Runnable<BaseLanguageModelInput, AIMessageChunk> {
    return this;
  }

  override async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    const message = await this.#next(messages);
    return { generations: [{ text: message.text, message }] };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    _options: this['ParsedCallOptions'],
    run?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const { text, tool_calls: calls = [] } = await this.#next(messages);
    const toolCallChunks = calls.map(({ id = '', name, args }, index) => {
      return { type: 'tool_call_chunk' as const, index, id, name, args: JSON.stringify(args) };
    });
    for (const [at, word] of text.split(/(?<= )/).entries()) {
      if (at > 0 && this.#msPerWord > 0) await sleep(this.#msPerWord);
      const content = { content: word, tool_call_chunks: at === 0 ? toolCallChunks : [] };
      const chunk = new ChatGenerationChunk({ text: word, message: new AIMessageChunk(content) });
      yield chunk;
      await run?.handleLLMNewToken(word, undefined, undefined, undefined, undefined, { chunk });
    }
  }

  async #next(messages: BaseMessage[]): Promise<AIMessage> {
    const read = messages.map(({ type, name, text }) => {
      return { role: ROLES[type] ?? 'user', text, toolName: type === 'tool' ? name : undefined };
    });
    this.prompts.push(read);
    const step = await this.#script(read);
    if (typeof step === 'string') return new AIMessage(step);
    const { name, args } = step;
    const id = crypto.randomUUID();
    return new AIMessage({
      content: 'text' in step ? step.text : '',
      tool_calls: [{ type: 'tool_call', id, name, args: { ...args } }],
    });
  }
}

/** The models of providers, by the variable with the key. */
const PROVIDERS: Readonly<Record<string, string>> = {
  OPENAI_API_KEY: 'openai:gpt-5-mini',
  ANTHROPIC_API_KEY: 'anthropic:claude-haiku-4-5',
};

export interface ChosenChatModel {
  readonly model: BaseChatModel;
  /** `undefined` with the model of a provider. */
  readonly scripted: ScriptedChatModel | undefined;
}

/**
 * The model of a provider whose key is in the environment, else one that follows a script. `MODEL` names another one, as
 * `openai:gpt-5`.
 * @param initChatModel of `langchain`, which throws an error with the name of the package to install
 */
export async function chooseChatModel(
  script: ModelScript,
  initChatModel: (name: string) => Promise<unknown>,
): Promise<ChosenChatModel> {
  const key = Object.keys(PROVIDERS).find((name) => (process.env[name] ?? '') !== '');
  const provider = key === undefined ? undefined : PROVIDERS[key];
  if (provider === undefined) {
    const scripted = new ScriptedChatModel(script);
    return { model: scripted, scripted };
  }
  const model = await initChatModel(process.env.MODEL ?? provider);
  return { model: model as BaseChatModel, scripted: undefined };
}
