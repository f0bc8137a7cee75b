import { boundaryMiddleware, createAiSdkHandler, createMolecule, createPeerTools } from '@molecule-ai/ai-sdk';
import { fencePeerText } from '@molecule-ai/core';
import { inConversation } from '@molecule-ai/core/adapter-kit';
import {
  convertToModelMessages,
  generateText,
  jsonSchema,
  type ModelMessage,
  stepCountIs,
  streamText,
  ToolLoopAgent,
  type ToolSet,
  tool,
  type UserModelMessage,
  wrapLanguageModel,
} from 'ai';
import type { AdapterDriver, AgentSetup, OwnTool, ProviderRun, ToolRun } from './adapter-driver.ts';
import { olderChats, pageOf, storedPage } from './ai-sdk-chats.ts';
import { AiSdkMemory } from './ai-sdk-memory.ts';
import { AiSdkModel, textOfOutput } from './ai-sdk-model.ts';
import { promptsWith } from './ai-sdk-prompts.ts';
import { calling, ScriptedModel } from './scripted-model.ts';

const ASKS = 'tools of the AI SDK ask for approvals only';

/** Agents of the AI SDK around a model with the middleware, with a store of conversations as memory. */
export const aiSdkDriver: AdapterDriver = {
  name: 'ai-sdk',
  without: {
    'provider-queued': 'an answer that is not there in time is an error of the model: provider-queued-error',
    'stored-history': 'a conversation is in the store of the handler: edited-memory',
    'answer-of-sender': ASKS,
    'two-questions': ASKS,
  },
  createMemory: () => new AiSdkMemory(),
  restoreMemory: (memory, edit) => (memory as AiSdkMemory).restored(edit),
  createHandler: (setup) => createAiSdkHandler(agentOf(setup), { store: setup.memory as AiSdkMemory }),
  runAgent: async (setup, text, { threadId, signal }) => {
    const memory = setup.memory as AiSdkMemory;
    const messages = [...((await memory.load(threadId)) ?? []), userMessage(text)];
    const result = await inConversation(threadId, () =>
      agentOf(setup).generate({ messages, ...abortBy(signal) }),
    );
    signal?.throwIfAborted();
    await memory.save(threadId, [...messages, ...(await messagesOf(result))]);
    return result.text;
  },
  runStored: async (setup, text, { threadId, edit }) => {
    const memory = (setup.memory as AiSdkMemory).restored(edit);
    await aiSdkDriver.runAgent({ ...setup, memory }, text, { threadId });
  },
  runTool: (run) => inConversation(run.threadId ?? crypto.randomUUID(), () => runTool(run)),
  askProvider: async ({ model, passedOn = 'messages', ...run }) => {
    const { text, messages } = await answerOf(run);
    run.signal?.throwIfAborted();
    await generateText({ model: guarded(model), messages: [userMessage(run.text), ...messages] });
    // A text alone does not say that a peer wrote it: who passes it on fences it.
    const fenced = fencePeerText(text, { origin: run.peerId });
    if (passedOn === 'both') await generateText({ model: guarded(model), messages: [userMessage(fenced)] });
  },
  chat: async (setup, { texts, threadId, isClosedEarly, edits = [(stored) => stored] }) => {
    const [first, then] = texts;
    const tools = toolsOf(setup);
    const page = await inConversation(threadId, () => pageOf(agentOf(setup), first, isClosedEarly));
    for (const edit of edits) {
      const messages = await storedPage(edit(JSON.stringify(page)), then);
      for (const options of [{ tools }, {}]) {
        await agentOf(setup).generate({ messages: await convertToModelMessages(messages, options) });
      }
    }
  },
  olderChats,
  promptParts: async ({ model, text }) => {
    for (const messages of promptsWith(text)) await generateText({ model: guarded(model), messages });
  },
};

function agentOf(setup: AgentSetup) {
  return new ToolLoopAgent({ model: guarded(setup.model), tools: toolsOf(setup) });
}

function toolsOf({ client, only, timeoutMs, ownTools = [] }: AgentSetup): ToolSet {
  const peerTools = createPeerTools(client, { ...(only === undefined ? {} : { only }), timeoutMs });
  return { ...peerTools, ...Object.fromEntries(ownTools.map((own) => [own.name, asTool(own)])) };
}

function asTool({ name, needsApproval = false, run }: OwnTool) {
  const inputSchema = jsonSchema<object>({ type: 'object', properties: {} });
  return tool({ description: `The ${name} tool.`, inputSchema, needsApproval, execute: () => run('') });
}

/** What an application does with each of its models. */
function guarded(model: ScriptedModel) {
  return wrapLanguageModel({ model: new AiSdkModel(model), middleware: boundaryMiddleware() });
}

/** One turn of a model that calls the tool and is not called again. */
async function runTool({ client, name, args, timeoutMs, callId, runId, signal, onProgress }: ToolRun) {
  const model = new ScriptedModel();
  model.script(calling(name, args as Readonly<Record<string, unknown>>, callId));
  const result = streamText({
    model: new AiSdkModel(model),
    tools: createPeerTools(client, { only: [name], timeoutMs }) as ToolSet,
    messages: [userMessage(runId ?? crypto.randomUUID())],
    stopWhen: stepCountIs(1),
    onError: () => {},
    ...abortBy(signal),
  });
  let output: { readonly data: { readonly text?: unknown }; readonly isError: boolean } | undefined;
  let seen = '';
  for await (const part of result.fullStream) {
    if (part.type === 'error' || part.type === 'tool-error') throw part.error;
    if (part.type !== 'tool-result') continue;
    output = part.output as NonNullable<typeof output>;
    const { text } = output.data;
    if (output.isError || typeof text !== 'string' || !text.startsWith(seen)) continue;
    if (text !== seen) onProgress?.(text.slice(seen.length));
    seen = text;
  }
  // A run that was aborted ends like any other.
  signal?.throwIfAborted();
  const last = (await messagesOf(result)).at(-1);
  const [part] = last?.role === 'tool' ? last.content : [];
  if (output === undefined || part?.type !== 'tool-result') throw new Error('The tool returned nothing.');
  return { text: textOfOutput(part.output), isError: output.isError, data: output.data };
}

async function answerOf({
  client,
  peerId,
  text,
  isStreamed,
  isRetried,
  timeoutMs,
  signal,
}: Omit<ProviderRun, 'model'>) {
  const molecule = createMolecule({ client, timeoutMs });
  const call = { model: molecule(peerId), prompt: text, maxRetries: isRetried ? 2 : 0, ...abortBy(signal) };
  if (!isStreamed) {
    const result = await generateText(call);
    return { text: result.text, messages: await messagesOf(result) };
  }
  const result = streamText({ ...call, onError: () => {} });
  for await (const part of result.fullStream) if (part.type === 'error') throw part.error;
  signal?.throwIfAborted();
  return { text: await result.text, messages: await messagesOf(result) };
}

/** All messages that a run made. In version 7, `response` is that of the last step. */
async function messagesOf(result: {
  readonly response: PromiseLike<Made> | Made;
  readonly responseMessages?: PromiseLike<readonly ModelMessage[]> | readonly ModelMessage[];
}): Promise<readonly ModelMessage[]> {
  return (await result.responseMessages) ?? (await result.response).messages;
}

interface Made {
  readonly messages: readonly ModelMessage[];
}

function userMessage(content: string): UserModelMessage {
  return { role: 'user', content };
}

function abortBy(abortSignal: AbortSignal | undefined) {
  return abortSignal === undefined ? {} : { abortSignal };
}
