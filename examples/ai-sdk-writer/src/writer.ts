import { createAiSdkHandler, createMolecule, createPeerTools } from '@molecule-ai/ai-sdk';
import {
  createRemoteAgent,
  fencePeerText,
  type RemoteAgent,
  type RemoteAgentClient,
} from '@molecule-ai/core';
import { generateText, type LanguageModel, tool } from 'ai';
import { z } from 'zod';

export interface WriterOptions {
  readonly client: RemoteAgentClient;
  readonly model: Exclude<LanguageModel, string>;
  /** The id of the peer that reads what it writes. */
  readonly editorId: string;
  /** Called with each article that the user let through. */
  publish(article: string): void;
}

/** An agent that writes with its peers, and publishes an article when the user has approved it. */
export function writer({ client, model, editorId, publish }: WriterOptions): RemoteAgent {
  const molecule = createMolecule({ client });
  const proofread = tool({
    description: 'Has the editor correct a text.',
    inputSchema: z.object({ draft: z.string() }),
    execute: async ({ draft }, { abortSignal = new AbortController().signal }) => {
      // The editor is a language model, wherever the AI SDK takes one.
      const { text } = await generateText({ model: molecule(editorId), prompt: draft, abortSignal });
      // The model reads it in a fence. One that named the editor could be written by anybody, and would be fenced again.
      return fencePeerText(text, { origin: 'unknown' });
    },
  });
  const publishArticle = tool({
    description: 'Publishes an article for everybody. Only when the user asks for it.',
    inputSchema: z.object({ article: z.string().describe('The whole article') }),
    needsApproval: true,
    execute: ({ article }) => {
      publish(article);
      return 'Published.';
    },
  });
  const onMessage = createAiSdkHandler({
    model,
    instructions: 'You are a writer. Ask your peers for facts, and have the editor read what you write.',
    tools: {
      ...createPeerTools(client, { only: ['list_peers', 'call_peer'] }),
      proofread,
      publish_article: publishArticle,
    },
  });
  return createRemoteAgent({ client, onMessage });
}
