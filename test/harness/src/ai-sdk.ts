import type { LanguageModel } from 'ai';
import type { ModelScript, NextStep, ReadMessage } from './model-script.ts';

export type AnyModelV3 = Extract<LanguageModel, { readonly specificationVersion: 'v3' }>;
type Options = Parameters<AnyModelV3['doGenerate']>[0];
type Generated = Awaited<ReturnType<AnyModelV3['doGenerate']>>;
type Streamed = Awaited<ReturnType<AnyModelV3['doStream']>>;
type StreamPart = Streamed['stream'] extends ReadableStream<infer Part> ? Part : never;

const USAGE = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};

/**
 * A language model of the AI SDK, 6 and 7, that follows a script. Its streams come word by word. Without private names: version 7 puts a proxy
 * around models of this specification.
 */
export class ScriptedLanguageModel implements AnyModelV3 {
  readonly specificationVersion = 'v3';
  readonly provider = 'scripted';
  readonly modelId = 'scripted';
  readonly supportedUrls = {};
  /** What it was called with. */
  readonly options: Options[] = [];
  /** All that it read, one prompt each. */
  readonly prompts: (readonly ReadMessage[])[] = [];
  private readonly script: ModelScript;

  constructor(script: ModelScript) {
    this.script = script;
  }

  /** The texts of the prompts, one line each. */
  get read(): string {
    return this.prompts.flatMap((prompt) => prompt.map(({ text }) => text)).join('\n');
  }

  async doGenerate(options: Options): Promise<Generated> {
    const { text, call } = await this.next(options);
    return {
      content: [
        ...(text === '' ? [] : [{ type: 'text' as const, text }]),
        ...(call === undefined ? [] : [call]),
      ],
      finishReason: finishReason(call),
      usage: USAGE,
      warnings: [],
    };
  }

  async doStream(options: Options): Promise<Streamed> {
    const { text, call } = await this.next(options);
    const words = text === '' ? [] : text.split(/(?<= )/);
    const parts: StreamPart[] = [
      { type: 'stream-start', warnings: [] },
      ...(words.length === 0 ? [] : [{ type: 'text-start' as const, id: 'text' }]),
      ...words.map((delta) => ({ type: 'text-delta' as const, id: 'text', delta })),
      ...(words.length === 0 ? [] : [{ type: 'text-end' as const, id: 'text' }]),
      ...(call === undefined ? [] : [call]),
      { type: 'finish', finishReason: finishReason(call), usage: USAGE },
    ];
    const stream = new ReadableStream<StreamPart>({
      pull(controller) {
        const part = parts.shift();
        if (part === undefined) controller.close();
        else controller.enqueue(part);
      },
    });
    return { stream };
  }

  private async next(options: Options) {
    options.abortSignal?.throwIfAborted();
    this.options.push(options);
    const messages = options.prompt.flatMap(readMessages);
    this.prompts.push(messages);
    const step: NextStep = await this.script(messages);
    if (typeof step === 'string') return { text: step, call: undefined };
    const { name: toolName, args } = step;
    // As providers do it, the same call has another id in each attempt.
    const call = {
      type: 'tool-call' as const,
      toolCallId: crypto.randomUUID(),
      toolName,
      input: JSON.stringify(args),
    };
    return { text: 'text' in step ? step.text : '', call };
  }
}

function finishReason(call: unknown): Generated['finishReason'] {
  return { unified: call === undefined ? 'stop' : 'tool-calls', raw: undefined };
}

/** The result of each tool is a message of its own. */
function readMessages(message: Options['prompt'][number]): ReadMessage[] {
  if (message.role === 'system') return [{ role: 'system', text: message.content }];
  if (message.role !== 'tool') {
    const texts = message.content.map((part) => (part.type === 'text' ? part.text : ''));
    return [{ role: message.role, text: texts.join('\n') }];
  }
  return message.content.flatMap((part): ReadMessage[] => {
    if (part.type !== 'tool-result') return [];
    const { output } = part;
    const text = 'value' in output ? output.value : (output.reason ?? 'execution denied');
    return [
      { role: 'tool', toolName: part.toolName, text: typeof text === 'string' ? text : JSON.stringify(text) },
    ];
  });
}

/** The models of providers, by the variable with the key: the package, what it exports, and the model. */
const PROVIDERS: Readonly<Record<string, readonly [name: string, create: string, model: string]>> = {
  OPENAI_API_KEY: ['@ai-sdk/openai', 'openai', 'gpt-5-mini'],
  ANTHROPIC_API_KEY: ['@ai-sdk/anthropic', 'anthropic', 'claude-haiku-4-5'],
};

export interface ChosenLanguageModel {
  readonly model: AnyModelV3;
  /** `undefined` with the model of a provider. */
  readonly scripted: ScriptedLanguageModel | undefined;
}

/**
 * The model of a provider whose key is in the environment, else one that follows a script. `MODEL` names another one of that provider.
 * @param load imports a package where it is installed: `(name) => import(name)`
 */
export async function chooseLanguageModel(
  script: ModelScript,
  load: (name: string) => Promise<object>,
): Promise<ChosenLanguageModel> {
  const key = Object.keys(PROVIDERS).find((name) => (process.env[name] ?? '') !== '');
  const provider = key === undefined ? undefined : PROVIDERS[key];
  if (provider === undefined) {
    const scripted = new ScriptedLanguageModel(script);
    return { model: scripted, scripted };
  }
  const [name, create, modelId] = provider;
  const exported = await load(name).catch((cause: unknown) => {
    throw new Error(`${key} is set, and the package ${name} is not installed. Add it, or unset the key.`, {
      cause,
    });
  });
  return { model: Reflect.get(exported, create)(process.env.MODEL ?? modelId), scripted: undefined };
}
