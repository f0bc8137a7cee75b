import type { JsonValue } from '@molecule-ai/protocol';

/** A JSON Schema as plain data, in the part of it that the strict modes of model providers take: every property is required. */
export interface JsonSchema {
  type: 'object' | 'string' | 'boolean' | 'array';
  description?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: false;
  items?: JsonSchema;
}

/** What a framework knows of one call of a tool. */
export interface ToolCall {
  /** Aborts the call: `run` rejects with the signal's reason, and the message to the peer is canceled. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The framework's id of the call. A call with the same id, arguments and handled message or run sends no second message, so that a
   * call that is repeated after a crash reaches the peer once. @default each call sends a message of its own
   */
  readonly callId?: string | undefined;
  /** Outside of handlers, the run of the model that `callId` belongs to: models repeat their call ids in other runs. */
  readonly runId?: string | undefined;
  /**
   * The step of a stored run that `callId` belongs to, the same in each repeat of that step, also where another message resumes the run.
   * It takes the place of the handled message and of the run in the id of what is sent. @default the handled message, else the run
   */
  readonly stepId?: string | undefined;
  /** Outside of handlers, the conversation in which the tool is called. @default the run */
  readonly threadId?: string | undefined;
  /**
   * Gets the peer's answer while it is made, piece by piece, at most one piece each 250 ms: for people. Untrusted, without boundary
   * markers and not fenced; a model gets `ToolOutcome.forModel`. What it throws ends the reports.
   */
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** What came of a call, as plain JSON. Store it as it is: a stored outcome gives a model the same bytes. */
export interface ToolOutcome<Data extends JsonValue = JsonValue> {
  /** The result for a model: our own words, and those of peers in a fence. */
  forModel: string;
  /** The result for programs and people. Texts of peers in it are untrusted and not fenced. */
  data: Data;
  isError: boolean;
}

/** A tool for a model, for any framework. */
export interface ToolDefinition<
  Name extends string = string,
  Input = unknown,
  Data extends JsonValue = JsonValue,
> {
  readonly name: Name;
  readonly description: string;
  readonly inputSchema: JsonSchema;
  /**
   * Checks the arguments that a model wrote. Arguments with a default may be left out.
   * @throws MoleculeError `invalid_argument`, whose message is for the model: what to correct.
   */
  parse(raw: unknown): Input;
  /**
   * Does it. Whatever a peer, the platform or the network does is an outcome; it rejects only with the reason of `call.signal`, or of the
   * signal of the handler in which it runs.
   */
  run(input: Input, call?: ToolCall): Promise<ToolOutcome<Data>>;
}
