import { describe, expect } from 'vitest';
import { DELIVERIES, prepareAgent, startAgentWorld, stopOnClock } from './harness/agent-world.ts';
import { onEachDatabase } from './harness/each-database.ts';
import { settling, textAt, valueAt } from './harness/http.ts';
import { createMember, inbox, inboxTexts, onboard, send } from './harness/members.ts';
import { startLoop } from './harness/started-loop.ts';
import { verifies } from './verifies.ts';

/** A promise and the function that fulfils it. */
function gate(): { readonly open: () => void; readonly opened: Promise<void> } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

onEachDatabase('delivery', (site) => {
  describe.each(DELIVERIES)('by $delivery', ({ delivery }) => {
    verifies('delivery.answers-find-their-callers', async () => {
      const { platform, member, until } = await startAgentWorld(site, { delivery });
      const peer = await onboard(platform);
      const calls = [
        settling(send(peer.caller, member.id, 'from a peer', { hold: 60 })),
        settling(send(platform.operator, member.id, 'from a person', { hold: 60 })),
      ];
      await until(() => calls.every((call) => call.settled));
      const [toPeer, toPerson] = await Promise.all(calls.map((call) => call.answer));
      expect(toPeer?.status).toBe(200);
      expect(toPeer?.text).toContain('echo: from a peer');
      expect(toPerson?.status).toBe(200);
      expect(textAt(toPerson?.body, 'result', 'parts', 0, 'text')).toBe('echo: from a person');
      const history = await platform.operator.get(`/workspaces/${member.id}/activity?direction=out`);
      expect(history.body).toMatchObject([{ method: 'notify', data: { text: 'echo: from a person' } }]);
      expect(await inbox(peer)).toEqual([]);
    });

    verifies(
      ['delivery.order', 'delivery.each-answer-to-its-own', 'delivery.acknowledges-what-is-finished'],
      async () => {
        const { platform, member, handled, until, pending } = await startAgentWorld(site, { delivery });
        const peer = await onboard(platform);
        const texts = Array.from({ length: 25 }, (_, index) => `message ${index}`);
        for (const text of texts)
          await send(peer.caller, member.id, text, { messageId: text.replace(' ', '-') });
        await until(async () => (await pending()) === 0);
        expect(handled).toEqual(texts);
        for (const text of texts) {
          const record = await peer.caller.get(`/workspaces/${peer.id}/messages/${text.replace(' ', '-')}`);
          expect(record.body).toMatchObject({ state: 'answered' });
          expect(record.text).toContain(`echo: ${text}[`);
        }
        expect(await inbox(peer)).toHaveLength(texts.length);
      },
    );

    verifies('delivery.holds-the-position-for-the-slow', async () => {
      const slow = gate();
      const first = await startAgentWorld(site, {
        delivery,
        onMessage: async (message, { signal }) => {
          if (message.text !== 'slow') return `done: ${message.text}`;
          await Promise.race([
            slow.opened,
            new Promise((resolve) => signal.addEventListener('abort', resolve)),
          ]);
          throw new Error('not finished');
        },
      });
      const { platform, member, handled, until } = first;
      const [tortoise, hare] = [await onboard(platform), await onboard(platform)];
      await send(tortoise.caller, member.id, 'slow', { messageId: 'm-slow' });
      await send(hare.caller, member.id, 'quick', { messageId: 'm-quick' });
      const answered = async () =>
        valueAt((await hare.caller.get(`/workspaces/${hare.id}/messages/m-quick`)).body, 'state') ===
        'answered';
      await until(answered);
      expect(handled).toContain('slow');
      expect(await inboxTexts(member, '&unacknowledged=true')).toContain('slow');
      await stopOnClock(first.clock, first.agent);
      const second = prepareAgent(site, platform, member, {
        delivery,
        client: { stateDirectory: first.stateDirectory },
      });
      await second.agent.start();
      await second.until(async () => (await second.pending()) === 0);
      expect(second.handled).toEqual(['slow']);
    });

    verifies('delivery.pause-stops-work', async () => {
      const { platform, member, agent, handled, until, pending } = await startAgentWorld(site, { delivery });
      await platform.operator.post(`/workspaces/${member.id}/pause`);
      await until(() => agent.state === 'paused');
      expect((await send(platform.operator, member.id, 'while paused')).body).toMatchObject({ held: true });
      await platform.clock.advance(120_000);
      expect(handled).toEqual([]);
      await platform.operator.post(`/workspaces/${member.id}/resume`);
      await until(async () => (await pending()) === 0);
      expect(handled).toEqual(['while paused']);
    });

    verifies('delivery.no-echo-storm', async () => {
      const one = await startAgentWorld(site, { delivery });
      const { platform } = one;
      const member = await onboard(platform, { name: 'other' });
      const two = prepareAgent(site, platform, member, { delivery });
      await two.agent.start();
      await send(two.member.caller, one.member.id, 'hello', { messageId: 'm-1' });
      await one.until(async () => (await inbox(two.member)).length > 0);
      await one.until(async () => (await two.pending()) === 0);
      await platform.clock.advance(120_000);
      expect(await inboxTexts(one.member)).toEqual(['hello']);
      expect(await inbox(two.member)).toHaveLength(1);
      expect(one.handled).toEqual(['hello']);
    });

    verifies('delivery.retries-then-dead-letters', async () => {
      const { platform, agent, member, handled, until, pending } = await startAgentWorld(site, {
        delivery,
        onMessage: (message) => {
          if (message.text === 'poison') throw new Error('cannot');
          return 'fine';
        },
      });
      const letters: unknown[] = [];
      agent.on('dead-letter', (letter) => void letters.push(letter));
      const [peer, other] = [await onboard(platform), await onboard(platform)];
      await send(peer.caller, member.id, 'poison');
      await send(other.caller, member.id, 'good');
      await until(async () => (await pending()) === 0, 300_000);
      expect(handled.filter((text) => text === 'poison')).toHaveLength(5);
      expect(handled.filter((text) => text === 'good')).toHaveLength(1);
      expect(letters).toHaveLength(1);
    });

    verifies('delivery.clock-jump', async () => {
      const { platform, member, handled, until, pending } = await startAgentWorld(site, { delivery });
      const peer = await onboard(platform);
      const texts: string[] = [];
      for (const jump of [0, 7_200_000, -86_400_000]) {
        platform.clock.jump(jump);
        const text = `after ${jump}`;
        texts.push(text);
        await send(peer.caller, member.id, text);
        await until(async () => (await pending()) === 0);
      }
      expect(handled).toEqual(texts);
      expect((await inbox(peer)).map((row) => textAt(row, 'data', 'text'))).toHaveLength(texts.length);
    });

    verifies('delivery.two-agents-one-workspace', async () => {
      const first = await startAgentWorld(site, { delivery });
      const { platform, member, until, pending } = first;
      const second = prepareAgent(site, platform, member, { delivery });
      await second.agent.start();
      const peer = await onboard(platform);
      const texts = Array.from({ length: 10 }, (_, index) => `message ${index}`);
      for (const text of texts) await send(peer.caller, member.id, text);
      await until(async () => (await pending()) === 0);
      await platform.clock.advance(30_000);
      const answers = (await inboxTexts(peer)).map((text) => /echo: message \d+/.exec(text)?.[0]);
      expect(answers.sort()).toEqual(texts.map((text) => `echo: ${text}`).sort());
    });

    verifies('delivery.at-most-once', async () => {
      const { platform, member, clock, handled, until, pending } = await startAgentWorld(site, {
        delivery,
        atMostOnce: true,
        onMessage: () => {
          throw new Error('once is enough');
        },
      });
      await send(platform.operator, member.id, 'fragile');
      await until(async () => handled.length > 0 && (await pending()) === 0);
      await clock.advance(120_000);
      expect(handled).toEqual(['fragile']);
    });

    verifies('delivery.loop-exits-on-pause', async () => {
      const platform = await site.platform({ clock: 'manual', contractCheck: 'all' });
      const member = await createMember(platform);
      const client = site.client(platform, { id: member.id }, { clock: platform.clock });
      const loop = startLoop((signal) =>
        client.runAgentLoop((message) => `echo: ${message.text}`, { delivery, signal }),
      );
      site.afterwards(() => loop.stop());
      const call = settling(send(platform.operator, member.id, 'hello', { hold: 60, messageId: 'm-1' }));
      await platform.clock.advanceUntil(() => call.settled, { stepMs: 500, limitMs: 120_000 });
      const path = `/workspaces/${member.id}/messages/m-1`;
      const answered = async () => valueAt((await platform.operator.get(path)).body, 'state') === 'answered';
      await platform.clock.advanceUntil(answered, { stepMs: 500, limitMs: 120_000 });
      await platform.operator.post(`/workspaces/${member.id}/pause`);
      await platform.clock.advanceUntil(() => loop.ended, { stepMs: 500, limitMs: 120_000 });
      expect(await loop.outcome).toBe('paused');
    });

    verifies('delivery.stop-finishes-work', async () => {
      const work = gate();
      const begun = gate();
      const { platform, member, agent, clock, pending } = await startAgentWorld(site, {
        delivery,
        onMessage: async () => {
          begun.open();
          await work.opened;
          return 'finished';
        },
      });
      const peer = await onboard(platform);
      await send(peer.caller, member.id, 'work', { messageId: 'm-1' });
      let isRunning = false;
      void begun.opened.then(() => {
        isRunning = true;
      });
      await clock.advanceUntil(() => isRunning, { stepMs: 500 });
      const stopping = stopOnClock(clock, agent);
      work.open();
      await stopping;
      const record = await peer.caller.get(`/workspaces/${peer.id}/messages/m-1`);
      expect(record.body).toMatchObject({ state: 'answered' });
      expect(await pending()).toBe(0);
    });

    verifies('delivery.ends-with-its-workspace', async () => {
      const aborted = gate();
      const begun = gate();
      const { platform, member, agent, until } = await startAgentWorld(site, {
        delivery,
        onMessage: async (_message, { signal }) => {
          begun.open();
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          aborted.open();
        },
      });
      await send(platform.operator, member.id, 'work');
      const flags = { begun: false, aborted: false, closed: '' };
      void begun.opened.then(() => Object.assign(flags, { begun: true }));
      void aborted.opened.then(() => Object.assign(flags, { aborted: true }));
      void agent.closed.then((outcome) => Object.assign(flags, { closed: outcome }));
      await until(() => flags.begun);
      await platform.operator.delete(`/workspaces/${member.id}`);
      await until(() => flags.closed !== '', 300_000);
      expect(flags).toEqual({ begun: true, aborted: true, closed: 'removed' });
    });

    verifies('delivery.ends-with-its-token', async () => {
      const { platform, member, agent, until } = await startAgentWorld(site, { delivery });
      let closed = '';
      void agent.closed.then((outcome) => {
        closed = outcome;
      });
      await platform.operator.delete(`/workspaces/${member.id}/tokens`);
      await until(() => closed !== '', 600_000);
      expect(closed).toBe('revoked');
    });
  });
});
