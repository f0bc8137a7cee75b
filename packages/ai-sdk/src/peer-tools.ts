import {
  currentMessage,
  type ModelText,
  MoleculeError,
  type PeerClient,
  type Skill,
  type SkillRequest,
} from '@molecule-ai/core';
import {
  currentConversation,
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
  type ToolOutcome,
} from '@molecule-ai/core/adapter-kit';
import { jsonSchema, type ModelMessage, type Tool } from 'ai';
import {
  type CheckedOutcome,
  checkedOutcome,
  type PeerAnswerSoFar,
  streamOutcome,
  valueDigest,
  verifyOutcome,
} from './stored-outcome.ts';

const MIN_SECRET_LENGTH = 32;
/** Tools that wait for the answer of a peer. */
const CALLING: ReadonlySet<string> = new Set(['call_peer', 'delegate_task']);

/** What signs something: 32 characters or more. */
export function secretOption(): shape.Option<string | undefined, string> {
  return shape.option<string | undefined, string>((value, refuse) => {
    if (value === undefined || (typeof value === 'string' && value.length >= MIN_SECRET_LENGTH)) return value;
    return refuse(
      `must be a text of ${MIN_SECRET_LENGTH} characters or more`,
      'Make one with `openssl rand -base64 32`, and keep it with the other secrets of the program.',
    );
  });
}

class AiSdkToolsShape extends PeerToolsShape {
  /** Whether the answer of a peer is given as preliminary results while it is made. @default true */
  progress = shape.flag(true);
  /**
   * Which calls need an approval: all (`true`), those of some tools (their names), or what the function decides. In version 7 of the AI SDK
   * `toolApproval` of the call takes precedence. @default none
   */
  needsApproval = shape.given<AnyApproval>();
  /**
   * Signs results, so that whoever keeps a chat for this program cannot write one. 32 characters or more, the same in all processes. @default none: `check` of a
   * result is a digest, which finds out what was edited by mistake
   */
  outputSecret = secretOption();
}

export interface CreatePeerToolsOptions<Names extends readonly PeerToolName[] = readonly PeerToolName[]>
  extends Omit<shape.OptionsOf<AiSdkToolsShape>, 'only' | 'needsApproval'>,
    Pick<PeerToolsOptions<Names>, 'only'> {
  /**
   * Which calls need an approval: all, those of some tools, or what the function decides. Calls with wrong arguments need none: nothing is sent. In
   * version 7 of the AI SDK `toolApproval` of the call takes precedence. @default none
   */
  needsApproval?:
    | boolean
    | readonly Names[number][]
    | ((request: PeerToolRequest<Names[number]>) => boolean | PromiseLike<boolean>)
    | undefined;
}

/** A call that may need an approval; `toolName` is its tool. */
export type PeerToolRequest<Name extends PeerToolName = PeerToolName> = {
  [Each in Name]: {
    readonly toolName: Each;
    readonly input: PeerToolInput<Each>;
    readonly toolCallId: string;
    readonly messages: readonly ModelMessage[];
  };
}[Name];

export type PeerToolInput<Name extends PeerToolName> =
  PeerTool<Name> extends ToolDefinition<Name, infer Input> ? Input : never;

/** What a tool returns, as plain JSON. Store it as it is: it gives a model the same bytes again. */
export type PeerToolOutput<Name extends PeerToolName = PeerToolName> = {
  /** What the model is given: words of peers are in a fence. `''` in a preliminary output. */
  forModel: string;
  /** The same for programs and people. Texts of peers in it are untrusted and not fenced. */
  data: DataOf<Name> | (Name extends 'call_peer' | 'delegate_task' ? PeerAnswerSoFar : never);
  isError: boolean;
  /** Over the above but `data`: an output that was edited is fenced as a whole. `''` in a preliminary output. */
  check: string;
};

type DataOf<Name extends PeerToolName> =
  PeerTool<Name> extends { execute(...given: never[]): Promise<ToolOutcome<infer Data>> } ? Data : never;

/** The tools with these names, for `tools` of `generateText`, `streamText` and agents. */
export type PeerToolSet<Names extends readonly PeerToolName[] = readonly PeerToolName[]> = {
  [Name in Names[number]]: Tool<PeerToolInput<Name>, PeerToolOutput<Name>>;
};

const OPTIONS = shape.optionsSchema(new AiSdkToolsShape());

/**
 * The tools by which a model works with other agents. A call rejects only with the reason of its `abortSignal`.
 * @throws MoleculeError `invalid_argument` for wrong options.
 *
 * @example
 * const agent = new ToolLoopAgent({ model, tools: createPeerTools(client) });
 */
