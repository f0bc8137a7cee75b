import { ConfigurationError, MessageFailure } from '@molecule-ai/core';
import type { StreamedAnswer, Turn } from '@molecule-ai/core/adapter-kit';
import {
  APICallError,
  gateway,
  InvalidPromptError,
  type LanguageModel,
  type LanguageModelMiddleware,
  LoadAPIKeyError,
  type ModelMessage,
  NoObjectGeneratedError,
  NoOutputGeneratedError,
  NoSuchModelError,
  type StepResult,
  ToolLoopAgent,
  type ToolLoopAgentSettings,
  type ToolSet,
  wrapProvider,
} from 'ai';
import { boundaryMiddleware } from './boundary-middleware.ts';
import { invalidHistory, StepRecorder } from './conversation-store.ts';

/** Errors whose classes not all versions of the AI SDK export, such as those of the gateway. */
const NAMES =
  /^(AI_(UnsupportedModelVersion|LoadSetting)Error|Gateway(Authentication|Forbidden|ModelNotFound)?Error)$/;
/** No or a wrong key, a model that the key may not use, no such model. */
const STATUSES: ReadonlySet<number | undefined> = new Set([401, 403, 404]);

/** An agent of the AI SDK: a `ToolLoopAgent`, or another implementation of its interface `Agent`. */
export interface SomeAgent {
  readonly version: 'agent-v1';
  generate(options: never): PromiseLike<unknown>;
  stream(options: never): PromiseLike<unknown>;
}

/** What `ToolLoopAgent` is created with: a model, `tools`, `instructions`, `stopWhen`, `output` and so on. */
export type AgentSettings = Omit<ToolLoopAgentSettings<never, ToolSet>, 'output' | 'toolsContext'> & {
  output?: unknown;
  toolsContext?: unknown;
};

/** What a run came to. */
export interface AgentRun {
  /** Of the last step, without boundary markers. */
  readonly text: string;
  /** By the `output` of the agent; a text without one, `undefined` when there is none. */
  readonly output: unknown;
  /** Of the last step: `stop`, `length`, `tool-calls` and so on. */
  readonly finishReason: string;
  /** What the run added to the conversation. */
  readonly messages: readonly ModelMessage[];
  /** Those of this attempt. */
  readonly steps: readonly StepResult<ToolSet>[];
  /** What of the text was not streamed to the sender. */
  readonly rest: string;
  /** What was streamed to the sender, of all steps; `''` for nothing. */
  readonly streamed: string;
}

/** A target, by what is used of it. */
export interface Target {
  agent(): Runner;
  explainsFences(instructions: string): boolean;
}

interface Runner {
  generate(call: Call): PromiseLike<Outcome>;
  stream(call: Call): PromiseLike<Outcome>;
}

interface Call {
  readonly messages: ModelMessage[];
  readonly abortSignal: AbortSignal;
  prepareStep?(step: { readonly messages: ModelMessage[] }): unknown;
  onStepFinish(step: StepResult<ToolSet>): Promise<void>;
  onError?(): void;
}

/** The result of either version. Version 6 has all messages in the response, 7 only those of the last step. */
interface Outcome {
  readonly text: unknown;
  readonly output: unknown;
  readonly finishReason: unknown;
  readonly steps: unknown;
  readonly response: unknown;
  readonly responseMessages?: unknown;
  readonly stream?: AsyncIterable<StreamPart>;
  readonly fullStream?: AsyncIterable<StreamPart>;
}

type StreamPart =
  | { readonly type: 'start-step' }
  | { readonly type: 'text-delta'; readonly text: string }
  | { readonly type: 'error'; readonly error: unknown }
  | { readonly type: 'abort'; readonly reason?: unknown };

