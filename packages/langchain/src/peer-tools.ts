import type { CallbackManagerForToolRun } from '@langchain/core/callbacks/manager';
import { ToolMessage } from '@langchain/core/messages';
import {
  StructuredTool,
  type StructuredToolCallInput,
  type ToolReturnType,
  type ToolRunnableConfig,
} from '@langchain/core/tools';
import {
  currentMessage,
  type JsonValue,
  type PeerClient,
  type Skill,
  type SkillRequest,
} from '@molecule-ai/core';
import {
  type DefaultPeerToolNames,
  type PeerTool,
  type PeerToolName,
  type PeerToolsOptions,
  PeerToolsShape,
  peerTools,
  type SkillToolOptions,
  shape,
  skillTool,
  type ToolCall,
  type ToolDefinition,
} from '@molecule-ai/core/adapter-kit';
import { idIn, placeOfCall, waitWithin } from './threads.ts';

/** The name under which `streamEvents` gives the progress of a call, and `type` of what `streamMode: 'custom'` gives. */
const PROGRESS = 'peer_progress';
/** Accepts everything. */
const ANY_SCHEMA = {};
/** In the place of arguments that are none. */
const NO_ARGUMENTS = 'not JSON';

class LangChainToolsShape extends PeerToolsShape {
  /** Whether the answer of a peer is reported as stream events while it is made. @default true */
  progress = shape.flag(true);
}

export interface CreatePeerToolsOptions<Names extends readonly PeerToolName[] = readonly PeerToolName[]>
  extends Omit<shape.OptionsOf<LangChainToolsShape>, 'only'>,
    Pick<PeerToolsOptions<Names>, 'only'> {}

const OPTIONS = shape.optionsSchema(new LangChainToolsShape());

type JsonSchema = ToolDefinition['inputSchema'];

/** What a tool for peers returns. `content` is for the model: words of peers are in a fence. */
export interface PeerToolMessage<Data extends JsonValue = JsonValue> extends ToolMessage {
  content: string;
  /** The same as plain JSON, for programs. Texts of peers in it are untrusted and not fenced. */
  artifact: Data;
  status: 'success' | 'error';
}

/** A piece of an answer, as a custom stream event. */
export interface PeerProgress {
  readonly type: typeof PROGRESS;
  readonly tool: string;
  /** `''` outside of tool calls. */
  readonly toolCallId: string;
  /** Words of a peer for people: untrusted and not fenced. */
  readonly text: string;
}

/** The tool with this name for LangChain; without a name, any of them. */
export type PeerStructuredTool<Name extends PeerToolName = PeerToolName> = Structured<PeerTool<Name>>;

type Structured<Definition> =
  Definition extends ToolDefinition<infer Name extends PeerToolName, infer Input, infer Data>
    ? StructuredTool<JsonSchema, Input, Input, PeerToolMessage<Data>> & { readonly name: Name }
    : never;

/** The tools with these names, in this order. */
export type PeerStructuredToolList<Names extends readonly PeerToolName[]> = {
  -readonly [Place in keyof Names]: PeerStructuredTool<Names[Place]>;
};

/**
 * The tools by which a model works with other agents, for `createAgent`, `ToolNode`, `bindTools` and direct calls. Each call
 * returns a `ToolMessage`, also without a tool call, and rejects only when its signal aborts.
 * @throws MoleculeError `invalid_argument` for wrong options.
 *
 * @example
 * const agent = createAgent({ model, tools: createPeerTools(client), systemPrompt: peerTextInstructions });
 */
export function createPeerTools<const Names extends readonly PeerToolName[] = DefaultPeerToolNames>(
  client: PeerClient,
  given: CreatePeerToolsOptions<Names> = {},
): PeerStructuredToolList<Names> {
  const { progress, ...options } = shape.parseArgument('createPeerTools', OPTIONS, given);
  return peerTools<readonly PeerToolName[]>(client, options).map(
    (definition) => new ToolOfDefinition(definition, progress),
  ) as unknown as PeerStructuredToolList<Names>;
}

/**
 * A tool by which a model asks a skill of one peer: its arguments are the data. Its `artifact` has the data of the answer in `answer`.
 * @throws MoleculeError `invalid_argument` for wrong options.
 *
 * @example
 * const agent = createAgent({ model, tools: [createSkillTool(client, deskId, order)], middleware: [peersMiddleware(client)] });
 */
export function createSkillTool<Input, Output>(
  client: PeerClient,
  peerId: string,
  skill: Skill<Input, Output>,
  options: SkillToolOptions = {},
): StructuredTool<JsonSchema, SkillRequest<Input, Output>['data'], unknown, PeerToolMessage> {
  return new ToolOfDefinition(skillTool(client, peerId, skill, options), false) as never;
}

