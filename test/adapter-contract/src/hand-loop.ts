import { type HandlerContext, MessageFailure, peerTextInstructions } from '@molecule-ai/core';
import type { PeerTool } from '@molecule-ai/core/adapter-kit';
import type { AgentSetup, OwnTool, ToolResult, ToolRun } from './adapter-driver.ts';
import { callsOf, type PromptMessage, piecesOf, type ScriptedToolCall } from './scripted-model.ts';

const MAX_STEPS = 25;

const NO_PAGES = 'core has no messages of pages';
const TRUSTED = 'the loop by hand trusts what it stored';
const AS_IT_IS = 'the loop by hand returns the words of the model as they are';
const ASKS = 'the loop by hand asks nothing: docs/questions.md shows how a handler does';

/** What no driver with this loop has. */
export const LOOP_WITHOUT = {
  'stored-history': 'core gives the rows of a conversation, not messages of a framework',
  'ui-storage': NO_PAGES,
  'ui-storage-edited': NO_PAGES,
  'older-chat': NO_PAGES,
  'preliminary-results': 'the loop by hand stores nothing before a tool has its result',
  'edited-result': TRUSTED,
  'edited-memory': TRUSTED,
  'markers-in-answer': AS_IT_IS,
  'hostile-answers-cut': AS_IT_IS,
  'approval-by-peer': ASKS,
  'rejected-action': ASKS,
  'two-questions': ASKS,
  'question-after-restart': ASKS,
  'answer-of-sender': ASKS,
  'late-answer': 'the loop has one thread for each conversation',
} as const;

interface StoredMessage extends PromptMessage {
  /** Of the message that it is; `''` for others. */
  readonly id: string;
  readonly calls: readonly Required<ScriptedToolCall>[];
}

type Threads = Map<string, StoredMessage[]>;

export function createThreads(): unknown {
  return new Map<string, StoredMessage[]>();
}

export function restoreThreads(memory: unknown): unknown {
  return new Map(JSON.parse(JSON.stringify([...(memory as Threads)])));
}

/** What a driver gives to the loop. */
export interface LoopParts {
  readonly setup: AgentSetup;
  readonly tools: readonly PeerTool[];
  /** Runs a tool of the application and fences what is marked in its result. */
  readonly runOwn: (tool: OwnTool) => Promise<string>;
}

interface RunOptions {
  readonly threadId: string;
  readonly runId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onText?: (delta: string) => Promise<void> | void;
}

/** A message that is handled. */
export interface LoopMessage {
  readonly id: string;
  readonly conversationId: string;
  /** As a model reads it. */
  readonly text: string;
}

/** Answers a message, also one that was handled in part before. */
export async function answerByLoop(
  parts: LoopParts,
  { id, conversationId, text }: LoopMessage,
  { signal, stream }: Pick<HandlerContext, 'signal' | 'stream'>,
): Promise<string> {
  const thread = threadOf(parts.setup, conversationId);
  if (!thread.some((each) => each.id === id)) thread.push({ role: 'user', text, id, calls: [] });
  try {
    return await runLoop(parts, thread, { threadId: conversationId, signal, onText: stream });
  } catch (cause) {
    signal.throwIfAborted();
    if (Object(cause).status >= 500) throw cause;
    throw new MessageFailure('The agent could not answer.', { code: 'model_failed', cause });
  }
}

/** One turn outside of a handler. */
export function runByLoop(
  parts: LoopParts,
  text: string,
  { threadId, signal }: { readonly threadId: string; readonly signal?: AbortSignal },
): Promise<string> {
  const thread = threadOf(parts.setup, threadId);
  thread.push({ role: 'user', text, id: '', calls: [] });
  return runLoop(parts, thread, { threadId, signal, runId: crypto.randomUUID() });
}

/** One call of a tool, without a model. */
export async function runPeerTool(
  tool: PeerTool | undefined,
  args: unknown,
  call: Pick<ToolRun, 'callId' | 'runId' | 'threadId' | 'signal' | 'onProgress'>,
): Promise<ToolResult> {
  const { forModel, data, isError } = await (tool as PeerTool).execute(args, call);
  return { text: forModel, data, isError };
}

function threadOf({ memory }: AgentSetup, id: string): StoredMessage[] {
  const threads = memory as Threads;
  const thread = threads.get(id) ?? [{ role: 'system', text: peerTextInstructions, id: '', calls: [] }];
  threads.set(id, thread);
  return thread;
}

async function runLoop(parts: LoopParts, thread: StoredMessage[], options: RunOptions): Promise<string> {
  const { setup, tools } = parts;
  const offered = tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const { calls = [] } = thread.at(-1) ?? {};
    // Those of a run that was interrupted are called again, with the same ids.
    thread.push(...(await Promise.all(calls.map((each) => resultOf(parts, each, options)))));
    options.signal?.throwIfAborted();
    const messages = thread.map(({ role, text, more }) => ({ role, text, more }));
    const turn = setup.model.take({ messages, tools: offered });
    let text = '';
    for await (const piece of piecesOf(turn)) {
      options.signal?.throwIfAborted();
      text += piece;
      await options.onText?.(piece);
    }
    thread.push({ role: 'assistant', text, more: turn.toolCalls, id: '', calls: callsOf(turn) });
    if (turn.toolCalls === undefined) return text;
  }
  throw new Error(`The model called tools ${MAX_STEPS} times.`);
}

async function resultOf(
  { setup: { onProgress, ownTools = [] }, tools, runOwn }: LoopParts,
  { name, args, id }: Required<ScriptedToolCall>,
  { threadId, runId, signal }: RunOptions,
): Promise<StoredMessage> {
  const own = ownTools.find((each) => each.name === name);
  const tool = tools.find((each) => each.name === name);
  const call = { callId: id, threadId, runId, signal, onProgress };
  const text =
    own !== undefined
      ? await runOwn(own)
      : tool === undefined
        ? 'Error: There is no tool with this name.'
        : (await tool.execute(args, call)).forModel;
  return { role: 'tool', text, more: { id, name }, id: '', calls: [] };
}