/** @throws ConfigurationError for what is neither an agent nor settings of one. */
export function targetOf(given: unknown): Target {
  const version = fieldOf(given, 'version');
  const isRunnable = ['generate', 'stream'].every((name) => typeof fieldOf(given, name) === 'function');
  if (version === 'agent-v1' && isRunnable) {
    const agent = given as Runner;
    checkNames(settingsOf(agent));
    return { agent: () => agent, explainsFences: (text) => hasText(settingsOf(agent).instructions, text) };
  }
  const model = fieldOf(given, 'model');
  if (typeof given !== 'object' || given === null || model === undefined) throw noTarget(given);
  const settings = given as AgentSettings;
  checkSettings(settings);
  return {
    agent: () =>
      new ToolLoopAgent({
        ...settings,
        model: withBoundary(settings.model),
      } as ToolLoopAgentSettings) as unknown as Runner,
    explainsFences: () => true,
  };
}

/** What people give an agent, and is another thing there. */
const MISPLACED: Readonly<Record<string, string>> = {
  system: 'Its name is `instructions`.',
  prompt: 'The message to the agent is the prompt.',
  messages: 'The conversation of the message has them.',
  abortSignal: 'The signal of the message is used.',
};
/** All settings of a `ToolLoopAgent` of version 6, which ignores any other. Later versions add settings with each release. */
const SETTINGS_OF_6 = new Set(
  `id instructions allowSystemInMessages model tools toolChoice stopWhen experimental_telemetry activeTools output prepareStep
  experimental_repairToolCall onStepFinish onFinish experimental_toolApprovalSecret providerOptions experimental_context
  experimental_download callOptionsSchema prepareCall maxOutputTokens temperature topP topK presencePenalty frequencyPenalty
  stopSequences seed maxRetries timeout headers`.split(/\s+/),
);

/** @throws ConfigurationError for a setting that this version of the AI SDK would ignore. */
function checkNames(settings: object): void {
  const isOf6 = newestSpecification() === 'v3';
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  for (const [name] of given) {
    const hint = MISPLACED[name] ?? (isOf6 && !SETTINGS_OF_6.has(name) ? hintOf6(name) : undefined);
    if (hint === undefined) continue;
    throw new ConfigurationError(`An agent of this version of the AI SDK has no setting "${name}".`, {
      hint,
    });
  }
}

function checkSettings(settings: AgentSettings): void {
  checkNames(settings);
  const { model, tools } = settings;
  const isModel = typeof model === 'string' ? model.trim() !== '' : isLanguageModel(model);
  if (!isModel) throw wrongModel(model);
  if (tools === undefined || (typeof tools === 'object' && tools !== null && !Array.isArray(tools))) return;
  throw new ConfigurationError('`tools` must be an object with a tool for each name.', {
    hint: 'createPeerTools(client) returns one: { ...createPeerTools(client), own: tool({ … }) }.',
  });
}

function hintOf6(name: string): string {
  return name === 'toolApproval'
    ? 'Give createPeerTools and other tools `needsApproval`, or use version 7 of `ai`.'
    : 'Use version 7 of `ai`, or leave it out.';
}

function noTarget(given: unknown): ConfigurationError {
  const isModel = typeof given === 'string' || isLanguageModel(given);
  const kind = isModel ? 'a model' : given === null ? 'null' : typeof given;
  if (kind === 'object' && ['instructions', 'tools'].some((name) => fieldOf(given, name)))
    return wrongModel(undefined);
  return new ConfigurationError(`The target must be an agent of the AI SDK or { model, … }, got ${kind}.`, {
    hint: 'Pass a ToolLoopAgent, or { model, tools, instructions }.',
  });
}

function isLanguageModel(value: unknown): boolean {
  return (
    typeof fieldOf(value, 'specificationVersion') === 'string' &&
    typeof fieldOf(value, 'doGenerate') === 'function'
  );
}

