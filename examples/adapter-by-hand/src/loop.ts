/** A framework, as small as one can be: a model that calls tools until it has said what it wants to say. It knows nothing of this project. */

export interface ToolUse {
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
}

export interface LoopMessage {
  readonly role: 'user' | 'assistant' | 'tool';
  readonly text: string;
  /** Of a user message, as the application names it; of a tool message, the id of the call. */
  readonly id?: string;
  readonly calls?: readonly ToolUse[];
}

export interface LoopTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: object;
  /** Whether a call waits until it is decided. @default false */
  readonly needsApproval?: boolean;
  execute(input: unknown, call: { readonly id: string; readonly signal: AbortSignal }): Promise<string>;
}

/** Reads the conversation and gives its words in pieces; returns the tools that it calls. */
export type Model = (
  prompt: {
    readonly instructions: string;
    readonly messages: readonly LoopMessage[];
    readonly tools: readonly LoopTool[];
  },
  signal: AbortSignal,
) => AsyncGenerator<string, readonly ToolUse[]>;

export interface LoopOptions {
  readonly model: Model;
  readonly instructions: string;
  readonly tools: readonly LoopTool[];
  /** @default 10 */
  readonly maxSteps?: number;
}

export interface LoopRun {
  readonly signal: AbortSignal;
  /** What was decided about calls, by their ids. */
  readonly decisions?: ReadonlyMap<string, boolean>;
  onText(piece: string, step: number): Promise<void> | void;
}

export class TooManySteps extends Error {}

export class Loop {
  readonly instructions: string;
  readonly #options: LoopOptions;

  constructor(options: LoopOptions) {
    this.instructions = options.instructions;
    this.#options = options;
  }

  /** Adds to the messages until the model calls no more tools, or calls wait: `waiting` of them. Returns the last words of the model. */
  async run(messages: LoopMessage[], { signal, decisions = new Map(), onText }: LoopRun): Promise<string> {
    const { model, instructions, tools, maxSteps = 10 } = this.#options;
    for (let step = 0; step < maxSteps; step += 1) {
      for (const call of openCalls(messages)) {
        const tool = tools.find(({ name }) => name === call.name);
        const decision = tool?.needsApproval === true ? decisions.get(call.id) : true;
        if (decision === undefined) return '';
        const text = await resultOf(tool, call, { signal, isAllowed: decision });
        messages.push({ role: 'tool', id: call.id, text });
      }
      const turn = model({ instructions, messages, tools }, signal);
      let text = '';
      let next = await turn.next();
      for (; next.done !== true; next = await turn.next()) {
        signal.throwIfAborted();
        text += next.value;
        await onText(next.value, step);
      }
      messages.push({ role: 'assistant', text, calls: next.value });
      if (next.value.length === 0) return text;
    }
    throw new TooManySteps(`The model called tools ${maxSteps} times.`);
  }

  /** The calls that wait for a decision. */
  waiting(messages: readonly LoopMessage[]): readonly ToolUse[] {
    const asking = this.#options.tools.filter(({ needsApproval }) => needsApproval === true);
    return openCalls(messages).filter((call) => asking.some(({ name }) => name === call.name));
  }
}

async function resultOf(
  tool: LoopTool | undefined,
  { id, input }: ToolUse,
  { signal, isAllowed }: { readonly signal: AbortSignal; readonly isAllowed: boolean },
): Promise<string> {
  if (tool === undefined) return 'There is no tool with this name.';
  return isAllowed ? await tool.execute(input, { id, signal }) : 'This call was not allowed.';
}

function openCalls(messages: readonly LoopMessage[]): readonly ToolUse[] {
  const at = messages.findLastIndex(({ role }) => role === 'assistant');
  const done = new Set(messages.slice(at + 1).map(({ id }) => id));
  return (messages[at]?.calls ?? []).filter(({ id }) => !done.has(id));
}
