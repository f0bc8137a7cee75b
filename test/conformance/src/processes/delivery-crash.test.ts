import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { createRemoteAgent } from '@molecule-ai/core';
import { describe, expect } from 'vitest';
import { startKillableAgent } from '../harness/killable-agent.ts';
import { inboxTexts, type Member, onboard, send } from '../harness/members.ts';
import type { RunningPlatform } from '../harness/running-platform.ts';
import { DELIVERIES } from '../harness/test-agent.ts';
import { onEachDatabase, type TestEnvironment } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

async function startWorkspace(environment: TestEnvironment) {
  const platform = await environment.platform({ server: { contractCheck: 'all' } });
  const [member, peer] = [await onboard(platform), await onboard(platform)];
  return { platform, member, peer, stateDirectory: environment.folder() };
}

/** Waits until the agent has stored on disk that it finished something. */
async function untilPositionIsStored(stateDirectory: string): Promise<void> {
  for (;;) {
    const files = readdirSync(stateDirectory, { recursive: true, withFileTypes: true });
    for (const file of files.filter((entry) => entry.isFile() && !entry.name.endsWith('.tmp'))) {
      const text = readIfPresent(join(file.parentPath, file.name));
      if (/"acknowledged":\s*"/.test(text)) return;
    }
    await setImmediate();
  }
}

/** A file that is being replaced may vanish after it was listed. */
function readIfPresent(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

async function untilAllAcknowledged(platform: RunningPlatform, member: Member): Promise<void> {
  const path = `/workspaces/${member.id}/activity?type=a2a_receive&unacknowledged=true`;
  while ((await platform.operator.get(path)).text !== '[]');
}

onEachDatabase('an agent that is killed', { onDisk: true }, (environment) => {
  describe.each(DELIVERIES)('by $delivery', ({ delivery }) => {
    verifies('delivery.killed-agent-answers-once', 'visible exactly once after a crash', async () => {
      const { platform, member, peer, stateDirectory } = await startWorkspace(environment);
      const shared = { delivery, stateDirectory };
      const first = startKillableAgent(environment, platform, member, { ...shared, hangAfterReply: 'once' });
      await first.waitForEvent('online');
      await send(platform.operator, member.id, 'finished');
      await untilAllAcknowledged(platform, member);
      await untilPositionIsStored(stateDirectory);
      await send(peer.caller, member.id, 'once', { messageId: 'm-1' });
      await first.waitForLog((entries) =>
        entries.find(({ event, text }) => event === 'replied' && text === 'once'),
      );
      await first.kill();
      const second = startKillableAgent(environment, platform, member, shared);
      await second.waitForEvent('replied');
      await untilAllAcknowledged(platform, member);
      expect(second.log.entriesOf('handling')).toMatchObject([{ text: 'once' }]);
      expect(await inboxTexts(peer)).toEqual([expect.stringContaining('echo: once')]);
    });

    verifies('delivery.killed-agent-answers-once', 'also when no position was stored', async () => {
      const { platform, member, peer, stateDirectory } = await startWorkspace(environment);
      const shared = { delivery, stateDirectory };
      const first = startKillableAgent(environment, platform, member, { ...shared, hangAfterReply: 'once' });
      await first.waitForEvent('online');
      await send(peer.caller, member.id, 'once', { messageId: 'm-1' });
      await first.waitForEvent('replied');
      await first.kill();
      const second = startKillableAgent(environment, platform, member, shared);
      await second.waitForEvent('replied');
      await untilAllAcknowledged(platform, member);
      expect(second.log.entriesOf('handling')).toMatchObject([{ text: 'once' }]);
      expect(await inboxTexts(peer)).toEqual([expect.stringContaining('echo: once')]);
    });

    verifies(
      ['delivery.killed-agent-answers-once', 'agent.one-process-per-folder'],
      'killed handler runs again; one process per folder',
      async () => {
        const { platform, member, peer, stateDirectory } = await startWorkspace(environment);
        const shared = { delivery, stateDirectory };
        const first = startKillableAgent(environment, platform, member, {
          ...shared,
          hangBeforeReply: 'again',
        });
        await first.waitForEvent('online');
        await send(peer.caller, member.id, 'again', { messageId: 'm-1' });
        await first.waitForEvent('handling');

        const client = environment.client(platform, member, { storage: { directory: stateDirectory } });
        const other = createRemoteAgent({ client, delivery, onMessage: () => 'never' });
        await expect(other.start()).rejects.toMatchObject({
          code: 'workspace_in_use',
          message: expect.stringContaining(`Process ${first.pid} `),
        });

        await first.kill();
        for (const text of ['meanwhile 1', 'meanwhile 2']) await send(peer.caller, member.id, text);
        const second = startKillableAgent(environment, platform, member, shared);
        await untilAllAcknowledged(platform, member);
        expect(second.log.entriesOf('handling')).toMatchObject([
          { text: 'again', attempt: 2 },
          { text: 'meanwhile 1', attempt: 1 },
          { text: 'meanwhile 2', attempt: 1 },
        ]);
        expect(await inboxTexts(peer)).toEqual(
          ['again', 'meanwhile 1', 'meanwhile 2'].map((text) => expect.stringContaining(`echo: ${text}`)),
        );
      },
    );
  });
});
