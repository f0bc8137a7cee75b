import type { LanguageModel } from 'ai';
import { callsOf, type PromptMessage, piecesOf, type ScriptedModel, type Turn } from './scripted-model.ts';

/** Of the specification that all versions of the AI SDK take. */
type Model = Extract<LanguageModel, { readonly specificationVersion: 'v3' }>;
type CallOptions = Parameters<Model['doGenerate']>[0];
type Message = CallOptions['prompt'][number];
type Part = Exclude<Message['content'], string>[number];
type Result = Awaited<ReturnType<Model['doGenerate']>>;
type StreamPart =
  Awaited<ReturnType<Model['doStream']>>['stream'] extends ReadableStream<infer Piece> ? Piece : never;

const USAGE: Result['usage'] = {
  inputTokens: { total: 1, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: undefined, reasoning: undefined },
};

/** The scripted model as a language model of the AI SDK. */
export class AiSdkModel implements Model {
  readonly specificationVersion = 'v3';
  readonly provider = 'scripted';
  readonly modelId = 'scripted';
  readonly supportedUrls = {};
  // Not with `#`: version 7.0.0 calls a model through a proxy.
  private readonly model: ScriptedModel;

  constructor(model: ScriptedModel) {
    this.model = model;
  }

  async doGenerate(options: CallOptions): Promise<Result> {
    const turn = this.take(options);
    let text = '';
    for await (const piece of piecesOf(turn)) {
      options.abortSignal?.throwIfAborted();
      text += piece;
    }
    const content = [...(text === '' ? [] : [{ type: 'text' as const, text }]), ...toolCallsOf(turn)];
    return { content, finishReason: finishReasonOf(turn), usage: USAGE, warnings: [] };
  }

  async doStream(options: CallOptions): Promise<{ stream: ReadableStream<StreamPart> }> {
    const parts = streamOf(this.take(options), options.abortSignal);
    const stream = new ReadableStream<StreamPart>({
      pull: async (controller) => {
        const { done, value } = await parts.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      cancel: async () => {
        await parts.return(undefined);
      },
    });
    return { stream };
  }

  /** An aborted request is sent to no provider. Early versions call the model all the same. */
  private take({ prompt, tools = [], abortSignal }: CallOptions): Turn {
    abortSignal?.throwIfAborted();
    return this.model.take({ messages: prompt.flatMap(sentOf), tools: JSON.parse(JSON.stringify(tools)) });
  }
}

async function* streamOf(
  turn: Turn,
  signal: AbortSignal | undefined,
): AsyncGenerator<StreamPart, void, undefined> {
  yield { type: 'stream-start', warnings: [] };
  let isOpen = false;
  for await (const delta of piecesOf(turn)) {
    signal?.throwIfAborted();
    if (!isOpen) yield { type: 'text-start', id: 'text' };
    isOpen = true;
    yield { type: 'text-delta', id: 'text', delta };
  }
  if (isOpen) yield { type: 'text-end', id: 'text' };
  yield* toolCallsOf(turn);
  yield { type: 'finish', finishReason: finishReasonOf(turn), usage: USAGE };
}

function toolCallsOf(turn: Turn) {
  return callsOf(turn).map(({ id, name, args }) => {
    const input = JSON.stringify(args);
    return { type: 'tool-call' as const, toolCallId: id, toolName: name, input };
  });
}

function finishReasonOf({ toolCalls }: Turn): Result['finishReason'] {
  return { unified: toolCalls === undefined ? 'stop' : 'tool-calls', raw: undefined };
}

/** What a provider is sent of a message: one for each result of a tool. */
function sentOf({ role, content, providerOptions }: Message): PromptMessage[] {
  if (typeof content === 'string') return [{ role, text: content, more: plain({ providerOptions }) }];
  const parts: readonly Part[] = content;
  if (role === 'tool') return parts.map((part) => ({ role, text: textOf(part), more: plain(part) }));
  const text = parts.map(textOf).join('');
  return [{ role, text, more: plain({ providerOptions, parts: parts.map(withoutText) }) }];
}

function textOf(part: Part): string {
  if (part.type === 'text') return part.text;
  return part.type === 'tool-result' ? textOfOutput(part.output) : '';
}

export function textOfOutput({ type, value, reason = '' }: Output): string {
  if (type === 'execution-denied') return reason;
  if (type === 'text' || type === 'error-text') return String(value);
  // Each text in it is checked by itself.
  if (type !== 'content') return '';
  const items = value as readonly { readonly type: string; readonly text?: string }[];
  return items.map((item) => (item.type === 'text' ? item.text : JSON.stringify(item))).join('');
}

/** Of a tool, in a prompt or in a message of an application. */
interface Output {
  readonly type: string;
  readonly value?: unknown;
  readonly reason?: string;
}

/** The text is checked as a whole, because a model reads it so. */
function withoutText(part: Part): object {
  return part.type === 'text' ? { ...part, text: '' } : part;
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
