import type { BaseMessage } from '@langchain/core/messages';
import type { RunnableConfig } from '@langchain/core/runnables';
import { ConfigurationError, type HandlerContext, MessageFailure } from '@molecule-ai/core';
import { hasData } from './runs.ts';
import {
  checkpointIdOf,
  type Graph,
  hasMessage,
  readThread,
  type SavedTuple,
  type Thread,
  threadFor,
  threadIn,
} from './threads.ts';

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
  const saver = graph.checkpointer as { getTuple(config: RunnableConfig): Promise<SavedTuple | undefined> };
  const versionAt = async (checkpoint_id: string) => {
    const { config } = thread;
    const at = { ...config, configurable: { ...config.configurable, checkpoint_ns: '', checkpoint_id } };
    return (await saver.getTuple(at))?.checkpoint?.channel_versions?.structuredResponse;
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
