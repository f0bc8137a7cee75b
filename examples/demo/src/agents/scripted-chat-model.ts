import { setTimeout as sleep } from 'node:timers/promises';
import type { CallbackManagerForLLMRun } from '@langchain/core/callbacks/manager';
import type { BaseLanguageModelInput } from '@langchain/core/language_models/base';
import { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { AIMessage, AIMessageChunk, type BaseMessage } from '@langchain/core/messages';
import { ChatGenerationChunk, type ChatResult } from '@langchain/core/outputs';
import type { Runnable } from '@langchain/core/runnables';
import { decide } from '@molecule-tests/harness';

const MILLISECONDS_PER_WORD = 40;

/** A LangChain chat model that follows the script. It finds its colleague with `list_peers`, and asks it with `call_peer`. */
export class ScriptedChatModel extends BaseChatModel {
  readonly #colleague: string;

  /** @param colleague the name of the peer that it asks */
  constructor(colleague: string) {
    super({});
    this.#colleague = colleague;
  }

  override _llmType(): string {
    return 'scripted';
  }

  override bindTools(): Runnable<BaseLanguageModelInput, AIMessageChunk> {
    return this;
  }

  override async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    const message = this.#next(messages);
    return { generations: [{ text: message.text, message }] };
  }

  /** Word by word, as a real model makes its tokens. */
  override async *_streamResponseChunks(
    messages: BaseMessage[],
    _options: this['ParsedCallOptions'],
    run?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const { text, tool_calls: calls = [] } = this.#next(messages);
    const tool_call_chunks = calls.map(({ id = '', name, args }, index) => {
      return { type: 'tool_call_chunk' as const, index, id, name, args: JSON.stringify(args) };
    });
    for (const [at, word] of text.split(/(?<= )/).entries()) {
      if (at > 0) await sleep(MILLISECONDS_PER_WORD);
      const message = new AIMessageChunk(at === 0 ? { content: word, tool_call_chunks } : word);
      const chunk = new ChatGenerationChunk({ text: word, message });
      yield chunk;
      await run?.handleLLMNewToken(word, undefined, undefined, undefined, undefined, { chunk });
    }
  }

  #next(messages: BaseMessage[]): AIMessage {
    const last = (type: string) => messages.findLast((message) => message.type === type)?.text;
    const resultOf = (tool: string) =>
      messages.find(({ type, name }) => type === 'tool' && name === tool)?.text;
    const step = decide({
      instructions: last('system') ?? '',
      question: last('human') ?? '',
      toolResult: resultOf('call_peer'),
    });
    if ('say' in step) return new AIMessage(step.say);
    const peers = resultOf('list_peers');
    const call =
      peers === undefined
        ? { name: 'list_peers', args: {} }
        : { name: 'call_peer', args: { peer_id: this.#colleagueIn(peers), text: step.ask } };
    return new AIMessage({ content: '', tool_calls: [{ ...call, id: crypto.randomUUID() }] });
  }

  /** The list has ids by number, and what the peers say of themselves by the same numbers. */
  #colleagueIn(peers: string): string {
    const [, number] = new RegExp(`^(\\d+)\\. \\{"name":"${this.#colleague}"`, 'm').exec(peers) ?? [];
    const [, id = ''] = new RegExp(`^${number}\\. ([0-9a-f-]{36})`, 'm').exec(peers) ?? [];
    return id;
  }
}
