import type { BaseLanguageModelInput } from '@langchain/core/language_models/base';
import { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { AIMessage, type AIMessageChunk, type BaseMessage } from '@langchain/core/messages';
import type { ChatResult } from '@langchain/core/outputs';
import type { Runnable } from '@langchain/core/runnables';
import { decide } from '@molecule-tests/harness';

/** A LangChain chat model that follows the script. `ask_colleague` is the only tool it knows. */
export class ScriptedChatModel extends BaseChatModel {
  constructor() {
    super({});
  }

  override _llmType(): string {
    return 'scripted';
  }

  override bindTools(): Runnable<BaseLanguageModelInput, AIMessageChunk> {
    return this;
  }

  override async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    const last = (type: string) => messages.findLast((message) => message.type === type)?.text;
    const step = decide({
      instructions: last('system') ?? '',
      question: last('human') ?? '',
      toolResult: last('tool'),
    });
    const message =
      'say' in step
        ? new AIMessage(step.say)
        : new AIMessage({
            content: '',
            tool_calls: [{ name: 'ask_colleague', args: { question: step.ask }, id: crypto.randomUUID() }],
          });
    return { generations: [{ text: message.text, message }] };
  }
}
