import { describe, expect } from 'vitest';
import { textAt, trackCall, valueAt } from './harness/http.ts';
import { createMember, inbox, inboxTexts, onboard, send } from './harness/members.ts';
import { END, START } from './harness/peer-texts.ts';
import { startLoop } from './harness/started-loop.ts';
import { createTestAgent, DELIVERIES, startTestAgent, stopOnClock } from './harness/test-agent.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

/** Something that happens once: whether it has, and a promise of it. */
function signalOnce() {
  let resolvePromise = () => {};
  const promise = new Promise<void>((resolve) => {
    resolvePromise = resolve;
  });
  const once = {
    happened: false,
    promise,
    trigger: () => {
      once.happened = true;
      resolvePromise();
    },
  };
  return once;
}

onEachDatabase('delivery', (environment) => {
  describe.each(DELIVERIES)('by $delivery', ({ delivery }) => {
    verifies('answers.find-their-callers', 'answers find their callers', async () => {
      const { platform, member, agent, until } = await startTestAgent(environment, { delivery });
      const peer = await onboard(platform);
      const calls = [
        trackCall(send(peer.caller, member.id, 'from a peer', { hold: 60 })),
        trackCall(send(platform.operator, member.id, 'from a person', { hold: 60 })),
      ];
      await until(() => calls.every((call) => call.isComplete));
      const [toPeer, toPerson] = await Promise.all(calls.map((call) => call.response));
      expect(toPeer?.status).toBe(200);
      expect(toPeer?.text).toContain(`${START}echo: from a peer${END}`);
      expect(toPerson?.status).toBe(200);
      expect(textAt(toPerson?.body, 'result', 'parts', 0, 'text')).toBe('echo: from a person');
      const history = await platform.operator.get(`/workspaces/${member.id}/activity?direction=out`);
      expect(history.body).toMatchObject([{ method: 'notify', data: { text: 'echo: from a person' } }]);
      expect(await inbox(peer)).toEqual([]);
      expect(agent.health()).toMatchObject({ state: 'running', ok: true, degradedReasons: [] });
    });

    verifies(
      ['answers.find-their-callers', 'delivery.acknowledges-what-is-finished'],
      'many messages of two senders',
      async () => {
        const platform = await environment.platform({ clock: 'manual', server: { contractCheck: 'all' } });
        const [member, peer] = [await onboard(platform), await onboard(platform)];
        const senders = [
          { name: 'peer', caller: peer.caller },
          { name: 'person', caller: platform.operator },
        ];
        const textsOf = (name: string) => Array.from({ length: 20 }, (_, index) => `${name} ${index}`);
        for (let index = 0; index < 20; index += 1) {
          for (const { name, caller } of senders) {
            await send(caller, member.id, `${name} ${index}`, { messageId: `${name}-${index}` });
          }
        }
        const { agent, handled, untilAllAcknowledged } = createTestAgent(environment, platform, member, {
          delivery,
        });
        await agent.start();
        await untilAllAcknowledged();
        expect(handled).toHaveLength(40);
        for (const { name } of senders) {
          expect(handled.filter((text) => text.startsWith(name))).toEqual(textsOf(name));
        }
        for (let index = 0; index < 20; index += 1) {
          const ofPeer = await peer.caller.get(`/workspaces/${peer.id}/messages/peer-${index}`);
          expect(ofPeer.body).toMatchObject({ state: 'answered' });
          expect(ofPeer.text).toContain(`echo: peer ${index}[`);
          const ofPerson = await platform.operator.get(`/workspaces/${member.id}/messages/person-${index}`);
          expect(ofPerson.body).toMatchObject({ state: 'answered' });
          expect(ofPerson.text).toContain(`"echo: person ${index}"`);
        }
        expect(await inbox(peer)).toHaveLength(20);
      },
    );

    verifies('delivery.acknowledges-what-is-finished', 'holds the position for the slow', async () => {
      const slow = signalOnce();
      const first = await startTestAgent(environment, {
        delivery,
        onMessage: async (message, { signal }) => {
          if (message.text !== 'slow') return `done: ${message.text}`;
          await Promise.race([
            slow.promise,
            new Promise((resolve) => signal.addEventListener('abort', resolve)),
          ]);
          throw new Error('not finished');
        },
      });
      const { platform, member, handled, until } = first;
      const [slowPeer, quickPeer] = [await onboard(platform), await onboard(platform)];
      await send(slowPeer.caller, member.id, 'slow', { messageId: 'm-slow' });
      await send(quickPeer.caller, member.id, 'quick', { messageId: 'm-quick' });
      const answered = async () =>
        valueAt(
          (await quickPeer.caller.get(`/workspaces/${quickPeer.id}/messages/m-quick`)).body,
          'state',
        ) === 'answered';
      await until(answered);
      expect(handled).toContain('slow');
      expect(await inboxTexts(member, '&unacknowledged=true')).toContain('slow');
      await stopOnClock(first.clock, first.agent);
      const second = createTestAgent(environment, platform, member, {
        delivery,
        client: { storage: { directory: first.stateDirectory } },
      });
      await second.agent.start();
      await second.until(async () => (await second.pending()) === 0);
      expect(second.handled).toEqual(['slow']);
    });

    verifies('messages.paused.is-held', 'pause stops work', async () => {
      const { platform, member, agent, handled, until, untilAllAcknowledged } = await startTestAgent(
        environment,
        { delivery },
      );
      let pauses = 0;
      agent.on('paused', () => {
        pauses += 1;
      });
      await platform.operator.post(`/workspaces/${member.id}/pause`);
      await until(() => agent.state === 'paused');
      expect(pauses).toBe(1);
      const kept = await send(platform.operator, member.id, 'while paused', { messageId: 'm-1' });
      expect(kept).toMatchObject({ status: 202, body: { held: true } });
      await platform.clock.advance(120_000);
      expect(handled).toEqual([]);
      await platform.operator.post(`/workspaces/${member.id}/resume`);
      await untilAllAcknowledged();
      expect(handled).toEqual(['while paused']);
      const record = await platform.operator.get(`/workspaces/${member.id}/messages/m-1`);
      expect(record.body).toMatchObject({ state: 'answered' });
      expect(record.text).toContain('"echo: while paused"');
    });

    verifies('delivery.no-echo-storm', async () => {
      const one = await startTestAgent(environment, { delivery });
      const { platform } = one;
      const member = await onboard(platform, { name: 'other' });
      const two = createTestAgent(environment, platform, member, { delivery });
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
      const { platform, agent, member, handled, until, pending } = await startTestAgent(environment, {
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

    verifies('delivery.clock-jump', 'clock jump', async () => {
      const { platform, member, handled, until, pending } = await startTestAgent(environment, { delivery });
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

    verifies('delivery.at-most-once', async () => {
      const { platform, member, clock, handled, until, pending } = await startTestAgent(environment, {
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

    verifies('presence.ends', 'loop exits on pause', async () => {
      const platform = await environment.platform({ clock: 'manual', server: { contractCheck: 'all' } });
      const member = await createMember(platform);
      const client = environment.client(
        platform,
        { id: member.id },
        { connection: { clock: platform.clock } },
      );
      const loop = startLoop((signal) =>
        client.runAgentLoop((message) => `echo: ${message.text}`, { delivery, signal }),
      );
      environment.onCleanup(() => loop.stop());
      const call = trackCall(send(platform.operator, member.id, 'hello', { hold: 60, messageId: 'm-1' }));
      await platform.clock.advanceUntil(() => call.isComplete, { stepMs: 500, limitMs: 120_000 });
      const path = `/workspaces/${member.id}/messages/m-1`;
      const answered = async () => valueAt((await platform.operator.get(path)).body, 'state') === 'answered';
      await platform.clock.advanceUntil(answered, { stepMs: 500, limitMs: 120_000 });
      await platform.operator.post(`/workspaces/${member.id}/pause`);
      await platform.clock.advanceUntil(() => loop.ended, { stepMs: 500, limitMs: 120_000 });
      expect(await loop.outcome).toBe('paused');
    });

    verifies('delivery.stop-finishes-work', 'stop finishes work', async () => {
      const work = signalOnce();
      const begun = signalOnce();
      const { platform, member, agent, clock, pending } = await startTestAgent(environment, {
        delivery,
        onMessage: async () => {
          begun.trigger();
          await work.promise;
          return 'finished';
        },
      });
      const peer = await onboard(platform);
      await send(peer.caller, member.id, 'work', { messageId: 'm-1' });
      await clock.advanceUntil(() => begun.happened, { stepMs: 500 });
      const stopping = stopOnClock(clock, agent);
      work.trigger();
      await stopping;
      const record = await peer.caller.get(`/workspaces/${peer.id}/messages/m-1`);
      expect(record.body).toMatchObject({ state: 'answered' });
      expect(await pending()).toBe(0);
    });

    verifies('delivery.ends-with-its-workspace', 'ends with its workspace', async () => {
      const aborted = signalOnce();
      const begun = signalOnce();
      const { platform, member, agent, until } = await startTestAgent(environment, {
        delivery,
        onMessage: async (_message, { signal }) => {
          begun.trigger();
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          aborted.trigger();
        },
      });
      await send(platform.operator, member.id, 'work');
      await until(() => begun.happened);
      await platform.operator.delete(`/workspaces/${member.id}`);
      await until(() => agent.state === 'stopped', 300_000);
      expect(await agent.closed).toBe('removed');
      expect(aborted.happened).toBe(true);
    });

    verifies('delivery.ends-with-its-workspace', 'ends with its token', async () => {
      const { platform, member, agent, until } = await startTestAgent(environment, { delivery });
      await platform.operator.delete(`/workspaces/${member.id}/tokens`);
      await until(() => agent.state === 'stopped', 600_000);
      expect(await agent.closed).toBe('revoked');
    });
  });
});
