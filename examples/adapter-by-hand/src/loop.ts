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

export interface LoopCall {
  readonly id: string;
  /** The run that calls, as the application names it. */
  readonly runId?: string | undefined;
  readonly signal: AbortSignal;
  /** Gets what a tool says while it works. */
  readonly onProgress?: ((text: string) => void) | undefined;
}

export interface LoopResult {
  /** What the model reads. */
  readonly text: string;
  /** The same for programs. */
  readonly data?: unknown;
  readonly isError?: boolean;
}

export interface LoopTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: object;
  /** Whether a call waits until it is decided. @default false */
  readonly needsApproval?: boolean;
  execute(input: unknown, call: LoopCall): Promise<LoopResult>;
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

export interface LoopRun extends Omit<LoopCall, 'id'> {
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
  async run(messages: LoopMessage[], { decisions = new Map(), onText, ...run }: LoopRun): Promise<string> {
    const { model, instructions, tools, maxSteps = 10 } = this.#options;
    for (let step = 0; step < maxSteps; step += 1) {
      const asked = openCalls(messages).map((call) => ({
        call,
        tool: tools.find(({ name }) => name === call.name),
      }));
      const decided = asked.filter(
        ({ call, tool }) => tool?.needsApproval !== true || decisions.has(call.id),
      );
      const results = decided.map(async ({ call, tool }): Promise<LoopMessage> => {
        const isAllowed = decisions.get(call.id) ?? true;
        return { role: 'tool', id: call.id, text: await resultOf(tool, call, isAllowed, run) };
      });
      messages.push(...(await Promise.all(results)));
      if (decided.length < asked.length) return '';
      const turn = model({ instructions, messages, tools }, run.signal);
      let text = '';
      let next = await turn.next();
      for (; next.done !== true; next = await turn.next()) {
        run.signal.throwIfAborted();
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
  isAllowed: boolean,
  run: Omit<LoopCall, 'id'>,
): Promise<string> {
  if (tool === undefined) return 'There is no tool with this name.';
  return isAllowed ? (await tool.execute(input, { id, ...run })).text : 'This call was not allowed.';
}

function openCalls(messages: readonly LoopMessage[]): readonly ToolUse[] {
  const at = messages.findLastIndex(({ role }) => role === 'assistant');
  const done = new Set(messages.slice(at + 1).map(({ id }) => id));
  return (messages[at]?.calls ?? []).filter(({ id }) => !done.has(id));
}