/** The model with the boundary middleware. An id is resolved as the AI SDK does it: by the default provider, else by the gateway. */
function withBoundary(model: LanguageModel): LanguageModel {
  const provider = globalThis.AI_SDK_DEFAULT_PROVIDER ?? gateway;
  const resolved = typeof model === 'string' ? provider.languageModel(model) : model;
  // What the AI SDK does not run it refuses by itself.
  return resolved.specificationVersion > newestSpecification()
    ? resolved
    : wrapped(resolved, [boundaryMiddleware()]);
}

/** Of models: `v3` in version 6 of the AI SDK. */
function newestSpecification(): string {
  return wrapped({ specificationVersion: 'v3' } as never, []).specificationVersion;
}

/** Unlike wrapLanguageModel, it adapts models of earlier specifications in each version. */
function wrapped(model: Exclude<LanguageModel, string>, languageModelMiddleware: LanguageModelMiddleware[]) {
  const provider = { languageModel: () => model } as never;
  return wrapProvider({ provider, languageModelMiddleware }).languageModel(model.modelId);
}

/**
 * Runs an agent. Text is streamed to senders that read a stream; for all others it generates, because streams print their errors.
 * @param messages the conversation up to what is to be answered
 * @param onStep gets what the run added so far, after each step that another one follows
 * @throws as `turn.run`
 */
export function runAgent(
  target: Target,
  messages: readonly ModelMessage[],
  turn: Turn,
  onStep: (messages: readonly ModelMessage[]) => Promise<void>,
): Promise<AgentRun> {
  const { signal } = turn.context;
  return turn.run(async (answer) => {
    const agent = target.agent();
    const steps = new StepRecorder(messages, signal, onStep);
    const own = ownCallbacks(agent);
    const call: Call = {
      messages: [...messages],
      abortSignal: signal,
      onStepFinish: async (step) => {
        await own.onStepFinish?.(step);
        await steps.finished(step);
      },
    };
    if (steps.isResumed) {
      call.prepareStep = async (step) => {
        await steps.resumed(step.messages);
        return own.prepareStep?.(step);
      };
    }
    const outcome = answer.isRead ? await streamed(agent, call, answer) : await agent.generate(call);
    return await runOf(outcome, answer, signal);
  });
}

async function streamed(agent: Runner, call: Call, answer: StreamedAnswer): Promise<Outcome> {
  const outcome = await silent(agent).stream(
    typeof settingsOf(agent).onError === 'function' ? call : { ...call, onError: () => {} },
  );
  let step = 0;
  for await (const part of outcome.stream ?? outcome.fullStream ?? []) {
    if (part.type === 'error') throw part.error;
    if (part.type === 'abort') throw abortOf(part.reason);
    if (part.type === 'start-step') step += 1;
    if (part.type === 'text-delta') await answer.push(part.text, step);
  }
  await answer.end();
  return outcome;
}

/**
 * Without an `onError` of the agent, the AI SDK prints errors in streams: later releases of version 7 even where the call has one. Other classes may have
 * private fields, which no object that inherits from theirs has.
 */
export function silent<Each extends object>(agent: Each): Each {
  const settings = settingsOf(agent);
  const prototype: object = Object.getPrototypeOf(agent);
  const isToolLoopAgent =
    ['prepareCall', 'stream'].every((name) => Object.hasOwn(prototype, name)) &&
    Object.getPrototypeOf(prototype) === Object.prototype;
  if (!isToolLoopAgent || typeof settings.onError === 'function') return agent;
  return Object.create(agent, { settings: { value: { ...settings, onError: () => {} } } });
}

/** A stream that was aborted ends like any other. */
function abortOf(reason: unknown): unknown {
  if (reason instanceof Error) return reason;
  return new DOMException(typeof reason === 'string' ? reason : 'The run was aborted.', 'TimeoutError');
}

