import { peerTextInstructions } from '@molecule-ai/core';
import { fenceForeignText, inConversation } from '@molecule-ai/core/adapter-kit';
import { type Conversations, loopHandler, loopTools } from '@molecule-examples/adapter-by-hand';
import { Loop, type LoopMessage, type LoopTool, type Model } from '@molecule-examples/adapter-by-hand/loop';
import type { AdapterDriver, AgentSetup } from './adapter-driver.ts';
import { LOOP_WITHOUT } from './hand-loop.ts';
import { callsOf, piecesOf, type ScriptedModel } from './scripted-model.ts';

const NO_MODEL = 'the loop has no chains';
const {
  'approval-by-peer': _,
  'rejected-action': _rejected,
  'markers-in-answer': _markers,
  'hostile-answers-cut': _cut,
  'late-answer': _late,
  ...WITHOUT
} = LOOP_WITHOUT;

/** The adapter of the example, which is written with the kit alone. */
export const byHandDriver: AdapterDriver = {
  name: 'by-hand',
  without: {
    ...WITHOUT,
    provider: NO_MODEL,
    'provider-cut': NO_MODEL,
    'provider-error': NO_MODEL,
    'provider-gateway': NO_MODEL,
    'provider-abort': NO_MODEL,
    'provider-queued': NO_MODEL,
    'provider-queued-error': NO_MODEL,
    middleware: 'fenceForeignText is called by the driver where it needs it',
  },
  createMemory: () => new Map(),
  restoreMemory: restored,
  createHandler: (setup) => loopHandler(loopOf(setup), { conversations: setup.memory as Conversations }),
  runAgent: (setup, text, { threadId, signal = new AbortController().signal }) =>
    inConversation(threadId, async () => {
      const conversations = setup.memory as Conversations;
      const messages: LoopMessage[] = conversations.get(threadId) ?? [];
      conversations.set(threadId, messages);
      messages.push({ role: 'user', text });
      return loopOf(setup).run(messages, { runId: crypto.randomUUID(), signal, onText: () => {} });
    }),
  runStored: async (setup, text, { threadId }) => {
    await byHandDriver.runAgent({ ...setup, memory: restored(setup.memory) }, text, { threadId });
  },
  runTool: ({ client, name, args, timeoutMs, threadId = '', callId: id = '', signal, ...call }) =>
    inConversation(threadId, async () => {
      const [tool] = loopTools(client, { only: [name], timeoutMs });
      const never = new AbortController().signal;
      const result = await tool?.execute(args, { id, signal: signal ?? never, ...call });
      return { text: result?.text ?? '', isError: result?.isError === true, data: result?.data };
    }),
};

function restored(memory: unknown): Conversations {
  return new Map(JSON.parse(JSON.stringify([...(memory as Conversations)])));
}

function loopOf({ client, model, only, timeoutMs, ownTools = [], onProgress }: AgentSetup): Loop {
  const own = ownTools.map(
    ({ name, needsApproval = false, run }): LoopTool => ({
      name,
      description: `The ${name} tool.`,
      inputSchema: { type: 'object' },
      needsApproval,
      execute: async () => ({ text: fenceForeignText(await run('')) }),
    }),
  );
  const peers = loopTools(client, { ...(only === undefined ? {} : { only }), timeoutMs }).map(
    (tool): LoopTool => {
      return { ...tool, execute: (input, call) => tool.execute(input, { ...call, onProgress }) };
    },
  );
  return new Loop({
    model: modelOf(model),
    instructions: peerTextInstructions,
    tools: [...peers, ...own],
    maxSteps: 25,
  });
}

function modelOf(model: ScriptedModel): Model {
  return async function* ({ instructions, messages, tools }) {
    const prompt = messages.map(({ role, text, ...more }) => ({ role, text, more }));
    const offered = tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
    const turn = model.take({
      messages: [{ role: 'system', text: instructions }, ...prompt],
      tools: offered,
    });
    yield* piecesOf(turn);
    return callsOf(turn).map(({ id, name, args: input }) => ({ id, name, input }));
  };
}
