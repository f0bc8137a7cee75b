import type { CallbackManagerForLLMRun } from '@langchain/core/callbacks/manager';
import type { BaseLanguageModelInput } from '@langchain/core/language_models/base';
import { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { AIMessage, AIMessageChunk, type BaseMessage } from '@langchain/core/messages';
import { ChatGenerationChunk, type ChatResult } from '@langchain/core/outputs';
import type { Runnable } from '@langchain/core/runnables';

/** One tool call that a model makes. */
export interface ScriptedCall {
  readonly name: string;
  readonly args: Record<string, unknown>;
  /** @default `call_0`, `call_1` and so on, the same ones in each turn, as real models do it */
  readonly id?: string;
}

/** What the model says to a prompt: a text, tool calls, both, or an error. */
export type Turn =
  | string
  | { readonly text?: string; readonly calls: readonly ScriptedCall[] }
  | { readonly throws: unknown }
  | ((prompt: readonly BaseMessage[]) => Turn | Promise<Turn>);

/** A chat model that says what its script has next, the last line again and again, and keeps every prompt that it was given. */
export class RecordingModel extends BaseChatModel {
  readonly prompts: (readonly BaseMessage[])[] = [];
  readonly #script: readonly Turn[];

  constructor(...script: readonly [Turn, ...Turn[]]) {
    super({ maxRetries: 0 });
    this.#script = script;
  }

  /** The texts of a prompt, with their roles. */
  prompt(index: number): string[] {
    return (this.prompts.at(index) ?? []).map((message) => `${message.getType()}: ${message.text}`);
  }

  override _llmType(): string {
    return 'recording';
  }

  override bindTools(): Runnable<BaseLanguageModelInput, AIMessageChunk> {
    return this;
  }

  override async _generate(prompt: BaseMessage[]): Promise<ChatResult> {
    const message = await this.#next(prompt);
    return { generations: [{ text: message.text, message }] };
  }

  /** Word by word. */
  override async *_streamResponseChunks(
    prompt: BaseMessage[],
    _options: this['ParsedCallOptions'],
    run?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const { text, tool_calls: calls = [] } = await this.#next(prompt);
    const id = `chatcmpl-${this.prompts.length}`;
    for (const word of text.split(/(?<= )/)) {
      const chunk = new ChatGenerationChunk({
        text: word,
        message: new AIMessageChunk({ id, content: word }),
      });
      yield chunk;
      await run?.handleLLMNewToken(word, undefined, undefined, undefined, undefined, { chunk });
    }
    if (calls.length === 0) return;
    const tool_call_chunks = calls.map(({ id: callId, name, args }, index) => ({
      type: 'tool_call_chunk' as const,
      ...(callId === undefined ? {} : { id: callId }),
      name,
      args: JSON.stringify(args),
      index,
    }));
    yield new ChatGenerationChunk({
      text: '',
      message: new AIMessageChunk({ id, content: '', tool_call_chunks }),
    });
  }

  async #next(prompt: readonly BaseMessage[]): Promise<AIMessage> {
    let turn = this.#script[Math.min(this.prompts.length, this.#script.length - 1)];
    this.prompts.push([...prompt]);
    while (typeof turn === 'function') turn = await turn(prompt);
    if (turn === undefined || typeof turn === 'string') return new AIMessage(turn ?? '');
    if ('throws' in turn) throw turn.throws;
    return new AIMessage({
      content: turn.text ?? '',
      tool_calls: turn.calls.map(({ name, args, id }, index) => ({ name, args, id: id ?? `call_${index}` })),
    });
  }
}
