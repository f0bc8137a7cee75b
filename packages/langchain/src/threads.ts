import { type BaseMessage, isBaseMessage, ToolMessage } from '@langchain/core/messages';
import type { RunnableConfig } from '@langchain/core/runnables';
import { ConfigurationError, currentMessage, type HandlerContext, MessageFailure } from '@molecule-ai/core';
import type { ToolCall } from '@molecule-ai/core/adapter-kit';
import type { PendingInterrupt } from './run-questions.ts';

/** How long a thread that waits for answers is kept waiting when other messages of its conversation come, in milliseconds. */
const WAITS_FOR_MS = 24 * 3_600_000;
/** The same for a run that failed, and is continued when its message is tried again. */
const RETRIED_FOR_MS = 15 * 60_000;
/** A call ends so much before the `timeout` of its config, which would abort it, in milliseconds. */
const BEFORE_TIMEOUT_MS = 2_000;
/** Shortest wait of a call, in milliseconds. */
const MIN_WAIT_MS = 2_000;
/** As LangGraph names the end of a graph, and the channel of what an interrupt is resumed with. */
const END = '__end__';
const RESUME = '__resume__';

/** In the config of a run, the thread in which the handler keeps it. Names that begin so are in no trace. */
const KEPT_THREAD = '__molecule_thread';

/** What is used of a graph of LangGraph. */
export interface Graph {
  readonly checkpointer?: unknown;
  readonly interruptBefore?: unknown;
  readonly interruptAfter?: unknown;
  getState(config: RunnableConfig): Promise<Snapshot>;
  getStateHistory(config: RunnableConfig): AsyncIterable<Snapshot>;
  updateState(config: RunnableConfig, values: null, asNode: string): Promise<unknown>;
}

interface Snapshot {
  readonly values?: unknown;
  readonly next?: readonly string[];
  readonly tasks?: readonly Task[];
  readonly config?: RunnableConfig;
  readonly metadata?: { readonly source?: unknown };
  readonly createdAt?: string;
}

interface Task {
  readonly error?: unknown;
  readonly interrupts?: readonly { readonly id?: string; readonly value?: unknown }[];
}

/** The state of a thread between two runs. */
export interface Thread {
  /** `''` for the conversation's own thread, else what follows its id. */
  readonly key: string;
  readonly config: RunnableConfig;
  readonly messages: readonly BaseMessage[];
  readonly values: unknown;
  /** What it waits for; `[]` when it does not. */
  readonly interrupts: readonly PendingInterrupt[];
  /** Whether a run of it stopped half-way. */
  readonly isUnfinished: boolean;
  /** The last checkpoint; `''` before the first. */
  readonly checkpointId: string;
  /** Unix time in milliseconds. */
  readonly changedAtMs: number;
}

/** The config of a run that a checkpointer keeps in its thread. */
export function keptIn(config: RunnableConfig): RunnableConfig {
  return {
    ...config,
    configurable: { ...config.configurable, [KEPT_THREAD]: config.configurable?.thread_id },
  };
}

/**
 * Where a step calls. A task of a graph has a name of its own, the same when the task is repeated or resumed, by which call ids that a model uses again
 * in a later step are distinguished. Without a checkpointer the next attempt gives tasks other names, so their calls are counted.
 */
export function placeOfCall({
  thread_id: threadId,
  checkpoint_ns: task,
  [KEPT_THREAD]: kept,
}: Readonly<Record<string, unknown>>): Pick<ToolCall, 'stepId' | 'callerId'> {
  if (currentMessage() === undefined || typeof task !== 'string' || task === '') return {};
  const isStored = kept !== undefined && kept === threadId;
  return isStored ? { stepId: JSON.stringify([threadId, task]) } : { callerId: task };
}

