import 'reflect-metadata';
import { MemorySaver } from '@langchain/langgraph';
import { createAiSdkHandler, createPeerTools } from '@molecule-ai/ai-sdk';
import type {
  FrameworkHandler,
  HandlerContext,
  InboundAnswer,
  InboundMessage,
  PeerClient,
} from '@molecule-ai/core';
import { createLangChainHandler, peersMiddleware } from '@molecule-ai/langchain';
import { MoleculeService, OnAnswer, OnMessage, OnPeerMessage } from '@molecule-ai/nestjs';
import { type ModelScript, PromptReader } from '@molecule-tests/harness';
import { ScriptedLanguageModel } from '@molecule-tests/harness/ai-sdk';
import { ScriptedChatModel } from '@molecule-tests/harness/langchain';
import { Inject, Injectable, NotFoundException, type OnModuleDestroy } from '@nestjs/common';
import { tool as aiTool } from 'ai';
import { type AgentMiddleware, createAgent, humanInTheLoopMiddleware, tool } from 'langchain';
import { expect } from 'vitest';
import { z } from 'zod';
import { openNestStage } from './harness/nest-stage.ts';
import { verifies } from './verifies.ts';

/** Like a database, it is closed when the application ends. */
@Injectable()
class Shop implements OnModuleDestroy {
  readonly sold: string[] = [];
  isOpen = true;

  sell(item: string): string {
    if (!this.isOpen) throw new Error('The shop is closed.');
    this.sold.push(item);
    return `Sold: ${item}.`;
  }

  onModuleDestroy(): void {
    this.isOpen = false;
  }
}

interface Mind {
  readonly script: ModelScript;
  /** A message that is being handled waits for it. */
  readonly gate: PromiseWithResolvers<void>;
  isWaiting: boolean;
}

/** Asks the peer, sells after an approval, fails once for a moment, and waits where it is asked to. */
function mindOf(peerId: () => string): Mind {
  let hasFailed = false;
  const mind: Mind = {
    gate: Promise.withResolvers(),
    isWaiting: false,
    script: async (messages) => {
      const reader = new PromptReader(messages);
      const { question } = reader;
      if (question.includes('Buy')) return reader.resultOf('sell') ?? { name: 'sell', args: { item: 'tea' } };
      const heard = reader.resultOf('call_peer');
      if (heard === undefined) return { name: 'call_peer', args: { peer_id: peerId(), text: 'How many?' } };
      if (question.includes('fail once') && !hasFailed) {
        hasFailed = true;
        throw Object.assign(new Error('overloaded'), { status: 529 });
      }
      if (question.includes('slow')) {
        mind.isWaiting = true;
        await mind.gate.promise;
      }
      return 'There are twelve left.';
    },
  };
  return mind;
}

type MakeHandler = (client: PeerClient, shop: Shop, script: ModelScript) => FrameworkHandler;

/** Its types do not fit `exactOptionalPropertyTypes`. */
const approvals = humanInTheLoopMiddleware as unknown as (options: unknown) => AgentMiddleware;

const langChain: MakeHandler = (client, shop, script) => {
  const sell = tool(({ item }) => shop.sell(item), { name: 'sell', schema: z.object({ item: z.string() }) });
  const agent = createAgent({
    model: new ScriptedChatModel(script),
    tools: [sell],
    middleware: [
      peersMiddleware(client, { only: ['call_peer'] }),
      approvals({ interruptOn: { sell: { allowedDecisions: ['approve', 'reject'] } } }),
    ],
    checkpointer: new MemorySaver(),
  });
  return createLangChainHandler(agent);
};

const aiSdk: MakeHandler = (client, shop, script) => {
  const inputSchema = z.object({ item: z.string() });
  const sell = aiTool({ inputSchema, needsApproval: true, execute: ({ item }) => shop.sell(item) });
  const tools = { ...createPeerTools(client, { only: ['call_peer'] }), sell };
  return createAiSdkHandler({ model: new ScriptedLanguageModel(script), tools });
};

async function runsBehindDecorators(make: MakeHandler): Promise<void> {
  const mind = mindOf(() => stock.id);
  @Injectable()
  class Clerk {
    private readonly handle: FrameworkHandler;

    constructor(@Inject(MoleculeService) molecule: MoleculeService, @Inject(Shop) shop: Shop) {
      this.handle = make(molecule.client, shop, mind.script);
    }

    @OnPeerMessage() answer(message: InboundMessage, context: HandlerContext) {
      if (message.text === 'refuse') throw new NotFoundException('There is no such thing');
      return this.handle(message, context);
    }

    @OnAnswer() answered(answer: InboundAnswer, context: HandlerContext) {
      return this.handle.onAnswer(answer, context);
    }

    @OnMessage() other() {
      return 'A message of a person.';
    }
  }
  const { start, peer, operator, settled, platform } = await openNestStage();
  const stock = await peer({ name: 'stock', answer: '12 left' });
  const { id, app } = await start({ providers: [Shop, Clerk] });
  const shop = app.get(Shop);
  const caller = await peer({ name: 'caller' });
  const send = (text: string) => caller.client.callPeer(id, text, { timeoutMs: 120_000 });

  // Streamed to whoever reads a stream.
  const stream = caller.client.streamPeer(id, 'How many?');
  const pieces: string[] = [];
  await settled(
    (async () => {
      for await (const piece of stream) pieces.push(piece);
    })(),
  );
  expect([pieces.length > 1, pieces.join('')]).toEqual([true, 'There are twelve left.']);

  // The run goes on after an error, and asks the peer no second time.
  expect((await settled(send('How many? (fail once)'))).text).toBe('There are twelve left.');
  expect(stock.received).toHaveLength(2);

  // The answer of the user of the canvas goes to the method that asked.
  const asking = await settled(send('Buy tea.'));
  expect([asking.status, shop.sold]).toEqual(['input-required', []]);
  const [question] = await settled(operator.listQuestions(id, { state: 'open' }));
  expect(question?.kind).toBe('approval');
  await settled(operator.answerQuestion(id, question?.id ?? '', { decision: 'approve' }));
  const bought = await settled(caller.client.waitForAnswer(asking.messageId));
  expect([bought.text, shop.sold]).toEqual(['Sold: tea.', ['tea']]);

  // An exception of Nest is final, beside the handler as without it.
  const refused = await settled(send('refuse'));
  expect([refused.status, refused.code]).toEqual(['failed', 'not_found']);

  // The application closes when the model has answered.
  const slow = send('slow');
  await platform.clock.advanceUntil(() => mind.isWaiting);
  const closing = app.close();
  expect(shop.isOpen).toBe(true);
  mind.gate.resolve();
  expect((await settled(slow)).text).toBe('There are twelve left.');
  await settled(closing);
  expect(shop.isOpen).toBe(false);
}

verifies('nestjs.frameworks', 'frameworks: langchain', () => runsBehindDecorators(langChain));

verifies('nestjs.frameworks', 'frameworks: ai sdk', () => runsBehindDecorators(aiSdk));
