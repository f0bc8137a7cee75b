import type { LanguageModel } from 'ai';

type Model = Extract<LanguageModel, { readonly specificationVersion: 'v3' }>;
type CallOptions = Parameters<Model['doGenerate']>[0];
type Generated = Awaited<ReturnType<Model['doGenerate']>>;
type Streamed = Awaited<ReturnType<Model['doStream']>>;
export type ModelPart = Streamed['stream'] extends ReadableStream<infer Part> ? Part : never;
export type Prompt = CallOptions['prompt'];

/** What the model does next: says a text, calls tools, or fails. */
export type ModelTurn = string | Error | readonly ModelCall[];

export interface ModelCall {
  readonly name: string;
  /** A text is sent as it is, so it may be no JSON. */
  readonly args: unknown;
  readonly id?: string;
}

export interface ScriptedLanguageModelOptions {
  /** The ids of calls: `call_0`, … in each turn, as those of some models are, or others each time. @default 'repeated' */
  readonly ids?: 'repeated' | 'random';
}

const USAGE: Generated['usage'] = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};

/** A language model of specification v3 that follows a script, then says "done", and records what it reads. */
export class ScriptedLanguageModel implements Model {
  readonly specificationVersion = 'v3';
  readonly provider = 'scripted';
  readonly modelId = 'scripted';
  readonly supportedUrls = {};
  readonly calls: CallOptions[] = [];
  readonly #script: ModelTurn[];
  readonly #ids: 'repeated' | 'random';

  constructor(script: readonly ModelTurn[], { ids = 'repeated' }: ScriptedLanguageModelOptions = {}) {
    this.#script = [...script];
    this.#ids = ids;
  }

  get prompts(): Prompt[] {
    return this.calls.map(({ prompt }) => prompt);
  }

  /** All that the model read, each prompt as JSON. */
  readTexts(): string[] {
    return this.prompts.map((prompt) => JSON.stringify(prompt));
  }

  async doGenerate(options: CallOptions): Promise<Generated> {
    const turn = this.#next(options);
    const finishReason = { unified: isText(turn) ? 'stop' : 'tool-calls', raw: undefined } as const;
    const content = isText(turn) ? [{ type: 'text' as const, text: turn }] : this.#callsOf(turn);
    return { content, finishReason, usage: USAGE, warnings: [] };
  }

  async doStream(options: CallOptions): Promise<Streamed> {
    const turn = this.#next(options);
    const finishReason = { unified: isText(turn) ? 'stop' : 'tool-calls', raw: undefined } as const;
    const pieces = isText(turn) ? (turn.match(/[\s\S]{1,5}/g) ?? []) : [];
    const text: ModelPart[] = [
      { type: 'text-start', id: 't' },
      ...pieces.map((delta) => ({ type: 'text-delta' as const, id: 't', delta })),
      { type: 'text-end', id: 't' },
    ];
    return {
      stream: streamOf([
        { type: 'stream-start', warnings: [] },
        ...(isText(turn) ? text : this.#callsOf(turn)),
        { type: 'finish', finishReason, usage: USAGE },
      ]),
    };
  }

  #next(options: CallOptions): Exclude<ModelTurn, Error> {
    options.abortSignal?.throwIfAborted();
    this.calls.push(options);
    const turn = this.#script.shift() ?? 'done';
    if (turn instanceof Error) throw turn;
    return turn;
  }

  #callsOf(calls: readonly ModelCall[]) {
    return calls.map(({ name, args, id }, place) => ({
      type: 'tool-call' as const,
      toolCallId: id ?? (this.#ids === 'random' ? crypto.randomUUID() : `call_${place}`),
      toolName: name,
      input: typeof args === 'string' ? args : JSON.stringify(args),
    }));
  }
}

/** Parts as a model streams them, each when it is read. */
export function streamOf(parts: readonly ModelPart[]): ReadableStream<ModelPart> {
  const rest = [...parts];
  return new ReadableStream({
    pull(controller) {
      const next = rest.shift();
      if (next === undefined) controller.close();
      else controller.enqueue(next);
    },
  });
}

function isText(turn: Exclude<ModelTurn, Error>): turn is string {
  return typeof turn === 'string';
}