async function runOf(outcome: Outcome, answer: StreamedAnswer, signal: AbortSignal): Promise<AgentRun> {
  // Some runs return although they were aborted.
  signal.throwIfAborted();
  const [text, finishReason, steps] = await Promise.all([outcome.text, outcome.finishReason, outcome.steps]);
  const messages = (await outcome.responseMessages) ?? fieldOf(await outcome.response, 'messages');
  const output = await outputOf(outcome);
  signal.throwIfAborted();
  const said = typeof text === 'string' ? answer.clean(text) : '';
  return {
    text: said,
    output,
    finishReason: String(finishReason),
    steps: Array.isArray(steps) ? steps : [],
    messages: Array.isArray(messages) ? messages : [{ role: 'assistant', content: said }],
    streamed: answer.said,
    rest: answer.restOf(said),
  };
}

async function outputOf(outcome: Outcome): Promise<unknown> {
  try {
    return await outcome.output;
  } catch (error) {
    if (NoOutputGeneratedError.isInstance(error)) return undefined;
    throw error;
  }
}

/** Callbacks of the agent that those of a call replace: its `prepareStep`, and in early releases of version 6 its `onStepFinish`. */
function ownCallbacks(agent: Runner): Partial<Pick<Call, 'onStepFinish' | 'prepareStep'>> {
  const settings = settingsOf(agent);
  const { onStepFinish, prepareStep = settings.experimental_prepareStep } = settings as Partial<Call>;
  const callsBoth = 'mergeOnStepFinishCallbacks' in agent || 'onEnd' in settings;
  return { prepareStep, onStepFinish: callsBoth ? undefined : onStepFinish } as Partial<Call>;
}

function settingsOf(agent: object): Readonly<Record<string, unknown>> {
  return Object(Reflect.get(agent, 'settings'));
}

function hasText(instructions: unknown, text: string): boolean {
  if (typeof instructions === 'string') return instructions.includes(text);
  const all = Array.isArray(instructions) ? instructions : [instructions];
  return all.some((each) => String(fieldOf(each, 'content') ?? each ?? '').includes(text));
}

/** What is known of the errors of the AI SDK. */
export const ERRORS = { failureOf };

function failureOf(error: unknown): MessageFailure | undefined {
  if (NoObjectGeneratedError.isInstance(error) || NoOutputGeneratedError.isInstance(error)) {
    return new MessageFailure('The agent made no answer of the form that it has to have.', {
      code: 'no_output',
      cause: error,
    });
  }
  if (InvalidPromptError.isInstance(error)) return invalidHistory(error);
  const noModel = noModelFailure(error);
  if (noModel !== undefined) return noModel;
  // Classes that the first releases of version 6 do not have.
  if (!/^AI_(InvalidToolApproval|ToolCallNotFoundForApproval)/.test(String(fieldOf(error, 'name'))))
    return undefined;
  return new MessageFailure('The approval does not belong to the action.', {
    code: 'invalid_approval',
    cause: error,
  });
}

/** The failure for an error of a provider that has no such model, or no key for it; `undefined` for any other. */
function noModelFailure(error: unknown): MessageFailure | undefined {
  const isMissing =
    LoadAPIKeyError.isInstance(error) ||
    NoSuchModelError.isInstance(error) ||
    (APICallError.isInstance(error) && STATUSES.has(error.statusCode)) ||
    (error instanceof Error && NAMES.test(error.name));
  return isMissing
    ? new MessageFailure('The agent has no model.', { code: 'no_model', cause: error })
    : undefined;
}

/** For settings of an agent without a model, or with something else. */
function wrongModel(model: unknown): ConfigurationError {
  const problem =
    model === undefined ? 'is missing.' : 'must be a language model of the AI SDK, or the id of one.';
  return new ConfigurationError(`\`model\` ${problem}`, {
    hint: 'Pass what a provider returns, such as openai("gpt-5"), or an id for the AI Gateway: "openai/gpt-5".',
  });
}

function fieldOf(value: unknown, name: string): unknown {
  return value === undefined || value === null ? undefined : Reflect.get(Object(value), name);
}
