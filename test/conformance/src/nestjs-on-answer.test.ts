import type { AnswerContent, HandlerContext, InboundAnswer, InboundMessage } from '@molecule-ai/core';
import {
  Answer,
  Message,
  MessageText,
  OnAnswer,
  OnMessage,
  OnPeerMessage,
  OnTask,
} from '@molecule-ai/nestjs';
import { type CanActivate, type ExecutionContext, Injectable, UseGuards } from '@nestjs/common';
import { expect } from 'vitest';
import { openNestStage } from './harness/nest-stage.ts';
import { verifies } from './verifies.ts';

verifies('nestjs.answers.handlers', async () => {
  const seen: string[] = [];
  class Guard implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      const [message] = context.getArgs<[InboundMessage]>();
      seen.push(`guard: ${message.text.split('\n')[0]}`);
      return true;
    }
  }
  @Injectable()
  @UseGuards(Guard)
  class Desk {
    @OnTask('delegate_task') deploy(): AnswerContent {
      return { questions: [{ kind: 'approval', text: 'Deploy?', from: 'user', data: { version: 7 } }] };
    }

    @OnPeerMessage() order(@MessageText() text: string): string {
      seen.push(`order: ${text}`);
      return 'reserved';
    }

    @OnMessage() async ask(_message: InboundMessage, { client }: HandlerContext): Promise<string> {
      await client.sendToPeer(lab.id, 'How many?', { messageId: 'asked' });
      return 'asked';
    }

    @OnAnswer({ kind: 'question' }) decided(answer: InboundAnswer, context: HandlerContext): string | null {
      if (answer.kind === 'late') return null;
      const [approval] = answer.questions;
      return `${approval?.decision} ${JSON.stringify(approval?.data)} in attempt ${context.attempt}`;
    }

    @OnAnswer({ kind: 'late' })
    later(@Answer() answer: InboundAnswer, @MessageText() text: string, @Message() message: InboundMessage) {
      seen.push(`late: ${text} ${answer.original.messageId} ${message.peerId === lab.id}`);
    }
  }
  const { start, peer, operator, settled, end, delegate, platform } = await openNestStage({
    server: { contractCheck: 'responses' },
  });
  const lab = await peer({ answer: '990' });
  const { id } = await start({ providers: [Desk] });
  const asked = await delegate(id, { task: 'deploy' });
  expect(asked.status).toBe('input-required');
  const [question] = await settled(operator.listQuestions(id, { state: 'open' }));
  await settled(operator.answerQuestion(id, question?.id ?? '', { decision: 'approve' }));
  const answered = await end(id, operator.waitForAnswer(id, asked.messageId));
  expect(answered.text).toBe('approve {"version":7} in attempt 1');

  expect((await end(id, operator.sendMessage(id, 'go'))).text).toBe('asked');
  await platform.clock.advanceUntil(() => seen.some((line) => line.startsWith('late')));
  expect(seen.filter((line) => !line.startsWith('guard'))).toEqual(['late: 990 asked true']);
  // Enhancers run for answers as for messages.
  expect(seen).toContain('guard: go');
  expect(seen.filter((line) => line.startsWith('guard'))).toHaveLength(4);
});

verifies('nestjs.answers.handlers', 'an application that asks without a method for the answers', async () => {
  @Injectable()
  class Desk {
    @OnMessage() ask(): AnswerContent {
      return { questions: [{ kind: 'approval', text: 'Deploy?', from: 'user' }] };
    }

    @OnAnswer({ kind: 'late' }) later(): void {}
  }
  const { start, operator, end } = await openNestStage();
  const { id, agent } = await start({ providers: [Desk] });
  const reply = await end(id, operator.sendMessage(id, 'go'));
  expect([reply.status, reply.code]).toEqual(['failed', 'configuration_invalid']);
  expect(await agent.listDeadLetters()).toMatchObject([{ attempts: 1 }]);
  expect(() => OnAnswer({ kind: 'soon' as never })).toThrow(/'question' or 'late'/);
});
