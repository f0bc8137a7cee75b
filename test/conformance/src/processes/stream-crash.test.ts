import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { wrapA2aBoundary } from '@molecule-ai/protocol';
import { describe, expect } from 'vitest';
import { startCrashingPlatform } from '../harness/crashing-platform.ts';
import { FAULT_SEED, faultRandom } from '../harness/fault-seed.ts';
import { textAt, valueAt } from '../harness/http.ts';
import { freePort, startKillablePushAgent } from '../harness/killable-push-agent.ts';
import { inbox, type Member, onboard } from '../harness/members.ts';
import { startPushAgent } from '../harness/push-agent.ts';
import { StreamClient } from '../harness/streams.ts';
import { onEachDatabase } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

const ROUNDS = [1, 2, 3, 4, 5];

/** The record of a message that its sender has read to its end. */
async function expectKept(sender: Member, messageId: string, text: string): Promise<void> {
  const { body } = await sender.caller.get(`/workspaces/${sender.id}/messages/${messageId}?wait=20`);
  expect([messageId, valueAt(body, 'state')]).toEqual([messageId, 'answered']);
  expect(textAt(body, 'answer', 'result', 'parts', 0, 'text')).toBe(wrapA2aBoundary(text));
}

onEachDatabase('streams whose agent or platform is killed', { onDisk: true }, (environment) => {
  describe(`FAULT_SEED=${FAULT_SEED}`, { timeout: 60_000 }, () => {
    verifies('stream.killed', 'agent killed', async () => {
      const platform = await environment.platform({ security: { allowAgentNetworks: ['127.0.0.0/8'] } });
      const [sender, member] = [await onboard(platform), await onboard(platform)];
      const client = environment.client(platform, sender, { connection: { directCalls: 'off' } });
      const effects = join(environment.folder(), 'effects');
      const shared = { port: await freePort(), stateDirectory: environment.folder(), effects };
      const textOf = (round: number) => `round-${round}`;
      const streams = new StreamClient(environment, platform);
      const startAgent = (round: number) => {
        const crash = { at: 'streamed', on: textOf(round) } as const;
        return startKillablePushAgent(environment, platform, member, { ...shared, crash });
      };
      let agent = startAgent(1);
      for (const round of ROUNDS) {
        const text = textOf(round);
        await agent.waitForEvent('online');
        const read = client.streamPeer(member.id, text, { messageId: text });
        const pieces = read[Symbol.asyncIterator]();
        expect(await pieces.next()).toEqual({ done: false, value: 'echo:' });
        const raw = await streams.resubscribe(sender, member, text);
        await raw.until(() => raw.text.endsWith('echo: '));
        await agent.kill();
        agent = startAgent(round + 1);
        const results = await raw.all();
        expect(raw.text).toBe(wrapA2aBoundary(`echo: ${text}`));
        expect(results.at(-1)).toMatchObject({ final: true, metadata: { state: 'answered' } });
        expect(await pieces.next()).toEqual({ done: false, value: ` ${text}` });
        expect(await read.reply()).toMatchObject({ status: 'answered', text: `echo: ${text}` });
        await expectKept(sender, text, `echo: ${text}`);
      }
      expect(readFileSync(effects, 'utf8')).toBe(ROUNDS.map((round) => `${textOf(round)}\n`).join(''));
    });

    verifies('stream-reading.platform-gone', async () => {
      const { platform } = await startCrashingPlatform(environment);
      const [sender, member] = [await onboard(platform), await onboard(platform)];
      const client = environment.client(platform, sender, { connection: { directCalls: 'off' } });
      const release = Promise.withResolvers<void>();
      await startPushAgent(environment, platform, member, {
        onMessage: async (_message, { stream }) => {
          await stream('First, ');
          await release.promise;
          return 'then the rest.';
        },
      });
      const read = client.streamPeer(member.id, 'hi', { messageId: 'm-1' });
      await read[Symbol.asyncIterator]().next();
      await platform.process.kill();
      await expect(read.reply()).rejects.toMatchObject({
        code: 'connection_failed',
        delivered: 'unknown',
        messageId: 'm-1',
        hint: expect.stringContaining("waitForAnswer('m-1')"),
      });
      expect(read.text).toBe('First,');
      await platform.crash();
      release.resolve();
      const reply = await client.waitForAnswer('m-1');
      expect(reply).toMatchObject({ status: 'answered', text: 'First, then the rest.' });
    });

    verifies('stream.killed', 'platform killed', async () => {
      const { platform } = await startCrashingPlatform(environment);
      const [sender, member] = [await onboard(platform), await onboard(platform)];
      const client = environment.client(platform, sender, { connection: { directCalls: 'off' } });
      let release = Promise.withResolvers<void>();
      const { handled } = await startPushAgent(environment, platform, member, {
        onMessage: async ({ text }, { stream }) => {
          await stream(`First of ${text}, `);
          await release.promise;
          return 'then the rest.';
        },
      });
      const random = faultRandom('stream-platform');
      for (const round of ROUNDS) {
        release = Promise.withResolvers<void>();
        const messageId = `m-${round}`;
        const whole = `First of ${round}, then the rest.`;
        const stream = client.streamPeer(member.id, `${round}`, { messageId });
        const pieces = stream[Symbol.asyncIterator]();
        const first = await pieces.next();
        expect(first.value).toBe(`First of ${round},`);
        await platform.process.kill();
        const isDoneMeanwhile = random() < 0.5;
        if (isDoneMeanwhile) release.resolve();
        await platform.crash();
        release.resolve();
        let rest = '';
        for (let piece = await pieces.next(); ; piece = await pieces.next()) {
          if (piece.done) break;
          rest += piece.value;
        }
        expect(String(first.value) + rest).toBe(whole);
        expect(await stream.reply()).toMatchObject({ status: 'answered', text: whole });
        await expectKept(sender, messageId, whole);
      }
      expect(handled.map(({ text }) => text)).toEqual(ROUNDS.map(String));
      const answered = (await inbox(sender)).map((row) => row.in_reply_to);
      expect(answered).toHaveLength(new Set(answered).size);
    });
  });
});