export function createPeerTools<const Names extends readonly PeerToolName[] = DefaultPeerToolNames>(
  client: PeerClient,
  given: CreatePeerToolsOptions<Names> = {},
): PeerToolSet<Names> {
  const { progress, needsApproval, outputSecret, ...options } = shape.parseArgument(
    'createPeerTools',
    OPTIONS,
    given,
  );
  const { maxModelChars } = options;
  const definitions: readonly AnyDefinition[] = peerTools<readonly PeerToolName[]>(client, options);
  check(approvalProblem(needsApproval, definitions));
  const entries = definitions.map((definition): [string, AnyTool] => {
    const asks = asksFor(definition, needsApproval);
    const tool = toolOf(definition, { progress, maxModelChars, outputSecret });
    return [definition.name, { ...tool, ...(asks === undefined ? {} : { needsApproval: asks }) }];
  });
  return Object.fromEntries(entries) as unknown as PeerToolSet<Names>;
}

/**
 * A tool by which a model asks a skill of one peer: its arguments are the data. Beside {@link createPeerTools}, under a name of yours in `tools`.
 * @throws MoleculeError `invalid_argument` for wrong options.
 *
 * @example
 * const tools = { ...createPeerTools(client), order: createSkillTool(client, deskId, order) };
 */
export function createSkillTool<Input, Output>(
  client: PeerClient,
  peerId: string,
  skill: Skill<Input, Output>,
  options: SkillToolOptions = {},
): Tool<SkillRequest<Input, Output>['data'], PeerToolOutput<'call_peer'>> {
  const definition = skillTool(client, peerId, skill, options);
  const tool = toolOf(definition, { progress: false, maxModelChars: 0, outputSecret: undefined });
  return tool as unknown as Tool<SkillRequest<Input, Output>['data'], PeerToolOutput<'call_peer'>>;
}

interface ToolSettings {
  readonly progress: boolean;
  readonly maxModelChars: number;
  readonly outputSecret: string | undefined;
}

function toolOf(definition: AnyDefinition, { progress, maxModelChars, outputSecret }: ToolSettings): AnyTool {
  return {
    description: definition.description,
    inputSchema: uncheckedSchema(definition.inputSchema),
    execute: (input, call = {}) => {
      const run: Run = async ({ signal, onProgress }) =>
        checkedOutcome(
          await definition.execute(input, { ...identityOf(definition.name, call), signal, onProgress }),
          outputSecret,
        );
      const { abortSignal } = call;
      return progress && CALLING.has(definition.name)
        ? streamOutcome(run, { signal: abortSignal, peerId: peerIn(definition, input), maxModelChars })
        : run({ signal: abortSignal });
    },
    toModelOutput: ({ output }) => modelOutputOf(output, outputSecret),
  };
}

type AnyDefinition = ToolDefinition;
type AnyOutput = CheckedOutcome;
type AnyApproval =
  | boolean
  | readonly string[]
  | ((request: unknown) => boolean | PromiseLike<boolean>)
  | undefined;
type Run = (call: Pick<ToolCall, 'signal' | 'onProgress'>) => Promise<AnyOutput>;
type Execute = NonNullable<Tool<unknown, AnyOutput>['execute']>;
type CallOptions = Pick<Parameters<Execute>[1], 'toolCallId' | 'messages' | 'abortSignal'>;
/** Who calls a tool by hand may leave them out. */
type GivenOptions = { readonly [Key in keyof CallOptions]?: CallOptions[Key] | undefined };

interface AnyTool {
  readonly description: string;
  readonly inputSchema: Tool['inputSchema'];
  readonly execute: (input: unknown, call?: GivenOptions) => AsyncIterable<AnyOutput> | Promise<AnyOutput>;
  readonly toModelOutput: (given: { readonly output: unknown }) => ModelOutput;
  readonly needsApproval?: boolean | ((input: unknown, call: CallOptions) => Promise<boolean>);
}

/** What a model is given for an output. */
export interface ModelOutput {
  readonly type: 'text' | 'error-text';
  readonly value: ModelText;
  readonly providerOptions: { readonly molecule: { readonly outcome: string } };
}

/** An output of a tool for a model, also one that was read back from where a chat is stored. */
export function modelOutputOf(output: unknown, secret?: string): ModelOutput {
  const { forModel: value, isError } = verifyOutcome(output, secret);
  const providerOptions = { molecule: { outcome: valueDigest(value) ?? '' } };
  return { type: isError ? 'error-text' : 'text', value, providerOptions };
}

/** Whether an output in a prompt is exactly what {@link modelOutputOf} returned. */
export function isModelOutput({
  value,
  providerOptions,
}: {
  readonly value: string;
  readonly providerOptions?: unknown;
}): boolean {
  const { molecule } = Object(providerOptions);
  return Object(molecule).outcome === valueDigest(value);
}

/** The arguments are checked by the definition: what is wrong with them is a result, by which a model corrects itself. */
function uncheckedSchema(schema: AnyDefinition['inputSchema']): Tool['inputSchema'] {
  const given = schema as Parameters<typeof jsonSchema>[0];
  return jsonSchema(given, { validate: (value) => ({ success: true, value }) });
}

