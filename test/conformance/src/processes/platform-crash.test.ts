import { setImmediate } from 'node:timers/promises';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import { ManualClock } from '@molecule-tests/harness';
import { describe, expect } from 'vitest';
import { type CrashingPlatform, startCrashingPlatform } from '../harness/crashing-platform.ts';
import { FAULT_SEED, faultRandom, upTo } from '../harness/fault-seed.ts';
import { textAt, valueAt } from '../harness/http.ts';
import { inbox, type Member, onboard, send, waitForRow } from '../harness/members.ts';
import { type PushAgent, type PushAgentOptions, startPushAgent } from '../harness/push-agent.ts';
import { onEachDatabase, type TestEnvironment } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

const ROUNDS = [1, 2, 3, 4, 5];
const BURST = 6;

interface Stage extends CrashingPlatform {
  readonly sender: Member;
  readonly member: Member;
  readonly agent: PushAgent;
}

async function startStage(environment: TestEnvironment, options: PushAgentOptions = {}): Promise<Stage> {
  const crashing = await startCrashingPlatform(environment);
  const { platform } = crashing;
  const [sender, member] = [await onboard(platform), await onboard(platform)];
  const agent = await startPushAgent(environment, platform, member, options);
  return { ...crashing, sender, member, agent };
}

/** Sends messages at the same time, every second one held for its answer; each is sent until it is accepted. */
function sendBurst({ sender, member }: Stage, texts: readonly string[], isBack: Promise<void>) {
  return Promise.all(
    texts.map(async (text, index) => {
      const first = { messageId: text, hold: index % 2 === 0 ? 0 : 20 };
      if ((await send(sender.caller, member.id, text, first)).status !== 0) return;
      await isBack;
      const again = await send(sender.caller, member.id, text, { messageId: text });
      expect(again.status).toBeOneOf([200, 202]);
    }),
  );
}

/** Each message is answered, was handled once, and its sender got at most one answer on the feed. */
async function expectEnds({ sender, agent }: Stage, texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    const path = `/workspaces/${sender.id}/messages/${text}?wait=20`;
    const { body } = await sender.caller.get(path);
    expect([text, valueAt(body, 'state')]).toEqual([text, 'answered']);
    expect(textAt(body, 'answer', 'result', 'parts', 0, 'text')).toContain(`echo: ${text}`);
  }
  const handled = agent.handled.map(({ text }) => text).filter((text) => texts.includes(text));
  expect(handled.sort()).toEqual([...texts].sort());
  const answered = (await inbox(sender)).map((row) => textAt(row, 'in_reply_to'));
  expect(answered.length).toBe(new Set(answered).size);
}

const textsOf = (round: number) => Array.from({ length: BURST }, (_, index) => `${round}-${index}`);

