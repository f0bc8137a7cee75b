import { randomUUID } from 'node:crypto';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RemoteAgent } from '@molecule-ai/core';
import { describe, expect } from 'vitest';
import { inbox, inboxTexts, onboard, send, statusOf } from './harness/members.ts';
import { createTestAgent, DELIVERIES, startTestAgent, stopOnClock } from './harness/test-agent.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

onEachDatabase('delivery when something fails', (environment) => {
  describe.each(DELIVERIES)('by $delivery', ({ delivery }) => {
    verifies('delivery.cursor-rotated-out', 'a cursor that the platform has pruned', async () => {
      const first = await startTestAgent(environment, {
        delivery,
        platform: { limits: { messageTtlMs: 30 * DAY } },
      });
      const { platform, member, clock } = first;
      const peer = await onboard(platform);
      await send(peer.caller, member.id, 'old');
      await first.untilAllAcknowledged();
      await stopOnClock(clock, first.agent);
      await send(peer.caller, member.id, 'new');
      clock.jump(8 * DAY);
      await clock.advanceUntil(async () => (await inboxTexts(member)).length === 1, {
        stepMs: HOUR,
        limitMs: 2 * DAY,
      });
      const client = { storage: { directory: first.stateDirectory } };
      const second = createTestAgent(environment, platform, member, { delivery, client });
      let reports = 0;
      second.agent.on('cursor-lost', () => {
        reports += 1;
      });
      void second.agent.start();
      await second.untilAllAcknowledged();
      expect(second.handled).toEqual(['new']);
      expect(reports).toBe(1);
      expect(await inboxTexts(peer)).toEqual(
        ['old', 'new'].map((text) => expect.stringContaining(`echo: ${text}`)),
      );
    });

    verifies('delivery.cursor-rotated-out', 'a cursor that the platform never knew', async () => {
      const first = await startTestAgent(environment, { delivery });
      const { platform, member, clock } = first;
      await send(platform.operator, member.id, 'before');
      await first.untilAllAcknowledged();
      await stopOnClock(clock, first.agent);
      await send(platform.operator, member.id, 'after', { messageId: 'after' });
      // A file with a bare row id is a position that another program left.
      const stateDirectory = environment.folder();
      writeFileSync(join(stateDirectory, 'cursor.json'), randomUUID(), { mode: 0o600 });
      const client = { storage: { directory: stateDirectory } };
      const second = createTestAgent(environment, platform, member, { delivery, client });
      let reports = 0;
      second.agent.on('cursor-lost', () => {
        reports += 1;
      });
      void second.agent.start();
      await second.untilAllAcknowledged();
      expect(second.handled).toEqual(['after']);
      expect(reports).toBe(1);
      const record = await platform.operator.get(`/workspaces/${member.id}/messages/after`);
      expect(record.body).toMatchObject({ state: 'answered' });
    });

    verifies('delivery.unwritable-state', async () => {
      // A folder below a file cannot be made, by root neither.
      const file = join(environment.folder(), 'a-file');
      writeFileSync(file, '');
      const { platform, member, agent, log, handled, untilAllAcknowledged } = await startTestAgent(
        environment,
        {
          delivery,
          client: { storage: { directory: join(file, 'state') } },
        },
      );
      const reasons: string[] = [];
      agent.on('degraded', (reason) => reasons.push(reason));
      const peer = await onboard(platform);
      for (const text of ['one', 'two']) await send(peer.caller, member.id, text);
      await untilAllAcknowledged();
      expect(handled).toEqual(['one', 'two']);
      expect(await inbox(peer)).toHaveLength(2);
      expect(log.lines.some(({ level }) => level === 'warn' || level === 'error')).toBe(true);
      expect(agent.health()).toMatchObject({ ok: false, degradedReasons: ['storage'] });
      expect(reasons).toEqual(['storage']);
    });

    verifies('delivery.files-are-private', 'files are private', async () => {
      const { platform, member, stateDirectory, until, pending } = await startTestAgent(environment, {
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

onEachDatabase('delivery while the platform is down', { onDisk: true }, (environment) => {
  describe.each(DELIVERIES)('by $delivery', ({ delivery }) => {
    verifies('delivery.platform-down', 'platform down at start; names a platform that is down', async () => {
      const platform = await environment.platform({ clock: 'manual', server: { contractCheck: 'all' } });
      const member = await onboard(platform);
      const { agent, log, handled, untilAllAcknowledged } = createTestAgent(environment, platform, member, {
        delivery,
      });
      const reports = recordReports(agent);
      let starting: Promise<void> | undefined;
      await platform.restart(async () => {
        starting = agent.start();
        starting.catch(() => {});
        // At the first request: the earliest repeat would follow after a second.
        await platform.clock.advanceUntil(() => reports.length > 0, { stepMs: 1, limitMs: 500 });
        expect(reports).toEqual(['degraded: platform-unreachable']);
        expect(agent.state).toBe('starting');
        expect(log.lines.find(({ level }) => level === 'warn')).toMatchObject({
          message: expect.stringMatching(/cannot be reached; registering is tried again in \d+ s/),
          fields: { platform: new URL(platform.url).origin, nextAttemptInMs: expect.any(Number) },
        });
      });
      await send(platform.operator, member.id, 'hello');
      await untilAllAcknowledged(300_000);
      await starting;
      expect(handled).toEqual(['hello']);
      expect(await statusOf(platform, member.id)).toBe('online');
    });

    verifies('delivery.platform-down', 'platform down for ten minutes', async () => {
      const { platform, member, agent, handled, until, untilAllAcknowledged } = await startTestAgent(
        environment,
        { delivery },
      );
      const peer = await onboard(platform);
      const reports = recordReports(agent);
      await send(peer.caller, member.id, 'before');
      await untilAllAcknowledged();
      await platform.restart(() => platform.clock.advance(600_000));
      await send(peer.caller, member.id, 'after');
      await untilAllAcknowledged();
      expect(handled).toEqual(['before', 'after']);
      expect(await inbox(peer)).toHaveLength(2);
      await until(async () => (await statusOf(platform, member.id)) === 'online');
      await until(() => agent.health().ok);
      const ofPlatform = reports.filter((report) => report.endsWith('platform-unreachable'));
      expect(ofPlatform).toEqual(['degraded: platform-unreachable', 'recovered: platform-unreachable']);
    });

    verifies('delivery.stop-finishes-work', 'platform down at stop', async () => {
      const { platform, agent, clock } = await startTestAgent(environment, { delivery });
      await platform.stop();
      await stopOnClock(clock, agent);
      expect(await agent.closed).toBe('stopped');
    });
  });
});

/** What the agent reports about its platform, as it happens. */
function recordReports(agent: RemoteAgent): readonly string[] {
  const reports: string[] = [];
  agent.on('degraded', (reason) => reports.push(`degraded: ${reason}`));
  agent.on('recovered', (reason) => reports.push(`recovered: ${reason}`));
  return reports;
}
