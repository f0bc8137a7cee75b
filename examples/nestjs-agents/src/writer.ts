import { createAiSdkHandler, createPeerTools, MemoryConversationStore } from '@molecule-ai/ai-sdk';
import type {
  FrameworkHandler,
  HandlerContext,
  InboundAnswer,
  InboundMessage,
  RemoteAgentClient,
} from '@molecule-ai/core';
import { InjectMoleculeClient, OnAnswer, OnPeerMessage, OnUserMessage } from '@molecule-ai/nestjs';
import { Inject, Injectable, UseGuards } from '@nestjs/common';
import { type LanguageModel, tool } from 'ai';
import { z } from 'zod';
import { Archive } from './archive.ts';
import { LengthGuard } from './length-guard.ts';
import { LANGUAGE_MODEL } from './models.ts';

/** An agent of the AI SDK: asks its peers, and publishes an article when the user has approved it. */
@Injectable()
@UseGuards(LengthGuard)
export class Writer {
  private readonly handle: FrameworkHandler;

  constructor(
    @InjectMoleculeClient('writer') client: RemoteAgentClient,
    @Inject(LANGUAGE_MODEL) model: Exclude<LanguageModel, string>,
    archive: Archive,
  ) {
    const readArchive = tool({
      description: 'How many articles there are.',
      inputSchema: z.object({}),
      execute: () => archive.list().length,
    });
    const publishArticle = tool({
      description: 'Publishes an article for everybody. Only when the user asks for it.',
      inputSchema: z.object({ article: z.string().describe('The whole article') }),
      needsApproval: true,
      execute: ({ article }) => {
        archive.add(article);
        return 'Published.';
      },
    });
    const agent = {
      model,
      instructions: 'You are a writer. Ask your peers for facts.',
      tools: {
        ...createPeerTools(client, { only: ['list_peers', 'call_peer'] }),
        read_archive: readArchive,
        publish_article: publishArticle,
      },
    };
    // In production a store in a database: what waits for an approval must outlive the process.
    this.handle = createAiSdkHandler(agent, { store: new MemoryConversationStore() });
  }

  @OnPeerMessage({ agent: 'writer' })
  @OnUserMessage({ agent: 'writer' })
  write(message: InboundMessage, context: HandlerContext) {
    return this.handle(message, context);
  }

  /** Approvals, and late answers to tool calls. */
  @OnAnswer({ agent: 'writer' })
  answered(answer: InboundAnswer, context: HandlerContext) {
    return this.handle.onAnswer(answer, context);
  }
}
