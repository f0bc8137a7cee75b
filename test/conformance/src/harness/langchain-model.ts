import type { CallbackManagerForLLMRun } from '@langchain/core/callbacks/manager';
import type { BaseLanguageModelInput } from '@langchain/core/language_models/base';
import {
  BaseChatModel,
  type BaseChatModelCallOptions,
  type BindToolsInput,
} from '@langchain/core/language_models/chat_models';
import { AIMessage, AIMessageChunk, type BaseMessage } from '@langchain/core/messages';
import { ChatGenerationChunk, type ChatResult } from '@langchain/core/outputs';
import type { Runnable } from '@langchain/core/runnables';

/** What the model does next: says a text, or calls tools. */
export type ModelTurn = string | { readonly name: string; readonly args: unknown; readonly id?: string }[];

interface ScriptedCallOptions extends BaseChatModelCallOptions {
  tools?: BindToolsInput[];
}

/** A model that follows a script, then says "done", and records what it reads. Its call ids begin anew in each run, as those of some models do. */
export class ScriptedChatModel extends BaseChatModel<ScriptedCallOptions> {
  readonly prompts: BaseMessage[][] = [];
  readonly offered: BindToolsInput[][] = [];
  private readonly script: ModelTurn[];

  constructor(script: ModelTurn[]) {
    super({});
    this.script = script;
  }

  override _llmType(): string {
    return 'scripted';
  }

  override bindTools(tools: BindToolsInput[]): Runnable<BaseLanguageModelInput, AIMessageChunk> {
    return this.withConfig({ tools });
  }

  override async _generate(messages: BaseMessage[], options: this['ParsedCallOptions']): Promise<ChatResult> {
    const message = this.next(messages, options);
    return { generations: [{ text: message.text, message }] };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: this['ParsedCallOptions'],
    run?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const { content, tool_calls: calls = [] } = this.next(messages, options);
    const toolCallChunks = calls.map(({ name, args, id }, index) => {
      return { name, args: JSON.stringify(args), id: id ?? '', index, type: 'tool_call_chunk' as const };
    });
    const pieces = String(content).match(/[\s\S]{1,5}/g) ?? [''];
    for (const piece of pieces) {
      const message = new AIMessageChunk({ content: piece, tool_call_chunks: toolCallChunks });
      const chunk = new ChatGenerationChunk({ text: piece, message });
      yield chunk;
      await run?.handleLLMNewToken(piece, undefined, undefined, undefined, undefined, { chunk });
    }
  }

  /** All that the model read, each message as text. */
  readTexts(): string[] {
    return this.prompts
      .flat()
      .map(({ content }) => (typeof content === 'string' ? content : JSON.stringify(content)));
  }

  private next(messages: BaseMessage[], { tools = [] }: ScriptedCallOptions): AIMessage {
    this.prompts.push(messages);
    this.offered.push(tools);
    const turn = this.script.shift() ?? 'done';
    if (typeof turn === 'string') return new AIMessage(turn);
    const calls = turn.map(({ name, args, id }, place) => {
      return {
        name,
        args: args as Record<string, unknown>,
        id: id ?? `call_${place}`,
        type: 'tool_call' as const,
      };
    });
    return new AIMessage({ content: '', tool_calls: calls });
  }
}
