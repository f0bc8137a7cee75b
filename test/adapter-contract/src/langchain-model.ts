import type { CallbackManagerForLLMRun } from '@langchain/core/callbacks/manager';
import type { BaseLanguageModelInput } from '@langchain/core/language_models/base';
import {
  BaseChatModel,
  type BaseChatModelCallOptions,
  type BindToolsInput,
} from '@langchain/core/language_models/chat_models';
import { AIMessage, AIMessageChunk, type BaseMessage, ToolMessage } from '@langchain/core/messages';
import { ChatGenerationChunk, type ChatResult } from '@langchain/core/outputs';
import type { Runnable } from '@langchain/core/runnables';
import { convertToOpenAITool } from '@langchain/core/utils/function_calling';
import { callsOf, type PromptMessage, piecesOf, type ScriptedModel, type Turn } from './scripted-model.ts';

interface CallOptions extends BaseChatModelCallOptions {
  tools?: BindToolsInput[];
}

/** The scripted model as a chat model of LangChain. */
export class LangChainModel extends BaseChatModel<CallOptions> {
  private readonly model: ScriptedModel;

  constructor(model: ScriptedModel) {
    super({ maxRetries: 0 });
    this.model = model;
  }

  override _llmType(): string {
    return 'scripted';
  }

  override bindTools(tools: BindToolsInput[]): Runnable<BaseLanguageModelInput, AIMessageChunk, CallOptions> {
    return this.withConfig({ tools });
  }

  override async _generate(messages: BaseMessage[], options: this['ParsedCallOptions']): Promise<ChatResult> {
    const turn = this.take(messages, options);
    let text = '';
    for await (const piece of piecesOf(turn)) {
      options.signal?.throwIfAborted();
      text += piece;
    }
    const calls = callsOf(turn).map(({ name, args, id }) => ({
      name,
      args: { ...args },
      id,
      type: 'tool_call' as const,
    }));
    const message = new AIMessage({ content: text, tool_calls: calls });
    return { generations: [{ text, message }] };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: this['ParsedCallOptions'],
    run?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const turn = this.take(messages, options);
    for await (const piece of piecesOf(turn)) {
      options.signal?.throwIfAborted();
      const chunk = new ChatGenerationChunk({ text: piece, message: new AIMessageChunk({ content: piece }) });
      yield chunk;
      await run?.handleLLMNewToken(piece, undefined, undefined, undefined, undefined, { chunk });
    }
    const calls = callsOf(turn).map(({ name, args, id }, index) => {
      return { name, args: JSON.stringify(args), id, index, type: 'tool_call_chunk' as const };
    });
    const message = new AIMessageChunk({ content: '', tool_call_chunks: calls });
    yield new ChatGenerationChunk({ text: '', message });
  }

  private take(messages: readonly BaseMessage[], { tools = [] }: CallOptions): Turn {
    return this.model.take({
      messages: messages.map(sentOf),
      tools: tools.map((tool) => convertToOpenAITool(tool as Parameters<typeof convertToOpenAITool>[0])),
    });
  }
}

/** What a provider is sent of a message: not the artifact of a tool. */
export function sentOf(message: BaseMessage): PromptMessage {
  const { type: role, text, content, name, additional_kwargs: kwargs } = message;
  const calls = AIMessage.isInstance(message) ? message.tool_calls?.map((call) => ({ ...call })) : undefined;
  const callId = ToolMessage.isInstance(message) ? message.tool_call_id : undefined;
  const blocks = typeof content === 'string' ? undefined : content;
  return { role, text, more: JSON.parse(JSON.stringify({ name, kwargs, calls, callId, blocks })) };
}