/** An id in the config of a run. */
export function idIn(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** How long a call waits that is aborted after so long, in milliseconds: it ends a little before. */
export function waitWithin(timeoutMs: number): number {
  return Math.max(MIN_WAIT_MS, Math.floor(timeoutMs) - BEFORE_TIMEOUT_MS);
}

/** @param config names the conversation's own thread */
export async function readThread(graph: Graph, config: RunnableConfig, key = ''): Promise<Thread> {
  const own = key === '' ? config : withConfigurable(config, `${config.configurable?.thread_id}:${key}`);
  return threadIn(graph, own, key, await graph.getState(own));
}

/** A thread as it was at one of its checkpoints. */
function threadIn(graph: Graph, config: RunnableConfig, key: string, snapshot: Snapshot): Thread {
  const { values, next = [], tasks = [], createdAt = '' } = snapshot;
  const id = checkpointIdOf(snapshot);
  const raised = tasks.flatMap(({ interrupts = [] }) =>
    interrupts.map((each) => ({ id: each.id ?? digitsOf(id), value: each.value, isStep: false })),
  );
  const isStep = raised.length === 0 && stops(graph) && next.length > 0 && !tasks.some(({ error }) => error);
  return {
    key,
    config,
    messages: messagesIn(values),
    values,
    interrupts: isStep ? [{ id: digitsOf(id), value: stepQuestion(next), isStep }] : raised,
    isUnfinished: tasks.length > 0 || next.length > 0,
    checkpointId: id,
    changedAtMs: Date.parse(createdAt),
  };
}

/**
 * The thread in which a message is handled: that of its conversation. While that one waits for answers, or for the next attempt of a message,
 * other messages get a thread beside it, which begins with the same history, so that they do not end its run. After a day, or a quarter of
 * an hour, they end it.
 */
async function threadFor(
  graph: Graph,
  config: RunnableConfig,
  nowMs: number,
): Promise<{ readonly thread: Thread; readonly history: readonly BaseMessage[] }> {
  let thread = await readThread(graph, config);
  let history: readonly BaseMessage[] = [];
  while (isKept(thread, nowMs)) {
    history = beforeOpenCalls(thread.messages);
    thread = await readThread(graph, config, thread.checkpointId);
  }
  return { thread, history: thread.checkpointId === '' ? history : [] };
}

/** Whether a run was resumed with a value for this interrupt, and may have read it. */
export async function wasResumed(graph: Graph, { config }: Thread, ids: readonly string[]): Promise<boolean> {
  const { pendingWrites = [] } = (await savedTuple(graph, config)) ?? {};
  return pendingWrites.some(([task, channel]) => channel === RESUME && ids.includes(task));
}

interface SavedTuple {
  readonly pendingWrites?: readonly (readonly [string, string, unknown])[];
  readonly checkpoint?: { readonly channel_versions?: Readonly<Record<string, unknown>> };
}

function savedTuple({ checkpointer }: Graph, config: RunnableConfig): Promise<SavedTuple | undefined> {
  return (checkpointer as { getTuple(of: RunnableConfig): Promise<SavedTuple | undefined> }).getTuple(config);
}

/** Ends what a thread waits for, so that its conversation can go on. */
export async function release(graph: Graph, { config }: Pick<Thread, 'config'>): Promise<void> {
  await graph.updateState(config, null, END);
}

function hasMessage({ messages }: Pick<Thread, 'messages'>, id: string): boolean {
  return messages.some((message) => message.id === id);
}

/** Results for tool calls that a run left without one: no model accepts a conversation with open calls. */
export function closeOpenCalls(messages: readonly BaseMessage[]): ToolMessage[] {
  const content = 'This call was not finished. Whether it had an effect is not known.';
  return openCalls(messages).map((id) => new ToolMessage({ tool_call_id: id, status: 'error', content }));
}

export function messagesIn(values: unknown): readonly BaseMessage[] {
  const messages: unknown = typeof values === 'object' && values !== null && Reflect.get(values, 'messages');
  return Array.isArray(messages) ? messages.filter((message) => isBaseMessage(message)) : [];
}

/** Whether the graph was compiled to wait before or after nodes. */
export function stops({ interruptBefore, interruptAfter }: Graph): boolean {
  return [interruptBefore, interruptAfter].some(
    (nodes) => nodes === '*' || (Array.isArray(nodes) && nodes.length > 0),
  );
}

/** What is to be done with the run of a message. */
export interface OwnRun {
  /** `begin` with new input; `continue` what stopped half-way, or waits, or is done; `finished`: take the output from the thread. */
  readonly todo: 'begin' | 'continue' | 'finished';
  readonly thread: Thread;
  /** The checkpoint before the run; `''` for none. */
  readonly startId: string;
  /** What comes before the message in a new thread. */
  readonly history: readonly BaseMessage[];
}

interface OwnRunOptions {
  readonly config: RunnableConfig;
  readonly context: Pick<HandlerContext, 'once'>;
  readonly messageId: string;
  /** Whether the state of the graph has the message; else the first input after the start is taken for that of the message. */
  readonly isInState: boolean;
}

/** Finds the run that an earlier attempt of a message began, or a thread for a new one. */
export async function ownRun(graph: Graph, options: OwnRunOptions): Promise<OwnRun> {
  let first: OwnRun | undefined;
  const begun = await options.context.once('langchain:thread', async () => {
    first = await newRun(graph, options);
    return `${first.thread.key}/${first.startId}`;
  });
  const [key = '', startId = ''] = begun.split('/');
  return first ?? earlierRun(graph, key, startId, options);
}

async function newRun(graph: Graph, { config }: OwnRunOptions): Promise<OwnRun> {
  const { thread, history } = await threadFor(graph, config, Date.now());
  return { todo: 'begin', thread, startId: thread.checkpointId, history };
}

async function earlierRun(
  graph: Graph,
  key: string,
  startId: string,
  options: OwnRunOptions,
): Promise<OwnRun> {
  const { config, messageId, isInState } = options;
  const thread = await readThread(graph, config, key);
  const known = { startId, history: [] };
  if (thread.checkpointId === startId) return { todo: 'begin', thread, ...known };
  const part = await partAfter(graph, thread, startId, (at) => !isInState || hasMessage(at, messageId));
  if (part === undefined) return newRun(graph, options);
  if (part.checkpointId === thread.checkpointId) return { todo: 'continue', thread, ...known };
  if (!part.isUnfinished) return { todo: 'finished', thread: part, ...known };
  // Something else ended the run. It is begun anew beside the thread, for this message alone.
  const beside = await readThread(graph, config, part.checkpointId);
  if (beside.checkpointId !== '') return earlierRun(graph, part.checkpointId, '', options);
  const at = part.messages.findIndex(({ id }) => id === messageId);
  return { todo: 'begin', thread: beside, startId: '', history: at === -1 ? [] : part.messages.slice(0, at) };
}

/**
 * The part of a thread that belongs to one message, as it was at its end: what was written after the checkpoint `startId`, up to the
 * next input. `undefined` when there is none.
 * @param isBegun whether it begins with an input, and is recognised by this
 */
export async function partAfter(
  graph: Graph,
  { config, key }: Thread,
  startId: string,
  isBegun?: (thread: Thread) => boolean,
): Promise<Thread | undefined> {
  let end: Thread | undefined;
  let own: Thread | undefined;
  let isOwn = false;
  // From the latest to the earliest.
  for await (const snapshot of graph.getStateHistory(config)) {
    if (startId !== '' && checkpointIdOf(snapshot) === startId) break;
    const thread = threadIn(graph, config, key, snapshot);
    end ??= thread;
    isOwn ||= isBegun?.(thread) ?? false;
    const source = snapshot.metadata?.source;
    if (source === 'loop') continue;
    if (isOwn && source === 'input') own = end;
    end = undefined;
    isOwn = false;
  }
  return isBegun === undefined ? end : own;
}

/** Whether the `structuredResponse` of a thread was there before the run that begins after this checkpoint. */
export async function hasOldData(graph: Graph, thread: Thread, startId: string): Promise<boolean> {
  if (startId === '' || !hasData(thread.values)) return false;
  const versionAt = async (checkpoint_id: string) => {
    const { config } = thread;
    const at = { ...config, configurable: { ...config.configurable, checkpoint_ns: '', checkpoint_id } };
    return (await savedTuple(graph, at))?.checkpoint?.channel_versions?.structuredResponse;
  };
  return (await versionAt(startId)) === (await versionAt(thread.checkpointId));
}

export function threadNotFound(): MessageFailure {
  return new MessageFailure('The agent has lost the work that this answer is for.', {
    code: 'thread_not_found',
    cause: new ConfigurationError(
      'The checkpointer has no checkpoint of the thread that asked. A MemorySaver loses its threads when the process ends.',
      { hint: 'Use a checkpointer that stores threads in a database, such as PostgresSaver or SqliteSaver.' },
    ),
  });
}

/** Whether an output has a `structuredResponse`. */
export function hasData(output: unknown): output is { readonly structuredResponse: object } {
  if (typeof output !== 'object' || output === null) return false;
  const data: unknown = Reflect.get(output, 'structuredResponse');
  return typeof data === 'object' && data !== null;
}

function withConfigurable(config: RunnableConfig, threadId: string): RunnableConfig {
  return { ...config, configurable: { ...config.configurable, thread_id: threadId } };
}

function digitsOf(checkpointId: string): string {
  return checkpointId.replaceAll('-', '').toLowerCase();
}

function stepQuestion(next: readonly string[]): unknown {
  return { kind: 'approval', text: `Continue with: ${next.join(', ')}?` };
}

function checkpointIdOf({ config }: Snapshot): string {
  const id: unknown = config?.configurable?.checkpoint_id;
  return typeof id === 'string' ? id : '';
}

function isKept({ interrupts, isUnfinished, changedAtMs }: Thread, nowMs: number): boolean {
  const keptMs = interrupts.length > 0 ? WAITS_FOR_MS : RETRIED_FOR_MS;
  return isUnfinished && !(nowMs - changedAtMs > keptMs);
}

function beforeOpenCalls(messages: readonly BaseMessage[]): readonly BaseMessage[] {
  return openCalls(messages).length === 0 ? messages : messages.slice(0, lastCaller(messages));
}

/** The ids of the tool calls of the last message that has some, when only their results follow it. */
function openCalls(messages: readonly BaseMessage[]): string[] {
  const at = lastCaller(messages);
  const later = messages.slice(at + 1);
  if (at === -1 || !later.every((message) => message.getType() === 'tool')) return [];
  const done = new Set(later.map((message) => Reflect.get(message, 'tool_call_id')));
  return callIdsOf(messages[at]).filter((id) => !done.has(id));
}

function lastCaller(messages: readonly BaseMessage[]): number {
  return messages.findLastIndex((message) => callIdsOf(message).length > 0);
}

function callIdsOf(message: BaseMessage | undefined): string[] {
  const calls: unknown = message?.getType() === 'ai' ? Reflect.get(message, 'tool_calls') : [];
  if (!Array.isArray(calls)) return [];
  return calls.flatMap(({ id }: { id?: unknown }) => (typeof id === 'string' ? [id] : []));
}
