import type { CallbackManagerForLLMRun } from '@langchain/core/callbacks/manager';
import type { BaseLanguageModelInput } from '@langchain/core/language_models/base';
import { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { AIMessage, AIMessageChunk, type BaseMessage } from '@langchain/core/messages';
import { ChatGenerationChunk, type ChatResult } from '@langchain/core/outputs';
import type { Runnable } from '@langchain/core/runnables';

/** What the model does next: says a text, or calls a tool. */
type Step = string | { readonly name: string; readonly args: Readonly<Record<string, unknown>> };

/**
 * Stands in for a real model: it lists its peers, asks the first of them, and says what it read. Each word that it says of the subject
 * comes from its prompt.
 */
export class ScriptedModel extends BaseChatModel {
  /** All that it read. */
  readonly prompts: string[] = [];

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
    const message = this.#answer(messages);
    return { generations: [{ text: message.text, message }] };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    _options: this['ParsedCallOptions'],
    run?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const { text, tool_calls: calls = [] } = this.#answer(messages);
    const toolCallChunks = calls.map(({ id = '', name, args }, index) => {
      return { type: 'tool_call_chunk' as const, index, id, name, args: JSON.stringify(args) };
    });
    for (const [at, word] of text.split(/(?<= )/).entries()) {
      const content = { content: word, tool_call_chunks: at === 0 ? toolCallChunks : [] };
      const chunk = new ChatGenerationChunk({ text: word, message: new AIMessageChunk(content) });
      yield chunk;
      await run?.handleLLMNewToken(word, undefined, undefined, undefined, undefined, { chunk });
    }
  }

  #answer(messages: BaseMessage[]): AIMessage {
    this.prompts.push(messages.map(({ text }) => text).join('\n'));
    const step = nextStep(messages);
    if (typeof step === 'string') return new AIMessage(step);
    const call = {
      type: 'tool_call' as const,
      id: `call_${this.prompts.length}`,
      name: step.name,
      args: step.args,
    };
    return new AIMessage({ content: '', tool_calls: [call] });
  }
}

function nextStep(messages: BaseMessage[]): Step {
  const question = messages.findLast((message) => message.type === 'human')?.text ?? '';
  const results = messages.filter((message) => message.type === 'tool');
  const resultOf = (name: string) => results.findLast((message) => message.name === name)?.text;
  const peers = resultOf('list_peers');
  if (peers === undefined) return { name: 'list_peers', args: {} };
  const learned = resultOf('call_peer');
  if (learned === undefined) return { name: 'call_peer', args: { peer_id: idIn(peers), text: question } };
  const finding = fencedIn(learned);
  if (!question.startsWith('Publish')) return `My peer found: ${finding}`;
  if (messages.at(-1)?.type === 'tool') return `${messages.at(-1)?.text} It says: ${finding}`;
  return { name: 'publish_report', args: { report: finding } };
}

function idIn(text: string): string {
  return /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(text)?.[0] ?? '';
}

/** What stands between the tags of a fence. */
function fencedIn(text: string): string {
  return /<peer-text-(\w+) .*>\n([\s\S]*)\n<\/peer-text-\1>/.exec(text)?.[2] ?? '';
}
