import type { InboundAnswer, InboundMessage, QuestionToAsk } from '@molecule-ai/core';
import { describe, expect } from 'vitest';
import { textAt, trackCall } from './harness/http.ts';
import { inbox, onboard, send } from './harness/members.ts';
import { createTestAgent, DELIVERIES, startTestAgent, stopOnClock } from './harness/test-agent.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const colour: QuestionToAsk = { id: 'colour', kind: 'text', text: 'Which colour?', from: 'sender' };
const deploy: QuestionToAsk = {
  id: 'deploy',
  kind: 'approval',
  text: 'Deploy?',
  data: { version: 7 },
  from: 'user',
};

/** Asks before it does anything, and says what was answered. */
const asksFirst = (...questions: QuestionToAsk[]) => ({
  onMessage: () => ({ questions }),
  onAnswer: (answer: InboundAnswer) =>
    answer.kind === 'question' ? `done: ${answer.questions.map(({ id }) => id)}` : null,
});

onEachDatabase('questions of an agent', (environment) => {
  describe.each(DELIVERIES)('by $delivery', ({ delivery }) => {
    verifies(
      ['questions.agent', 'questions.client', 'questions.approval-by-people'],
      `by ${delivery}`,
      async () => {
        const messages: InboundMessage[] = [];
        const seen: InboundAnswer[] = [];
        const asks = asksFirst(colour, deploy);
        const handlers = {
          onMessage: (message: InboundMessage) => {
            messages.push(message);
            return asks.onMessage();
          },
          onAnswer: (answer: InboundAnswer) => {
            seen.push(answer);
            return asks.onAnswer(answer);
          },
        };
        const first = await startTestAgent(environment, { delivery, ...handlers });
        const { platform, member, until, untilAllAcknowledged, clock } = first;
        const peer = await onboard(platform);
        const held = trackCall(send(peer.caller, member.id, 'paint it', { hold: 60, messageId: 'm' }));
        await until(() => held.isComplete);
        await untilAllAcknowledged();
        const sender = environment.client(platform, peer, { connection: { clock } });
        const asked = await sender.getMessage('m');
        expect([asked.status, asked.text]).toEqual(['input-required', 'Which colour?\nDeploy?']);
        expect(asked.questions).toEqual([colour, deploy]);

        // The agent stops; another process goes on with its state.
        await stopOnClock(clock, first.agent);
        const operator = environment.operator(platform);
        expect(await operator.listQuestions(member.id, { state: 'open' })).toMatchObject([
          { id: 'deploy', data: { version: 7 }, messageId: 'm', state: 'open' },
          { id: 'colour', from: 'sender' },
        ]);
        await operator.answerQuestion(member.id, 'deploy', { decision: 'approve' });
        await expect(
          operator.answerQuestion(member.id, 'deploy', { decision: 'reject' }),
        ).rejects.toMatchObject({
          code: 'conflict',
          platformCode: 'question_closed',
        });
        await expect(operator.answerQuestion(member.id, 'none', { text: 'x' })).rejects.toMatchObject({
          code: 'not_found',
        });
        const second = createTestAgent(environment, platform, member, {
          delivery,
          ...handlers,
          client: { storage: { directory: first.stateDirectory } },
        });
        await second.agent.start();
        const answers = [{ questionId: 'colour', text: 'Blue' }];
        await sender.getPeers();
        const decided = [{ questionId: 'deploy', decision: 'approve', text: 'yes' }];
        await expect(sender.callPeer(member.id, 'Do it', { answers: decided })).rejects.toMatchObject({
          code: 'invalid_argument',
        });
        let status = '';
        const call = sender.callPeer(member.id, 'Blue, please', {
          answers,
          messageId: 'blue',
          // Longer than the manual time that a busy machine needs.
          timeoutMs: 300_000,
        });
        void call.then((reply) => {
          status = reply.status;
        });
        await second.until(() => status !== '');
        expect((await call).text).toBe('done: colour,deploy');
        expect((await call).contextId).toBe(asked.contextId);
        const { messageId, contextId, conversationId } = messages[0] ?? {};
        expect(messages).toHaveLength(1);
        const { from: _sender, ...askedColour } = colour;
        const { from: _user, ...askedDeploy } = deploy;
        expect(seen).toEqual([
          {
            kind: 'question',
            questions: [
              { ...askedColour, data: null, decision: null, answer: 'Blue', by: 'sender' },
              { ...askedDeploy, decision: 'approve', answer: '', by: 'operator' },
            ],
            original: { messageId, contextId, conversationId, text: 'paint it' },
            message: expect.objectContaining({ messageId: 'blue', conversationId }),
          },
        ]);
        expect((await sender.getMessage('m')).text).toBe('done: colour,deploy');
        expect((await inbox(peer)).map((row) => row.in_reply_to)).toEqual(['m']);
      },
    );

    verifies(['questions.reach-the-sender', 'agent.invalid-answer'], `by ${delivery}`, async () => {
      const approve = { kind: 'approval', text: 'Deploy?', from: 'user' } as const;
      const { agent, platform, member, handled, until } = await startTestAgent(environment, {
        delivery,
        onMessage: ({ text }) => ({
          text,
          questions: [text === 'same' ? { ...approve, id: 'one' } : approve, approve],
        }),
        onAnswer: () => 'done',
      });
      const operator = environment.operator(platform);
      const peer = await onboard(platform);
      const stateOf = async (id: string) =>
        textAt((await peer.caller.get(`/workspaces/${peer.id}/messages/${id}`)).body, 'state');
      for (const [text, messageId] of [
        ['fresh', 'm-1'],
        ['fresh', 'm-2'],
        ['same', 'm-3'],
      ] as const) {
        await send(peer.caller, member.id, text, { messageId });
        await until(async () => (await stateOf(messageId)) === 'input_required');
      }
      const ids = (await operator.listQuestions(member.id)).map(({ id }) => id);
      expect([ids.length, new Set(ids).size, ids.includes('one')]).toEqual([6, 6, true]);

      await send(peer.caller, member.id, 'same', { messageId: 'm-4' });
      await until(async () => (await stateOf('m-4')) === 'failed');
      const reply = await environment.client(platform, peer).getMessage('m-4');
      expect([reply.status, reply.code]).toEqual(['failed', 'invalid_answer']);
      expect(handled).toEqual(['fresh', 'fresh', 'same', 'same']);
      expect(await agent.listDeadLetters()).toMatchObject([{ errorCode: 'invalid_answer', attempts: 1 }]);
    });

    verifies('questions.agent', `a person, by ${delivery}`, async () => {
      const { platform, member, until } = await startTestAgent(environment, {
        delivery,
        ...asksFirst(deploy),
      });
      const operator = environment.operator(platform);
      const held = trackCall(send(platform.operator, member.id, 'ship it', { hold: 60, messageId: 'p' }));
      await until(() => held.isComplete);
      const [question] = await operator.listQuestions(member.id);
      await operator.answerQuestion(member.id, question?.id ?? '', { decision: 'reject', text: 'not today' });
      const stateOf = async () =>
        textAt((await platform.operator.get(`/workspaces/${member.id}/messages/p`)).body, 'state');
      await until(async () => (await stateOf()) === 'answered');
      expect((await operator.getMessage(member.id, 'p')).text).toBe('done: deploy');
    });
  });
});