onEachDatabase('a platform that is killed at a point', { onDisk: true }, (environment) => {
  describe(`FAULT_SEED=${FAULT_SEED}`, { timeout: 60_000 }, () => {
    for (const point of ['stored', 'recording', 'recorded'] as const) {
      verifies('durability.killed-at-each-point', `${point}, five times`, async () => {
        const stage = await startStage(environment);
        const random = faultRandom(point);
        for (const round of ROUNDS) {
          const texts = textsOf(round);
          await stage.arm(point, upTo(random, BURST));
          const back = Promise.withResolvers<void>();
          const sent = sendBurst(stage, texts, back.promise);
          await stage.startAgain();
          back.resolve();
          await sent;
          await expectEnds(stage, texts);
        }
      });
    }

    verifies('durability.killed-at-each-point', 'a push in flight, five times', async () => {
      let release = Promise.withResolvers<void>();
      let started = Promise.withResolvers<void>();
      let awaited = '';
      const stage = await startStage(environment, {
        concurrency: BURST,
        onMessage: async ({ text }) => {
          if (text === awaited) started.resolve();
          await release.promise;
          return `echo: ${text}`;
        },
      });
      const random = faultRandom('in-flight');
      for (const round of ROUNDS) {
        const texts = textsOf(round);
        [release, started] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
        awaited = `${round}-${upTo(random, BURST) - 1}`;
        const isDoneMeanwhile = random() < 0.5;
        const back = Promise.withResolvers<void>();
        const sent = sendBurst(stage, texts, back.promise);
        await started.promise;
        await stage.platform.process.kill();
        if (isDoneMeanwhile) release.resolve();
        await stage.startAgain();
        back.resolve();
        await sent;
        release.resolve();
        await expectEnds(stage, texts);
      }
    });

    verifies('durability.killed-at-each-point', 'killed before a late answer', async () => {
      let release = Promise.withResolvers<void>();
      const stage = await startStage(environment, {
        concurrency: BURST,
        onMessage: async ({ text }) => {
          await release.promise;
          return `echo: ${text}`;
        },
      });
      const { sender, member, agent } = stage;
      const caller = environment.client(stage.platform, sender);
      await caller.register();
      const asking = {
        ...sender,
        caller: stage.platform.as(String(await clientPort(caller).currentToken())),
      };
      const random = faultRandom('late-answer');
      for (const round of ROUNDS) {
        const texts = textsOf(round);
        release = Promise.withResolvers<void>();
        const queued = await Promise.all(
          texts.map((text) => caller.callPeer(member.id, text, { messageId: text, timeoutMs: 1_500 })),
        );
        expect(queued.map(({ status, via }) => [status, via])).toEqual(texts.map(() => ['queued', 'direct']));
        await stage.arm(random() < 0.5 ? 'storing' : 'stored', upTo(random, BURST));
        release.resolve();
        await stage.startAgain();
        const rows = await waitForRow(asking, round * BURST);
        expect(
          rows
            .map((row) => valueAt(row, 'request_body', 'params', 'metadata', 'claimed_reply', 'in_reply_to'))
            .sort(),
        ).toEqual(ROUNDS.slice(0, round).flatMap(textsOf));
        for (const text of texts) {
          const answered = { status: 'answered', via: 'direct', text: `echo: ${text}` };
          expect(await caller.waitForAnswer(text)).toMatchObject(answered);
        }
      }
      expect(agent.handled.map(({ text }) => text).sort()).toEqual(ROUNDS.flatMap(textsOf));
    });

    verifies('durability.killed-at-each-point', 'killed while delivery switches', async () => {
      const clock = new ManualClock(Date.now());
      const stage = await startStage(environment, { delivery: 'auto', clock });
      const { agent, platform, sender, member } = stage;
      const random = faultRandom('switch');
      /** The platform has the time of the machine: between two steps of the agent's clock it gets a request. */
      const until = (condition: () => boolean | Promise<boolean>) =>
        clock.advanceUntil(
          async () => {
            clock.jump(Date.now() - clock.now());
            await platform.anonymous.get('/health');
            await setImmediate();
            return condition();
          },
          { stepMs: 250, limitMs: 600_000 },
        );
      const isDelivery = (delivery: string) => () => agent.agent.health().delivery === delivery;
      const isAnswered = (text: string) => async () => {
        const { body } = await sender.caller.get(`/workspaces/${sender.id}/messages/${text}`);
        return valueAt(body, 'state') === 'answered';
      };
      await until(isDelivery('push'));
      for (const round of ROUNDS) {
        const wanted = round % 2 === 1 ? 'long-poll' : 'push';
        if (wanted === 'push') await agent.open();
        else await agent.close();
        await stage.arm(random() < 0.5 ? 'registering' : 'registered', 1);
        const texts = textsOf(round);
        // The platform may be gone before it has responded: then the sender sends the message again.
        const again: string[] = [];
        for (const text of texts.slice(0, 3)) {
          const { status } = await send(sender.caller, member.id, text, { messageId: text });
          if (status === 0) again.push(text);
          else expect(status).toBeOneOf([200, 202]);
        }
        await until(() => !platform.process.isRunning);
        await stage.startAgain();
        for (const text of again) await send(sender.caller, member.id, text, { messageId: text });
        for (const text of texts.slice(3)) await send(sender.caller, member.id, text, { messageId: text });
        await until(isDelivery(wanted));
        for (const text of texts) await until(isAnswered(text));
        await expectEnds(stage, texts);
      }
    });
  });
});
