import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { pick } from '../endurance/plan.ts';
import { startCrashingPlatform } from '../harness/crashing-platform.ts';
import { FAULT_SEED, faultRandom } from '../harness/fault-seed.ts';
import { textAt, valueAt } from '../harness/http.ts';
import { type CrashPoint, freePort, startKillablePushAgent } from '../harness/killable-push-agent.ts';
import { inbox, onboard, send } from '../harness/members.ts';
import { onEachDatabase } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

const ROUNDS = [1, 2, 3, 4, 5];
const POINTS: readonly [CrashPoint, ...CrashPoint[]] = ['arrived', 'handler', 'kept-end'];

onEachDatabase('an agent and its platform that are killed together', { onDisk: true }, (environment) => {
  describe(`FAULT_SEED=${FAULT_SEED}`, { timeout: 60_000 }, () => {
    verifies('durability.both-killed', async () => {
      const { platform } = await startCrashingPlatform(environment);
      const [sender, member] = [await onboard(platform), await onboard(platform)];
      const random = faultRandom('both');
      const effects = join(environment.folder(), 'effects');
      const shared = { port: await freePort(), stateDirectory: environment.folder(), effects };
      const textOf = (round: number) => `round ${round}`;
      const startAgent = (round: number) => {
        const crash = { at: pick(random, POINTS), on: textOf(round) };
        return startKillablePushAgent(environment, platform, member, { ...shared, crash });
      };
      let agent = startAgent(1);
      for (const round of ROUNDS) {
        const text = textOf(round);
        await agent.waitForEvent('online');
        expect((await send(sender.caller, member.id, text, { messageId: text })).status).toBe(202);
        expect(await agent.exit).toMatchObject({ signal: 'SIGKILL' });
        await platform.process.kill();
        if (random() < 0.5) {
          agent = startAgent(round + 1);
          await platform.crash();
        } else {
          await platform.crash();
          agent = startAgent(round + 1);
        }
        const path = `/workspaces/${sender.id}/messages/${encodeURIComponent(text)}?wait=30`;
        const { body } = await sender.caller.get(path);
        expect([text, valueAt(body, 'state')]).toEqual([text, 'answered']);
        expect(textAt(body, 'answer', 'result', 'parts', 0, 'text')).toContain(`echo: ${text}`);
      }
      expect(readFileSync(effects, 'utf8')).toBe(ROUNDS.map((round) => `${textOf(round)}\n`).join(''));
      // What a request of the sender returned is not on its feed as well.
      const answered = (await inbox(sender)).map((row) => row.in_reply_to);
      expect(answered).toHaveLength(new Set(answered).size);
    });
  });
});
