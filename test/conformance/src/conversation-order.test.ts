import { describe, expect } from 'vitest';
import { onboard, send } from './harness/members.ts';
import { createTestAgent, DELIVERIES, startTestAgent } from './harness/test-agent.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const COUNT = 20;
/** Of one conversation, in milliseconds: later messages are often quicker than earlier ones. */
const DURATIONS = [700, 0, 300, 50, 1_200, 10, 400];

onEachDatabase('conversations', (environment) => {
  describe.each(DELIVERIES)('by $delivery', ({ delivery }) => {
    verifies('delivery.order', async () => {
      const platform = await environment.platform({ clock: 'manual', server: { contractCheck: 'all' } });
      const [member, peer] = [await onboard(platform), await onboard(platform)];
      const { clock } = platform;
      const starts: string[] = [];
      const running = new Set<string>();
      let overlaps = 0;
      const { agent, until, untilAllAcknowledged } = createTestAgent(environment, platform, member, {
        delivery,
        concurrency: 8,
        onMessage: async ({ text }, { attempt }) => {
          const index = Number(text.split(' ')[1]);
          starts.push(`${text} #${attempt}`);
          const conversation = text.slice(0, 1);
          if (running.has(conversation)) overlaps += 1;
          running.add(conversation);
          await clock.sleep(DURATIONS[index % DURATIONS.length] ?? 0);
          running.delete(conversation);
          // Every fifth message fails twice, and waits 1 s and 4 s beside the others.
          if (index % 5 === 2 && attempt < 3) throw new Error('not yet');
          return `re: ${text}`;
        },
      });
      const texts = (conversation: string) =>
        Array.from({ length: COUNT }, (_, index) => `${conversation} ${index}`);
      const sendSome = async (from: number, to: number) => {
        for (let index = from; index < to; index += 1) {
          for (const contextId of ['a', 'b']) {
            const text = `${contextId} ${index}`;
            await send(peer.caller, member.id, text, { contextId, messageId: `${contextId}-${index}` });
          }
        }
      };
      // One half waits when the agent starts, the other half arrives while it works.
      await sendSome(0, COUNT / 2);
      await agent.start();
      await until(() => starts.length > 5);
      await sendSome(COUNT / 2, COUNT);
      await untilAllAcknowledged(600_000);
      expect(overlaps).toBe(0);
      for (const conversation of ['a', 'b']) {
        const own = starts.filter((start) => start.startsWith(conversation));
        const first = own.filter((start) => start.endsWith('#1')).map((start) => start.slice(0, -3));
        expect(first).toEqual(texts(conversation));
        for (const [index, text] of texts(conversation).entries()) {
          const attempts = own.filter((start) => start.startsWith(`${text} #`));
          const times = index % 5 === 2 ? 3 : 1;
          expect(attempts).toEqual(Array.from({ length: times }, (_, at) => `${text} #${at + 1}`));
        }
      }
      const sender = environment.client(platform, peer);
      const answers = await Promise.all(texts('a').map((_text, index) => sender.getMessage(`a-${index}`)));
      expect(answers.map(({ text }) => text)).toEqual(texts('a').map((text) => `re: ${text}`));
    });

    verifies('agent.conversations-in-parallel', 'conversations are independent', async () => {
      const { platform, member, handled, until } = await startTestAgent(environment, {
        delivery,
        concurrency: 3,
        onMessage: ({ text }, { signal }) => {
          if (text === 'poison') throw new Error('cannot');
          if (text !== 'hang') return `re: ${text}`;
          return new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason), { once: true });
          });
        },
      });
      const peer = await onboard(platform);
      const sender = environment.client(platform, peer);
      for (const [contextId, text] of [
        ['hanging', 'hang'],
        ['hanging', 'behind'],
        ['failing', 'poison'],
        ['third', 'one'],
        ['third', 'two'],
      ] as const) {
        await send(peer.caller, member.id, text, { contextId, messageId: text });
      }
      const isAnswered = async (id: string) => (await sender.getMessage(id)).status === 'answered';
      await until(async () => (await isAnswered('one')) && (await isAnswered('two')), 20_000);
      expect((await sender.getMessage('hang')).status).toBe('queued');
      expect((await sender.getMessage('poison')).status).toBe('queued');
      expect(handled).not.toContain('behind');
      await send(peer.caller, member.id, 'later', { contextId: 'third', messageId: 'later' });
      await until(() => isAnswered('later'), 20_000);
      // Only the conversation itself waits for a handler that hangs, and until that is ended.
      expect(handled).not.toContain('behind');
      await sender.cancelTask('hang');
      await until(() => isAnswered('behind'), 20_000);
    });
  });
});
