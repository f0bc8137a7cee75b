import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { MemorySaver } from '@langchain/langgraph';
import { createRemoteAgent, type RemoteAgent, type RemoteAgentClient } from '@molecule-ai/core';
import { createLangChainHandler, peersMiddleware } from '@molecule-ai/langchain';
import { createAgent, humanInTheLoopMiddleware, tool } from 'langchain';
import { z } from 'zod';

export interface ResearcherOptions {
  readonly client: RemoteAgentClient;
  readonly model: BaseChatModel;
  /** Called with each report that the user let through. */
  publish(report: string): void;
}

/** An agent that asks its peers, and publishes a report when the user has approved it. */
export function researcher({ client, model, publish }: ResearcherOptions): RemoteAgent {
  const publishReport = tool(
    ({ report }) => {
      publish(report);
      return 'Published.';
    },
    {
      name: 'publish_report',
      description: 'Publishes a report for everybody. Only when the user asks for it.',
      schema: z.object({ report: z.string().describe('The whole report') }),
    },
  );
  const agent = createAgent({
    model,
    systemPrompt: 'You are a researcher. Ask your peers what you do not know, and say what they told you.',
    tools: [publishReport],
    middleware: [
      peersMiddleware(client, { only: ['list_peers', 'call_peer'] }),
      humanInTheLoopMiddleware({
        interruptOn: {
          publish_report: { allowedDecisions: ['approve', 'reject'], description: 'May I publish this?' },
        },
      }),
    ],
    // In production a database: what waits for an approval must outlive the process.
    checkpointer: new MemorySaver(),
  });
  return createRemoteAgent({ client, onMessage: createLangChainHandler(agent) });
}
