import type { LanguageModel } from 'ai';

/** A model of the specification that all versions take. */
type Model = Extract<LanguageModel, { readonly specificationVersion: 'v3' }>;
type CallOptions = Parameters<Model['doGenerate']>[0];
type Content = Awaited<ReturnType<Model['doGenerate']>>['content'][number];
type StreamPart =
  Awaited<ReturnType<Model['doStream']>>['stream'] extends ReadableStream<infer Part> ? Part : never;

/** What the model does next: says a text, or calls a tool. */
export type Turn = string | { readonly name: string; readonly args: Readonly<Record<string, unknown>> };

const USAGE = {
  inputTokens: { total: 1, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: undefined, reasoning: undefined },
};

/** A model that follows a script, and records what a provider would be sent. */
export class ScriptedModel implements Model {
  readonly specificationVersion = 'v3';
  readonly provider = 'scripted';
  readonly modelId = 'scripted';
  readonly supportedUrls = {};
  readonly prompts: string[] = [];
  /** Descriptions and schemas of the tools, by name. */
  readonly tools: Record<string, unknown> = {};
  // Not with `#`: version 7.0.0 calls a model through a proxy.
  private readonly script: Turn[];

  constructor(script: readonly Turn[]) {
    this.script = [...script];
  }

  async doGenerate(options: CallOptions) {
    const content = this.take(options);
    const hasCall = content.some(({ type }) => type === 'tool-call');
    const unified = hasCall ? ('tool-calls' as const) : ('stop' as const);
    return { content, finishReason: { unified, raw: undefined }, usage: USAGE, warnings: [] };
  }

  async doStream(options: CallOptions) {
    const { content, finishReason, usage, warnings } = await this.doGenerate(options);
    const stream = new ReadableStream<StreamPart>({
      start: (controller) => {
        controller.enqueue({ type: 'stream-start', warnings });
        for (const part of content) for (const piece of piecesOf(part)) controller.enqueue(piece);
        controller.enqueue({ type: 'finish', finishReason, usage });
        controller.close();
      },
    });
    return { stream };
  }

  private take({ prompt, tools = [] }: CallOptions): Content[] {
    this.prompts.push(prompt.map(({ content }) => textsOf(content)).join('\n\n'));
    for (const tool of tools) {
      if (tool.type !== 'function') continue;
      const { name, description, inputSchema } = tool;
      this.tools[name] = { name, description, inputSchema };
    }
    const turn = this.script.shift() ?? 'done';
    if (typeof turn === 'string') return [{ type: 'text', text: turn }];
    const toolCallId = `call_${this.prompts.length}`;
    return [{ type: 'tool-call', toolCallId, toolName: turn.name, input: JSON.stringify(turn.args) }];
  }
}

/** One letter at a time. */
function piecesOf(part: Content): StreamPart[] {
  if (part.type === 'tool-call') return [part];
  if (part.type !== 'text') return [];
  const deltas = [...part.text].map((delta) => ({ type: 'text-delta' as const, id: '0', delta }));
  return [{ type: 'text-start', id: '0' }, ...deltas, { type: 'text-end', id: '0' }];
}

/** All texts in the content of a message. */
function textsOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (typeof content !== 'object' || content === null) return '';
  return Object.values(content)
    .map(textsOf)
    .filter((text) => text !== '')
    .join('\n');
}
