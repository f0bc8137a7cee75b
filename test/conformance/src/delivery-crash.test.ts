import { FileInboundStore } from '@molecule-ai/core';
import { describe, expect } from 'vitest';
import { DELIVERIES, type DeliveryName } from './harness/agent-world.ts';
import { onEachDatabase } from './harness/each-database.ts';
import { type AgentProgramSettings, startAgentProcess, WARM_UP } from './harness/killable-agent.ts';
import { inboxTexts, type Member, onboard, send } from './harness/members.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import type { Site } from './harness/site.ts';
import { verifies } from './verifies.ts';

/** A workspace whose agent runs in another process, one after the other on the same state folder. */
async function startWorkspace(site: Site, delivery: DeliveryName) {
  const platform = await site.platform({ contractCheck: 'all' });
  const [member, peer] = [await onboard(platform), await onboard(platform)];
  const stateDirectory = site.folder();
  const { id: workspaceId, token } = member;
  const start = (script: AgentProgramSettings['script']) => {
    const settings = { platformUrl: platform.url, workspaceId, token, stateDirectory, delivery, script };
    const agent = startAgentProcess(settings);
    site.afterwards(() => agent.kill());
    return agent;
  };
  return { platform, member, peer, stateDirectory, start };
}

/** Waits until the agent has put a finished position on disk. */
async function untilKept(stateDirectory: string): Promise<void> {
  const store = new FileInboundStore(stateDirectory);
  while (!(await store.load()).some((line) => line.includes('"acknowledged":"')));
}

/** Waits until nothing waits for the agent any more. */
async function untilAcknowledged(platform: RunningPlatform, member: Member): Promise<void> {
  const path = `/workspaces/${member.id}/activity?type=a2a_receive&unacknowledged=true`;
  while ((await platform.operator.get(path)).text !== '[]');
}

onEachDatabase('an agent that is killed', { onDisk: true }, (site) => {
  describe.each(DELIVERIES)('by $delivery', ({ delivery }) => {
    verifies('delivery.visible-exactly-once-after-a-crash', async () => {
      const { platform, member, peer, stateDirectory, start } = await startWorkspace(site, delivery);
      const first = start('reply-then-hang');
      await first.reported('started');
      await send(platform.operator, member.id, WARM_UP);
      await untilKept(stateDirectory);
      await send(peer.caller, member.id, 'once', { messageId: 'm-1' });
      await first.reported('replied');
      await first.kill();
      const second = start('echo');
      expect(await second.reported('handling')).toMatchObject({ text: 'once' });
      await second.reported('replied');
      await untilAcknowledged(platform, member);
      expect(await inboxTexts(peer)).toEqual([expect.stringContaining('echo: once')]);
    });

    verifies('delivery.visible-exactly-once-after-a-crash', 'also when no position was stored', async () => {
      const { platform, member, peer, start } = await startWorkspace(site, delivery);
      const first = start('reply-then-hang');
      await first.reported('started');
      await send(peer.caller, member.id, 'once', { messageId: 'm-1' });
      await first.reported('replied');
      await first.kill();
      const second = start('echo');
      expect(await second.reported('handling')).toMatchObject({ text: 'once' });
      await second.reported('replied');
      await untilAcknowledged(platform, member);
      expect(await inboxTexts(peer)).toEqual([expect.stringContaining('echo: once')]);
    });

    verifies('delivery.killed-handler-runs-again', async () => {
      const { platform, member, peer, start } = await startWorkspace(site, delivery);
      const first = start('hang');
      await first.reported('started');
      await send(peer.caller, member.id, 'again', { messageId: 'm-1' });
      await first.reported('handling');
      await first.kill();
      const second = start('echo');
      expect(await second.reported('handling')).toMatchObject({ text: 'again', attempt: 2 });
      await untilAcknowledged(platform, member);
      expect(await inboxTexts(peer)).toEqual([expect.stringContaining('echo: again')]);
    });
  });
});
