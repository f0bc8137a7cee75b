import {
  type HandlerContext,
  type InboundAnswer,
  type MessageHandler,
  messageForModel,
} from '@molecule-ai/core';
import { fenceForeignText, peerTools } from '@molecule-ai/core/adapter-kit';
import type { AdapterDriver, AgentSetup } from './adapter-driver.ts';
import {
  answerByLoop,
  createThreads,
  LOOP_WITHOUT,
  type LoopParts,
  restoreThreads,
  runByLoop,
  runPeerTool,
} from './hand-loop.ts';

const NO_MODEL = 'core has no models and no chains';

/** The tools of core in a loop by hand: what is left when an adapter has no framework. */
export const coreToolsDriver: AdapterDriver = {
  name: 'core-tools',
  without: {
    ...LOOP_WITHOUT,
    provider: NO_MODEL,
    'provider-cut': NO_MODEL,
    'provider-error': NO_MODEL,
    'provider-gateway': NO_MODEL,
    'provider-abort': NO_MODEL,
    'provider-queued': NO_MODEL,
    'provider-queued-error': NO_MODEL,
    middleware: 'fenceForeignText is called by the loop by hand where it needs it',
  },
  createMemory: createThreads,
  restoreMemory: restoreThreads,
  createHandler: (setup) => {
    const handle: MessageHandler = (message, context) => {
      const { id, conversationId } = message;
      const text = messageForModel(message, { sender: true });
      return answerByLoop(partsOf(setup), { id, conversationId, text }, context);
    };
    return Object.assign(handle, {
      onAnswer: ({ message }: InboundAnswer, context: HandlerContext) => handle(message, context),
    });
  },
  runAgent: (setup, text, run) => runByLoop(partsOf(setup), text, run),
  runStored: async (setup, text, { threadId }) => {
    await runByLoop(partsOf({ ...setup, memory: restoreThreads(setup.memory) }), text, { threadId });
  },
  runTool: async ({ client, name, args, timeoutMs, ...call }) => {
    const [tool] = peerTools(client, { only: [name], timeoutMs });
    return runPeerTool(tool, args, call);
  },
};

function partsOf(setup: AgentSetup): LoopParts {
  const { client, only, timeoutMs } = setup;
  return {
    setup,
    tools: peerTools(client, { ...(only === undefined ? {} : { only }), timeoutMs }),
    runOwn: async (tool) => fenceForeignText(await tool.run('')),
  };
}
