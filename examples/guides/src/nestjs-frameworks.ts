// #region langchain
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
import { Inject, Injectable } from '@nestjs/common';
import { createAgent } from 'langchain';

/** A provider that runs an agent of LangChain. */
@Injectable()
export class Researcher {
  private readonly handle: FrameworkHandler;

  constructor(@InjectMoleculeClient() client: RemoteAgentClient, @Inject('MODEL') model: BaseChatModel) {
    const agent = createAgent({
      model,
      systemPrompt: 'You are a researcher.',
      middleware: [peersMiddleware(client)], // tools to find and ask peers
      checkpointer: new MemorySaver(), // remembers conversations; in production a database
    });
    this.handle = createLangChainHandler(agent);
  }

  @OnPeerMessage()
  @OnUserMessage()
  research(message: InboundMessage, context: HandlerContext) {
    return this.handle(message, context);
  }

  /** Approvals, and late answers to tool calls. */
  @OnAnswer()
  answered(answer: InboundAnswer, context: HandlerContext) {
    return this.handle.onAnswer(answer, context);
  }
}

// #endregion langchain

// #region ai-sdk
import { createAiSdkHandler, createPeerTools, MemoryConversationStore } from '@molecule-ai/ai-sdk';
import { Message, MessageContext, type MessagePeer, MoleculeService, Peer } from '@molecule-ai/nestjs';
import { Logger } from '@nestjs/common';
import type { LanguageModel } from 'ai';

/** One that runs an agent of the AI SDK, in a method with parameter decorators. */
@Injectable()
export class Writer {
  private readonly logger = new Logger(Writer.name);
  private readonly handle: FrameworkHandler;

  constructor(molecule: MoleculeService, @Inject('MODEL') model: Exclude<LanguageModel, string>) {
    const instructions = 'You are a writer.';
    const tools = createPeerTools(molecule.client);
    const store = new MemoryConversationStore(); // in production a database
    this.handle = createAiSdkHandler({ model, instructions, tools }, { store });
  }

  @OnPeerMessage()
  @OnUserMessage()
  write(
    @Message() message: InboundMessage,
    @MessageContext() context: HandlerContext,
    @Peer() peer: MessagePeer,
  ) {
    this.logger.log(`A message of ${peer.source}`);
    return this.handle(message, context);
  }

  /** Approvals, and late answers to tool calls. */
  @OnAnswer()
  answered(answer: InboundAnswer, context: HandlerContext) {
    return this.handle.onAnswer(answer, context);
  }
}
// #endregion ai-sdk
