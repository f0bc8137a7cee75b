import type { BaseLanguageModelInput } from '@langchain/core/language_models/base';
import {
  BaseChatModel,
  type BaseChatModelCallOptions,
  type BindToolsInput,
} from '@langchain/core/language_models/chat_models';
import { AIMessage, type AIMessageChunk, type BaseMessage } from '@langchain/core/messages';
import type { ChatResult } from '@langchain/core/outputs';
import type { Runnable } from '@langchain/core/runnables';
import { convertToOpenAITool } from '@langchain/core/utils/function_calling';

/** What the model does next: says a text, or calls a tool. */
export type Turn = string | { readonly name: string; readonly args: Record<string, unknown> };

/** A model that follows a script, and records what a provider would be sent. */
export class ScriptedModel extends BaseChatModel<BaseChatModelCallOptions & { tools?: unknown[] }> {
  readonly prompts: string[] = [];
  /** In the form of OpenAI, by name. */
  readonly tools: Record<string, unknown> = {};
  readonly script: Turn[];

  constructor(script: Turn[]) {
    super({});
    this.script = script;
  }

  _llmType(): string {
    return 'scripted';
  }

  override bindTools(tools: BindToolsInput[]): Runnable<BaseLanguageModelInput, AIMessageChunk> {
    for (const tool of tools) {
      const { function: definition } = convertToOpenAITool(tool as Parameters<typeof convertToOpenAITool>[0]);
      this.tools[definition.name] = definition;
    }
    return this.withConfig({ tools });
  }

  async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    this.prompts.push(messages.map(({ text }) => text).join('\n\n'));
    const turn = this.script.shift() ?? 'done';
    const message =
      typeof turn === 'string'
        ? new AIMessage(turn)
        : new AIMessage({ content: '', tool_calls: [{ ...turn, id: `call_${this.prompts.length}` }] });
    return { generations: [{ text: message.text, message }] };
  }
}
