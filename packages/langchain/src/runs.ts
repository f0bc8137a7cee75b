import { type BaseMessage, isBaseMessage, isBaseMessageChunk } from '@langchain/core/messages';
import type { RunnableConfig } from '@langchain/core/runnables';
import {
  type AnswerContent,
  ConfigurationError,
  type HandlerAnswer,
  type JsonObject,
  MessageFailure,
  MoleculeError,
} from '@molecule-ai/core';
import type { StreamedAnswer, Turn } from '@molecule-ai/core/adapter-kit';
import { type Graph, hasData, messagesIn, stops } from './threads.ts';

/** The node of the model in an agent of LangChain, and the middleware by which it interrupts. */
const MODEL_NODE = 'model_request';
const ASKING_MIDDLEWARE = 'HumanInTheLoopMiddleware';
const END = '__end__';

/** What {@link createLangChainHandler} runs: an agent of LangChain, a graph of LangGraph, or any other runnable. */
export interface SomeRunnable {
  invoke(input: never, config: never): Promise<unknown>;
  stream(input: never, config: never): Promise<AsyncIterable<unknown>>;
}

interface Invokable {
  invoke(input: unknown, config: RunnableConfig): Promise<unknown>;
  stream(input: unknown, config: RunnableConfig & { streamMode?: string[] }): Promise<AsyncIterable<unknown>>;
}

type CompiledGraph = Graph & Invokable & { getGraph?(): { readonly edges: readonly Edge[] } };

interface Edge {
  readonly source: string;
  readonly target: string;
}

/** A target, by what can be done with it. */
export interface Target {
  readonly runnable: Invokable;
  /** Of an agent the graph in it. `undefined` for a runnable that is none. */
  readonly graph: CompiledGraph | undefined;
  /** Whether it is known to interrupt runs. */
  readonly interrupts: boolean;
  /** Whether its system prompt explains fences. */
  explainsFences(instructions: string): boolean;
  /** The nodes whose model may write the answer; all when `undefined`. */
  readonly answering: ReadonlySet<string> | undefined;
}

/** The options of an agent of LangChain, as far as they are used. */
interface AgentOptions {
  readonly systemPrompt?: unknown;
  readonly middleware?: readonly { readonly name?: unknown }[];
}

/** @throws ConfigurationError for what is not a runnable. */
export function targetOf(given: SomeRunnable): Target {
  if (!isInvokable(given)) throw notInvokable(given);
  const runnable = given as SomeRunnable & Invokable;
  const inner: unknown = Reflect.get(given, 'graph');
  const isAgent = isGraph(inner) && isGraph(given);
  const graph = isAgent ? inner : isGraph(given) ? given : undefined;
  const { systemPrompt, middleware = [] }: AgentOptions = (isAgent && Reflect.get(given, 'options')) || {};
  const names = new Set(middleware.map(({ name }) => name));
  const prompt = typeof systemPrompt === 'string' ? systemPrompt : JSON.stringify(systemPrompt ?? '');
  return {
    runnable,
    graph,
    interrupts: names.has(ASKING_MIDDLEWARE) || (graph !== undefined && stops(graph)),
    explainsFences: (instructions) => names.has('PeersMiddleware') || prompt.includes(instructions),
    answering: isAgent ? new Set([MODEL_NODE]) : graph && lastNodes(graph),
  };
}

function isInvokable(given: unknown): boolean {
  return ['invoke', 'stream'].every((name) => typeof Reflect.get(Object(given), name) === 'function');
}

function notInvokable(given: unknown): ConfigurationError {
  if (typeof Reflect.get(Object(given), 'compile') === 'function') {
    return new ConfigurationError('The graph is not compiled.', { hint: 'Pass what its compile() returns.' });
  }
  const kind = given === null ? 'null' : typeof given;
  return new ConfigurationError(
    `The target must be an agent, a compiled graph or another runnable, got ${kind}.`,
    {
      hint: 'Pass what createAgent() or compile() returned, a chain or a model; a function goes through RunnableLambda.from().',
    },
  );
}

/** The graph of a target that stores its runs. */
export function savingGraph({ graph }: Target): Graph | undefined {
  return typeof graph?.checkpointer === 'object' && graph.checkpointer !== null ? graph : undefined;
}

/** Only their models can write the last message. */
function lastNodes(graph: CompiledGraph): ReadonlySet<string> | undefined {
  const edges = graph.getGraph?.().edges ?? [];
  const last = edges.filter(({ target }) => target === END).map(({ source }) => source);
  return last.length === 0 ? undefined : new Set(last);
}

function isGraph(value: unknown): value is CompiledGraph {
  return typeof value === 'object' && value !== null && 'getState' in value && 'updateState' in value;
}

/** Resumes a run. LangGraph recognises a command by its name, also where the application has another copy of it than we would. */
export class ResumeCommand {
  readonly lg_name = 'Command';
  readonly resume: Readonly<Record<string, unknown>>;

  /** @param values by the ids of the interrupts */
  constructor(values: Readonly<Record<string, unknown>>) {
    this.resume = values;
  }

