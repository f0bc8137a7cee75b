import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { MemorySaver } from '@langchain/langgraph';
import type {
  FrameworkHandler,
  HandlerContext,
  InboundAnswer,
  InboundMessage,
  RemoteAgentClient,
} from '@molecule-ai/core';
import { createLangChainHandler, peersMiddleware } from '@molecule-ai/langchain';
import { InjectMoleculeClient, OnAnswer, OnPeerMessage, OnUserMessage } from '@molecule-ai/nestjs';
import { Inject, Injectable, UseGuards } from '@nestjs/common';
import { createAgent, humanInTheLoopMiddleware, tool } from 'langchain';
import { z } from 'zod';
import { Archive } from './archive.ts';
import { LengthGuard } from './length-guard.ts';
import { CHAT_MODEL } from './models.ts';

/** An agent of LangChain: asks its peers, and publishes a report when the user has approved it. */
@Injectable()
@UseGuards(LengthGuard)
export class Researcher {
  private readonly handle: FrameworkHandler;

  constructor(
    @InjectMoleculeClient('researcher') client: RemoteAgentClient,
    @Inject(CHAT_MODEL) model: BaseChatModel,
    archive: Archive,
  ) {
    const publishReport = tool(
      ({ report }) => {
        archive.add(report);
        return 'Published.';
      },
      {
        name: 'publish_report',
        description: 'Publishes a report for everybody. Only when somebody asks for it.',
        schema: z.object({ report: z.string().describe('The whole report') }),
      },
    );
    const agent = createAgent({
      model,
      systemPrompt: 'You are a researcher. Ask your peers what you do not know, and say what they found.',
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
    this.handle = createLangChainHandler(agent);
  }

  /** Each conversation is a thread, with whomever it is. */
  @OnPeerMessage({ agent: 'researcher' })
  @OnUserMessage({ agent: 'researcher' })
  research(message: InboundMessage, context: HandlerContext) {
    return this.handle(message, context);
  }

  /** Approvals, and late answers to tool calls. */
  @OnAnswer({ agent: 'researcher' })
  answered(answer: InboundAnswer, context: HandlerContext) {
    return this.handle.onAnswer(answer, context);
  }
}