/** What makes a call the same when it is repeated. */
function identityOf(name: string, { toolCallId = '', messages: given }: GivenOptions): ToolCall {
  if (!Array.isArray(given)) return {};
  const messages = given.filter((message) => typeof message === 'object' && message !== null);
  if (currentMessage() !== undefined) return placeOf(name, toolCallId, messages);
  const content = valueDigest(messages);
  // A chat is a conversation of its own; without one it is the run.
  if (currentConversation() !== '') return { callId: toolCallId, runId: content };
  const run = runOf(messages);
  // Models count their call ids from zero in each run of one prompt. A call that was approved has its place among the messages.
  const isUnique = content === undefined || isContinued(messages, toolCallId);
  const runId = isUnique ? content : `${run} ${content}`;
  return { callId: toolCallId, runId, threadId: run };
}

/** Whether the call is in the messages without a result: it was approved after the run had ended. */
function isContinued(messages: readonly ModelMessage[], toolCallId: string): boolean {
  const last = messages.findLastIndex(({ role }) => role === 'assistant');
  const { content = '' } = messages[last] ?? {};
  const isCalled =
    typeof content !== 'string' &&
    content.some((part) => part.type === 'tool-call' && part.toolCallId === toolCallId);
  return isCalled && !messages.slice(last + 1).some((message) => hasResult(message, toolCallId));
}

/**
 * The ids of calls are others in each attempt of a message, so calls are counted. A run that is continued after some of its steps has the calls of
 * these in its messages.
 */
function placeOf(name: string, toolCallId: string, messages: readonly ModelMessage[]): ToolCall {
  const run = runOf(messages);
  const own = messages.slice(messages.findLastIndex(({ role }) => role === 'user') + 1);
  const last = own.findLastIndex(({ role }) => role === 'assistant');
  // Once it is approved, a call of the last step is run.
  const isOpen = !own.slice(last + 1).some((message) => hasResult(message, toolCallId));
  let place = own.length;
  const earlierCalls: { input: unknown; callerId: string }[] = [];
  for (const [at, { role, content: parts }] of own.entries()) {
    if (role !== 'assistant' || !Array.isArray(parts)) continue;
    for (const part of parts) {
      if (part.type !== 'tool-call' || part.toolName !== name) continue;
      if (at === last && isOpen && part.toolCallId === toolCallId) place = at;
      earlierCalls.push({ input: part.input, callerId: `${run} ${at} ${part.toolCallId}` });
    }
  }
  return { callerId: `${run} ${place} ${toolCallId}`, earlierCalls };
}

function hasResult({ role, content }: ModelMessage, toolCallId: string): boolean {
  return (
    role === 'tool' &&
    Array.isArray(content) &&
    content.some((part) => part.type === 'tool-result' && part.toolCallId === toolCallId)
  );
}

function parsedBy(definition: AnyDefinition, input: unknown): unknown {
  try {
    return definition.parse(input);
  } catch {
    return undefined;
  }
}

function peerIn(definition: AnyDefinition, input: unknown): string {
  const { peer_id: peerId, workspace_id: workspaceId } = Object(parsedBy(definition, input));
  return String(peerId ?? workspaceId ?? '');
}

const runs = new WeakMap<object, string>();

/** Names the run that a call belongs to: its steps have the same message at the beginning. */
function runOf(messages: readonly ModelMessage[]): string {
  const first = messages.findLast(({ role }) => role === 'user') ?? messages[0] ?? messages;
  const known = runs.get(first) ?? crypto.randomUUID();
  runs.set(first, known);
  return known;
}

function asksFor(definition: AnyDefinition, needsApproval: AnyApproval): AnyTool['needsApproval'] {
  if (needsApproval === undefined || needsApproval === false) return undefined;
  const { name: toolName } = definition;
  if (Array.isArray(needsApproval) && !needsApproval.includes(toolName)) return undefined;
  return async (raw, { toolCallId, messages }) => {
    const input = parsedBy(definition, raw);
    if (input === undefined) return false;
    return typeof needsApproval === 'function'
      ? await needsApproval({ toolName, input, toolCallId, messages })
      : true;
  };
}

function approvalProblem(given: unknown, definitions: readonly AnyDefinition[]): string | null {
  if (given === undefined || typeof given === 'boolean' || typeof given === 'function') return null;
  const names = definitions.map(({ name }) => name);
  if (Array.isArray(given) && given.every((name) => names.includes(name))) return null;
  return `\`needsApproval\` must be true or false, a function, or a list of these tools: ${names.join(', ')}.`;
}

function check(problem: string | null): void {
  if (problem !== null) throw new MoleculeError(problem, { code: 'invalid_argument' });
}