  toJSON(): { lg_name: string; resume: unknown } {
    return { lg_name: this.lg_name, resume: this.resume };
  }
}

/** What a run gave. */
export interface RunResult {
  readonly output: unknown;
  /** What of it was streamed. */
  readonly answer: StreamedAnswer;
}

/** Runs a target. The text of the answer is streamed when the sender reads a stream. @throws as `turn.run` */
export function run(target: Target, input: unknown, config: RunnableConfig, turn: Turn): Promise<RunResult> {
  // An agent of LangChain takes commands of its own copy of LangGraph only.
  const runnable =
    input instanceof ResumeCommand && target.graph !== undefined ? target.graph : target.runnable;
  return turn.run(async (answer) => ({
    answer,
    output: answer.isRead
      ? await runStreaming({ ...target, runnable }, input, config, answer)
      : await runnable.invoke(input, config),
  }));
}

async function runStreaming(
  { runnable, graph, answering }: Target,
  input: unknown,
  config: RunnableConfig,
  answer: StreamedAnswer,
): Promise<unknown> {
  let output: unknown;
  const piece = (chunk: unknown, id: unknown): Promise<void> =>
    answer.push(typeof chunk === 'string' ? chunk : isBaseMessage(chunk) ? chunk.text : '', id);
  if (graph === undefined) {
    for await (const chunk of await runnable.stream(input, config)) {
      if (isBaseMessageChunk(chunk) && chunk.getType() === 'human') {
        // Of a peer: its fence is complete at its end only.
        output = isBaseMessageChunk(output) ? output.concat(chunk as never) : chunk;
        continue;
      }
      await piece(chunk, undefined);
      output = chunk;
    }
  } else {
    const parts = await runnable.stream(input, { ...config, streamMode: ['messages', 'values'] });
    for await (const part of parts) {
      const [mode, data] = part as [string, unknown];
      if (mode === 'values') output = data;
      else {
        const [chunk, from] = data as [unknown, Readonly<Record<string, unknown>> | undefined];
        if (isFromModel(chunk) && isAnswering(from, answering)) await piece(chunk, chunk.id);
      }
    }
  }
  // LangGraph may end the stream of a model before its last words.
  const last = graph === undefined ? undefined : messagesIn(output).at(-1);
  await answer.end(last === undefined ? undefined : wordsOf(last));
  return graph === undefined && answer.lastSaid !== '' ? answer.lastSaid : output;
}

function isFromModel(chunk: unknown): chunk is BaseMessage {
  return isBaseMessage(chunk) && chunk.getType() === 'ai';
}

function isAnswering(
  from: Readonly<Record<string, unknown>> | undefined,
  answering: ReadonlySet<string> | undefined,
): boolean {
  const place = from?.langgraph_checkpoint_ns ?? from?.checkpoint_ns;
  const [outer = ''] = (typeof place === 'string' ? place : '').split(':');
  return answering === undefined || answering.has(outer === '' ? String(from?.langgraph_node) : outer);
}

/**
 * The answer in the output of a run.
 * @param isOld whether a `structuredResponse` is of an earlier run
 * @throws MoleculeError `invalid_answer`.
 */
export function answerIn({ output, answer }: RunResult, messageId: string, isOld: boolean): HandlerAnswer {
  const rest = (text: string) => answer.restOf(text);
  if (typeof output === 'string') return rest(output);
  if (isBaseMessage(output)) return rest(wordsOf(output));
  const last = messagesIn(output).at(-1);
  if (last === undefined) {
    throw new MoleculeError('The output of the runnable has no messages and is not a text.', {
      code: 'invalid_answer',
      hint: 'Set the option `output` of createLangChainHandler().',
    });
  }
  const text = last.id === messageId ? '' : rest(wordsOf(last));
  if (isOld || !hasData(output)) return text;
  const data = JSON.parse(JSON.stringify(output.structuredResponse)) as JsonObject;
  return {
    text,
    parts: [{ kind: 'data', data }],
  } satisfies AnswerContent;
}

/** Of a peer its words without the fence: they are for the sender, not for a model. */
function wordsOf(message: BaseMessage): string {
  const { text } = message;
  if (Reflect.get(message.response_metadata ?? {}, 'peer_reply') === undefined) return text;
  return text.replace(/^<peer-text-([0-9a-f]{32}) [^>]*>\n([\s\S]*)\n<\/peer-text-\1>(?=\n|$)/, '$2');
}

/** What is known of the errors of LangChain and LangGraph. */
export const ERRORS = { failureOf };

function failureOf(error: unknown): MessageFailure | undefined {
  switch (lcCodeOf(error)) {
    case 'GRAPH_RECURSION_LIMIT':
      return new MessageFailure('The agent did not come to an end within its number of steps.', {
        code: 'too_many_steps',
        cause: error,
      });
    case 'MISSING_CHECKPOINTER':
      return new MessageFailure('The agent cannot wait for an answer.', {
        code: 'no_checkpointer',
        cause: error,
      });
    default:
      return undefined;
  }
}

function lcCodeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null ? Reflect.get(error, 'lc_error_code') : undefined;
}
