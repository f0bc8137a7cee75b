import {
  MessageFailure,
  type MessageHandler,
  messageForModel,
  peerTextInstructions,
} from '@molecule-ai/core';
import { fenceMarkedText, type PeerTool, peerTools, runTool } from '@molecule-ai/core/tools';
import type { AdapterDriver, AgentSetup } from './adapter-driver.ts';
import { callsOf, type PromptMessage, piecesOf, type ScriptedToolCall } from './scripted-model.ts';

const MAX_STEPS = 25;

interface StoredMessage extends PromptMessage {
  /** Of the message that it is; `''` for others. */
  readonly id: string;
  readonly calls: readonly Required<ScriptedToolCall>[];
}

type Threads = Map<string, StoredMessage[]>;

interface RunOptions {
  readonly threadId: string;
  readonly runId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onText?: (delta: string) => Promise<void> | void;
}

const NO_MODEL = 'core has no models and no chains';
const NO_PAGES = 'core has no messages of pages';
const TRUSTED = 'the loop by hand trusts what it stored';
const AS_IT_IS = 'the loop by hand returns the words of the model as they are';
const ASKS = 'the loop by hand asks nothing: docs/questions.md shows how a handler does';

/** The tools of core in a loop by hand: what is left when an adapter has no framework. */
export const coreToolsDriver: AdapterDriver = {
  name: 'core-tools',
  without: {
    provider: NO_MODEL,
    'provider-cut': NO_MODEL,
    'provider-error': NO_MODEL,
    'provider-gateway': NO_MODEL,
    'provider-abort': NO_MODEL,
    'provider-as-message': NO_MODEL,
    'provider-queued': NO_MODEL,
    'provider-queued-error': NO_MODEL,
    'stored-history': 'core gives the rows of a conversation, not messages of a framework',
    'ui-storage': NO_PAGES,
    'ui-storage-edited': NO_PAGES,
    'older-chat': NO_PAGES,
    'preliminary-results': 'the loop by hand stores nothing before a tool has its result',
    middleware: 'fenceMarkedText is called by the loop by hand where it needs it',
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
  },
  createMemory: () => new Map<string, StoredMessage[]>(),
  restoreMemory: (memory) => new Map(JSON.parse(JSON.stringify([...(memory as Threads)]))),
  createHandler: (setup): MessageHandler => {
    return async (message, { signal, stream }) => {
      const thread = threadOf(setup, message.conversationId);
      if (!thread.some(({ id }) => id === message.id)) {
        thread.push({
          role: 'user',
          text: messageForModel(message, { sender: true }),
          id: message.id,
          calls: [],
        });
      }
      try {
        return await runLoop(setup, thread, { threadId: message.conversationId, signal, onText: stream });
      } catch (cause) {
        signal.throwIfAborted();
        if (Object(cause).status >= 500) throw cause;
        throw new MessageFailure('The agent could not answer.', { code: 'model_failed', cause });
      }
    };
  },
  runAgent: (setup, text, { threadId, signal }) => {
    const thread = threadOf(setup, threadId);
    thread.push({ role: 'user', text, id: '', calls: [] });
    return runLoop(setup, thread, { threadId, signal, runId: crypto.randomUUID() });
  },
  runStored: async (setup, text, { threadId }) => {
    const memory = coreToolsDriver.restoreMemory(setup.memory);
    await coreToolsDriver.runAgent({ ...setup, memory }, text, { threadId });
  },
  runTool: async ({ client, name, args, timeoutMs, ...call }) => {
    const [tool] = peerTools(client, { only: [name], timeoutMs });
    const { forModel, data, isError } = await run(tool as PeerTool, args, call);
    return { text: forModel, data, isError };
  },
};

function threadOf({ memory }: AgentSetup, id: string): StoredMessage[] {
  const threads = memory as Threads;
  const thread = threads.get(id) ?? [{ role: 'system', text: peerTextInstructions, id: '', calls: [] }];
  threads.set(id, thread);
  return thread;
}

async function runLoop(setup: AgentSetup, thread: StoredMessage[], options: RunOptions): Promise<string> {
  const { client, model, only, timeoutMs } = setup;
  const tools: readonly PeerTool[] = peerTools(client, {
    ...(only === undefined ? {} : { only }),
    timeoutMs,
  });
  const offered = tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const { calls = [] } = thread.at(-1) ?? {};
    // Those of a run that was interrupted are called again, with the same ids.
    thread.push(...(await Promise.all(calls.map((each) => resultOf(setup, tools, each, options)))));
    options.signal?.throwIfAborted();
    const messages = thread.map(({ role, text, more }) => ({ role, text, more }));
    const turn = model.take({ messages, tools: offered });
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
  { onProgress, ownTools = [] }: AgentSetup,
  tools: readonly PeerTool[],
  { name, args, id }: Required<ScriptedToolCall>,
  { threadId, runId, signal }: RunOptions,
): Promise<StoredMessage> {
  const own = ownTools.find((each) => each.name === name);
  const tool = tools.find((each) => each.name === name);
  const call = { callId: id, threadId, runId, signal, onProgress };
  const text =
    own !== undefined
      ? fenceMarkedText(await own.run(''))
      : tool === undefined
        ? 'Error: There is no tool with this name.'
        : (await run(tool, args, call)).forModel;
  return { role: 'tool', text, more: { id, name }, id: '', calls: [] };
}

/** Of any tool: which one it is does not matter here. */
function run(tool: PeerTool, args: unknown, call: Parameters<typeof runTool>[2]) {
  return runTool(tool as Parameters<typeof runTool>[0], args, call);
}
