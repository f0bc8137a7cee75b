import type { LanguageModel } from 'ai';

type Model = Extract<LanguageModel, { readonly specificationVersion: 'v3' }>;
type CallOptions = Parameters<Model['doGenerate']>[0];
type Generated = Awaited<ReturnType<Model['doGenerate']>>;
type Streamed = Awaited<ReturnType<Model['doStream']>>;
type Part = Streamed['stream'] extends ReadableStream<infer Each> ? Each : never;
type Content = Generated['content'][number];

export interface AgentCall {
  readonly name: string;
  readonly args: Record<string, unknown>;
  /** @default `call_0`, `call_1` and so on, the same ones in each turn, as some models make them */
  readonly id?: string;
}

/** What a model says to a prompt. */
export type AgentTurn =
  | string
  | {
      readonly text?: string;
      readonly calls?: readonly AgentCall[];
      /** @default `tool-calls` with calls, else `stop` */
      readonly finish?: Generated['finishReason']['unified'];
      /** Ends the stream after the text, as a part of it. */
      readonly streamError?: unknown;
    }
  | { readonly throws: unknown }
  | ((options: CallOptions) => AgentTurn | Promise<AgentTurn>);

type Said = Exclude<AgentTurn, string | { readonly throws: unknown } | ((options: CallOptions) => unknown)>;

const USAGE: Generated['usage'] = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};

/** A model that says what its script has next, the last turn again and again, and keeps what it was given. Streams word by word. */
export class AgentModel implements Model {
  readonly specificationVersion = 'v3';
  readonly provider = 'scripted';
  readonly modelId = 'scripted';
  readonly supportedUrls = {};
  readonly calls: CallOptions[] = [];
  /** How each call was made. */
  readonly modes: ('generate' | 'stream')[] = [];
  readonly #script: readonly AgentTurn[];

  constructor(...script: readonly [AgentTurn, ...AgentTurn[]]) {
    this.#script = script;
  }

  /** The messages of a prompt, as `role: text`. Of a result its output. */
  prompt(index: number): string[] {
    return (this.calls.at(index)?.prompt ?? []).map(({ role, content }) => `${role}: ${shown(content)}`);
  }

  async doGenerate(options: CallOptions): Promise<Generated> {
    this.modes.push('generate');
    const said = await this.#next(options);
    if (said.streamError !== undefined) throw said.streamError;
    const content: Content[] = [...textOf(said), ...callsOf(said)];
    return { content, finishReason: finishOf(said), usage: USAGE, warnings: [] };
  }

  async doStream(options: CallOptions): Promise<Streamed> {
    this.modes.push('stream');
    const said = await this.#next(options);
    const words = said.text === undefined || said.text === '' ? [] : said.text.split(/(?<= )/);
    const parts: Part[] = [
      { type: 'stream-start', warnings: [] },
      { type: 'text-start', id: '0' },
      ...words.map((delta) => ({ type: 'text-delta' as const, id: '0', delta })),
      ...(said.streamError === undefined
        ? [{ type: 'text-end' as const, id: '0' }, ...callsOf(said)]
        : [{ type: 'error' as const, error: said.streamError }]),
      { type: 'finish', finishReason: finishOf(said), usage: USAGE },
    ];
    const stream = new ReadableStream<Part>({
      pull(controller) {
        const next = parts.shift();
        if (next === undefined) controller.close();
        else controller.enqueue(next);
      },
    });
    return { stream };
  }

  async #next(options: CallOptions): Promise<Said> {
    options.abortSignal?.throwIfAborted();
    let turn: AgentTurn | undefined = this.#script[Math.min(this.calls.length, this.#script.length - 1)];
    this.calls.push(options);
    while (typeof turn === 'function') turn = await turn(options);
    if (turn === undefined || typeof turn === 'string') return { text: turn ?? '' };
    if ('throws' in turn) throw turn.throws;
    return turn;
  }
}

function textOf({ text = '' }: Said): Content[] {
  return text === '' ? [] : [{ type: 'text', text }];
}

function callsOf({ calls = [] }: Said) {
  return calls.map(({ name, args, id }, place) => ({
    type: 'tool-call' as const,
    toolCallId: id ?? `call_${place}`,
    toolName: name,
    input: JSON.stringify(args),
  }));
}

function finishOf({ calls = [], finish }: Said): Generated['finishReason'] {
  return { unified: finish ?? (calls.length > 0 ? 'tool-calls' : 'stop'), raw: undefined };
}

function shown(content: CallOptions['prompt'][number]['content']): string {
  if (typeof content === 'string') return content;
  return content
    .map((part) => {
      if (part.type === 'text') return part.text;
      if (part.type === 'tool-call') return `${part.toolName}(${JSON.stringify(part.input)})`;
      if (part.type !== 'tool-result') return part.type;
      const { output } = part;
      return 'value' in output ? String(output.value) : `denied: ${output.reason ?? ''}`;
    })
    .join(' | ');
}
