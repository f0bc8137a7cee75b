import { setImmediate } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { startKillableAgent } from '../harness/killable-agent.ts';
import { type Member, onboard, send } from '../harness/members.ts';
import type { RunningPlatform } from '../harness/running-platform.ts';
import { createTestAgent, DELIVERIES } from '../harness/test-agent.ts';
import { onEachDatabase } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

async function untilAllAcknowledged(platform: RunningPlatform, { id }: Member): Promise<void> {
  const path = `/workspaces/${id}/activity?type=a2a_receive&unacknowledged=true`;
  while ((await platform.operator.get(path)).text !== '[]') await setImmediate();
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `message ${index}`);

onEachDatabase('instances in processes of their own', { onDisk: true }, (environment) => {
  describe.each(DELIVERIES)('by $delivery', ({ delivery }) => {
    verifies('instances.processes', 'two processes', async () => {
      const platform = await environment.platform({ server: { contractCheck: 'all' } });
      const [member, peer] = [await onboard(platform), await onboard(platform)];
      const agents = [1, 2].map(() =>
        startKillableAgent(environment, platform, member, { delivery, stateDirectory: environment.folder() }),
      );
      // The other one waits until this one has ended.
      await Promise.race(agents.map((agent) => agent.waitForEvent('online')));
      const texts = numbered(60);
      for (const text of texts) await send(peer.caller, member.id, text);
      await untilAllAcknowledged(platform, member);
      const handled = agents.flatMap((agent) => agent.log.entriesOf('handling').map(({ text }) => text));
      expect(handled.sort()).toEqual([...texts].sort());
    });

    verifies('instances.processes', 'a killed one continues at once when it is started again', async () => {
      const platform = await environment.platform({ clock: 'manual', server: { contractCheck: 'all' } });
      const [member, peer] = [await onboard(platform), await onboard(platform)];
      const shared = { delivery, stateDirectory: environment.folder() };
      const first = startKillableAgent(environment, platform, member, shared);
      await first.waitForEvent('online');
      await send(peer.caller, member.id, 'one');
      await first.waitForEvent('replied');
      await first.kill();
      const second = startKillableAgent(environment, platform, member, shared);
      await second.waitForEvent('online');
      await send(peer.caller, member.id, 'two');
      // The clock of the platform stands still: no identity can have expired.
      await second.waitForLog((entries) =>
        entries.find(({ event, text }) => event === 'handling' && text === 'two'),
      );
      expect(platform.clock.monotonic()).toBe(0);
    });

    verifies('instances.killed-agent', async () => {
      const platform = await environment.platform({ clock: 'manual', server: { contractCheck: 'all' } });
      const [member, peer] = [await onboard(platform), await onboard(platform)];
      const first = startKillableAgent(environment, platform, member, {
        delivery,
        stateDirectory: environment.folder(),
        hangBeforeReply: 'lost?',
      });
      await first.waitForEvent('online');
      await send(peer.caller, member.id, 'lost?', { messageId: 'm-1' });
      await first.waitForEvent('handling');
      await first.kill();
      const second = createTestAgent(environment, platform, member, { delivery });
      const starting = second.agent.start();
      await second.until(() => second.agent.health().degradedReasons.includes('identity-in-use'));
      expect(second.handled).toEqual([]);
      await second.until(() => second.handled.length > 0, 90_000);
      await starting;
      await second.untilAllAcknowledged();
      expect(second.handled).toEqual(['lost?']);
    });
  });
});