type AnyDefinition = ToolDefinition;

/** What LangGraph adds to the config of a tool, and this file to that of a call with a `timeout`. */
interface CallConfig extends ToolRunnableConfig {
  readonly writer?: ((chunk: unknown) => void) | undefined;
  readonly executionInfo?: { readonly runId?: string | undefined } | undefined;
  readonly peerWaitMs?: number | undefined;
}

class ToolOfDefinition extends StructuredTool<JsonSchema, unknown, unknown, ToolMessage> {
  static override lc_name(): string {
    return 'PeerTool';
  }

  readonly name: string;
  readonly description: string;
  readonly schema: JsonSchema;
  private readonly definition: AnyDefinition;
  private readonly progress: boolean;

  constructor(definition: AnyDefinition, progress: boolean) {
    super();
    this.name = definition.name;
    this.definition = definition;
    this.description = definition.description;
    this.schema = definition.inputSchema;
    this.progress = progress;
  }

  override async invoke<
    Input extends StructuredToolCallInput<JsonSchema, unknown>,
    Config extends OptionalConfig,
  >(input: Input, config?: Config): Promise<ToolReturnType<Input, Config, ToolMessage>> {
    // The framework makes a signal of it, and where it leaves the number, a timeout of the whole run leaves its own.
    const timeout = config?.timeout ?? this.defaultConfig?.timeout;
    if (timeout === undefined) return await super.invoke(input, config);
    const peerWaitMs = waitWithin(timeout);
    return await super.invoke(input, { ...config, peerWaitMs } as unknown as Config);
  }

  /** @deprecated of the framework: `invoke` calls it */
  override async call<
    Input extends StructuredToolCallInput<JsonSchema, unknown>,
    Config extends OptionalConfig,
  >(input: Input, config?: Config, tags?: string[]): Promise<ToolReturnType<Input, Config, ToolMessage>> {
    // The framework's check of arguments throws what a model wrote, and wants those that have a default. So it is left to the definition.
    const unchecked: this = Object.create(this, { schema: { value: ANY_SCHEMA } });
    return await super.call.call(unchecked, traceable(input ?? {}), config, tags);
  }

  protected override async _call(
    input: unknown,
    run?: CallbackManagerForToolRun,
    config: CallConfig = {},
  ): Promise<ToolMessage> {
    const toolCallId = config.toolCall?.id ?? '';
    const { forModel, data, isError } = await this.definition.execute(input, {
      ...identityOfCall(config),
      signal: config.signal,
      timeoutMs: config.peerWaitMs,
      onProgress: this.progress ? reporter(this.name, toolCallId, run, config) : undefined,
    });
    return new ToolMessage({
      content: forModel,
      artifact: data,
      status: isError ? 'error' : 'success',
      tool_call_id: toolCallId,
      name: this.name,
    });
  }
}

/** The framework writes arguments as JSON for its traces. What is not JSON is wrong anyway, and refused as any text is. */
function traceable(input: unknown): unknown {
  try {
    return JSON.stringify(input) === undefined ? NO_ARGUMENTS : input;
  } catch {
    return NO_ARGUMENTS;
  }
}

type OptionalConfig = ToolRunnableConfig | undefined;

/**
 * What makes a call the same in another attempt. A task of a graph has a name of its own, which is the same when the task is repeated and
 * when its checkpoint is resumed, so call ids that a model uses again in a later step are distinguished.
 */
function identityOfCall({ configurable = {}, executionInfo, toolCall, runId }: CallConfig): ToolCall {
  const callId = toolCall?.id;
  const threadId = idIn(configurable.thread_id);
  const task = idIn(configurable.checkpoint_ns);
  if (callId === undefined || callId === '') return { callId, threadId };
  if (currentMessage() !== undefined) return { callId, threadId, ...placeOfCall(configurable) };
  const run = idIn(executionInfo?.runId) ?? idIn(configurable.run_id) ?? idIn(runId);
  return {
    callId: task === undefined ? callId : JSON.stringify([task, callId]),
    runId: threadId !== undefined && task !== undefined ? threadId : (run ?? task),
    threadId,
  };
}

/** Reports to `streamMode: 'custom'` and to `streamEvents`; `undefined` where nobody could read it. */
function reporter(
  tool: string,
  toolCallId: string,
  run: CallbackManagerForToolRun | undefined,
  { writer }: CallConfig,
): ((text: string) => void) | undefined {
  const isHeard = run?.handlers.some((handler) => handler.handleCustomEvent !== undefined) ?? false;
  if (writer === undefined && !isHeard) return undefined;
  return (text) => {
    const event: PeerProgress = { type: PROGRESS, tool, toolCallId, text };
    writer?.(event);
    if (isHeard) run?.handleCustomEvent(PROGRESS, event).catch(() => {});
  };
}
