import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { DELIVERIES, prepareAgent, startAgentWorld, stopOnClock } from './harness/agent-world.ts';
import { onEachDatabase } from './harness/each-database.ts';
import { inbox, inboxTexts, onboard, send, statusOf } from './harness/members.ts';
import { verifies } from './verifies.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

onEachDatabase('delivery in trouble', (site) => {
  describe.each(DELIVERIES)('by $delivery', ({ delivery }) => {
    verifies('delivery.cursor-rotated-out', async () => {
      const first = await startAgentWorld(site, { delivery });
      const { platform, member, clock } = first;
      const peer = await onboard(platform);
      await send(peer.caller, member.id, 'old');
      await first.until(async () => (await first.pending()) === 0);
      await stopOnClock(clock, first.agent);
      await send(peer.caller, member.id, 'new');
      clock.jump(8 * DAY);
      await clock.advanceUntil(async () => (await inboxTexts(member)).length === 1, {
        stepMs: HOUR,
        limitMs: 2 * DAY,
      });
      const second = prepareAgent(site, platform, member, {
        delivery,
        client: { stateDirectory: first.stateDirectory },
      });
      await second.agent.start();
      await second.until(async () => (await second.pending()) === 0);
      expect(second.handled).toEqual(['new']);
    });

    verifies('delivery.unwritable-state', async () => {
      // A folder below a file cannot be made, by root neither.
      const file = join(site.folder(), 'a-file');
      writeFileSync(file, '');
      const { platform, member, log, handled, until, pending } = await startAgentWorld(site, {
        delivery,
        client: { stateDirectory: join(file, 'state') },
      });
      const peer = await onboard(platform);
      for (const text of ['one', 'two']) await send(peer.caller, member.id, text);
      await until(async () => (await pending()) === 0);
      expect(handled).toEqual(['one', 'two']);
      expect(await inbox(peer)).toHaveLength(2);
      expect(log.lines.some(({ level }) => level === 'warn' || level === 'error')).toBe(true);
    });

    verifies('delivery.files-are-private', async () => {
      const { platform, member, stateDirectory, until, pending } = await startAgentWorld(site, {
        delivery,
        onMessage: async (message, { once }) => {
          await once('effect', () => 'kept');
          if (message.text === 'poison') throw new Error('cannot');
        },
      });
      const [one, two] = [await onboard(platform), await onboard(platform)];
      await send(one.caller, member.id, 'fine');
      await send(two.caller, member.id, 'poison');
      const seen = new Set<string>();
      await until(async () => {
        for (const entry of readdirSync(stateDirectory, { recursive: true, withFileTypes: true })) {
          const path = join(entry.parentPath, entry.name);
          const stat = statSync(path, { throwIfNoEntry: false });
          if (stat === undefined) continue;
          expect((stat.mode & 0o777).toString(8), path).toBe(entry.isDirectory() ? '700' : '600');
          if (entry.isFile()) seen.add(entry.name);
        }
        return (await pending()) === 0;
      }, 300_000);
      expect((statSync(stateDirectory).mode & 0o777).toString(8)).toBe('700');
      expect(seen.size).toBeGreaterThanOrEqual(2);
    });
  });
});

onEachDatabase('delivery and a platform that is away', { onDisk: true }, (site) => {
  describe.each(DELIVERIES)('by $delivery', ({ delivery }) => {
    verifies('delivery.platform-down-at-start', async () => {
      const platform = await site.platform({ clock: 'manual', contractCheck: 'all' });
      const member = await onboard(platform);
      const world = prepareAgent(site, platform, member, { delivery });
      let starting: Promise<void> | undefined;
      await platform.restart(async () => {
        starting = world.agent.start();
        starting.catch(() => {});
        await platform.clock.advance(30_000);
      });
      await send(platform.operator, member.id, 'hello');
      await world.until(async () => (await world.pending()) === 0, 300_000);
      await starting;
      expect(world.handled).toEqual(['hello']);
      expect(await statusOf(platform, member.id)).toBe('online');
    });

    verifies('delivery.platform-down-for-ten-minutes', async () => {
      const world = await startAgentWorld(site, { delivery });
      const { platform, member, until, pending, handled } = world;
      const peer = await onboard(platform);
      await send(peer.caller, member.id, 'before');
      await until(async () => (await pending()) === 0);
      await platform.restart(() => platform.clock.advance(600_000));
      await send(peer.caller, member.id, 'after');
      await until(async () => (await pending()) === 0);
      expect(handled).toEqual(['before', 'after']);
      expect(await inbox(peer)).toHaveLength(2);
      await until(async () => (await statusOf(platform, member.id)) === 'online');
    });

    verifies('delivery.platform-down-at-stop', async () => {
      const { platform, agent, clock } = await startAgentWorld(site, { delivery });
      await platform.stop();
      await stopOnClock(clock, agent);
      expect(await agent.closed).toBe('stopped');
    });
  });
});
