import { boundaryMiddleware, createPeerTools } from '@molecule-ai/ai-sdk';
import type { ChatAgent } from '@molecule-ai/ai-sdk/chat';
import type { PeerClient } from '@molecule-ai/core';
import { ToolLoopAgent, tool, wrapLanguageModel } from 'ai';
import { z } from 'zod';

export interface AssistantOptions {
  readonly client: PeerClient;
  readonly model: Parameters<typeof wrapLanguageModel>[0]['model'];
  /** Called with each report that the user let through. */
  publish(report: string): void;
}

/** An agent that asks its peers, and publishes a report when the user has approved it. */
export function assistant({ client, model, publish }: AssistantOptions): ChatAgent {
  return new ToolLoopAgent({
    model: wrapLanguageModel({ model, middleware: boundaryMiddleware() }),
    instructions:
      'You help the release team. Ask your peers what you do not know, and say what they told you.',
    tools: {
      ...createPeerTools(client, { only: ['list_peers', 'call_peer'] }),
      publish_report: tool({
        description: 'Publishes a report for everybody. Only when the user asks for it.',
        inputSchema: z.object({ report: z.string().describe('The whole report') }),
        needsApproval: true,
        execute: ({ report }) => {
          publish(report);
          return 'Published.';
        },
      }),
    },
  });
}
