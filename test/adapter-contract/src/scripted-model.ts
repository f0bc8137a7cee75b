/** One call of a tool that the model makes. */
export interface ScriptedToolCall {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** @default `call_0`, `call_1` …, again in each turn, as models do */
  readonly id?: string;
}

/** What the model does when it is called. */
export interface Turn {
  /** Its text, in pieces: `deltas` where the framework streams, else all of them. */
  readonly deltas?: readonly string[];
  readonly toolCalls?: readonly ScriptedToolCall[];
  /** Thrown after the pieces. */
  readonly error?: Error;
  /** Waits for this between the first piece and the others. */
  readonly until?: Promise<unknown>;
}

/** What a model was sent, as a provider would get it. */
export interface RecordedPrompt {
  readonly messages: readonly PromptMessage[];
  /** Names, descriptions and schemas. */
  readonly tools: readonly unknown[];
}

export interface PromptMessage {
  readonly role: string;
  readonly text: string;
  /** Whatever else of the message is sent: a name, the calls of tools, an id of a call. */
  readonly more?: unknown;
}

/** What a turn is chosen by, where one script serves many runs at once. */
export type ScriptFunction = (prompt: RecordedPrompt) => Turn;

/** A model that does what a test says, and records each prompt. The driver of an adapter makes a model of the framework from it. */
export class ScriptedModel {
  readonly prompts: RecordedPrompt[] = [];
  #turns: readonly Turn[] | ScriptFunction = [];
  #next = 0;

  /** What it does from now on; forgets the prompts. */
  script(...turns: readonly Turn[] | readonly [ScriptFunction]): void {
    const [first] = turns;
    this.#turns = typeof first === 'function' ? first : (turns as readonly Turn[]);
    this.#next = 0;
    this.prompts.length = 0;
  }

  /** Records what a model may be sent, where none is called. */
  record(prompt: RecordedPrompt): void {
    this.prompts.push(structuredClone(prompt));
  }

  /** Records a prompt and returns what the model does. Drivers call it once for each call of the model. */
  take(prompt: RecordedPrompt): Turn {
    this.record(prompt);
    if (typeof this.#turns === 'function') return this.#turns(prompt);
    const turn = this.#turns[this.#next];
    this.#next += 1;
    if (turn === undefined)
      throw new Error(`The script has ${this.#turns.length} turns, and the model was called again.`);
    return turn;
  }
}

/** The turn in which the model says this. */
export function saying(...deltas: readonly string[]): Turn {
  return { deltas };
}

/** The turn in which the model calls one tool. */
export function calling(name: string, args: Readonly<Record<string, unknown>> = {}, id?: string): Turn {
  return { toolCalls: [{ name, args, ...(id === undefined ? {} : { id }) }] };
}

/** The calls of a turn with an id for each. */
export function callsOf({ toolCalls = [] }: Turn): readonly Required<ScriptedToolCall>[] {
  return toolCalls.map(({ name, args, id }, index) => ({ name, args, id: id ?? `call_${index}` }));
}

/** The pieces of a turn, in time. */
export async function* piecesOf({ deltas = [], until, error }: Turn): AsyncGenerator<string> {
  for (const [index, delta] of deltas.entries()) {
    if (index === 1) await until;
    yield delta;
  }
  if (deltas.length < 2) await until;
  if (error !== undefined) throw error;
}
