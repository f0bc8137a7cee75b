import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { textAt, valueAt } from '../harness/http.ts';
import { type CrashPoint, freePort, startKillablePushAgent } from '../harness/killable-push-agent.ts';
import { inbox, onboard, send, waitForRow } from '../harness/members.ts';
import { onEachDatabase } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

const POINTS: readonly { readonly at: CrashPoint; readonly delivery: 'push' | 'auto' }[] = [
  { at: 'arrived', delivery: 'push' },
  { at: 'began', delivery: 'push' },
  { at: 'handler', delivery: 'push' },
  { at: 'kept-end', delivery: 'push' },
  { at: 'register-push', delivery: 'auto' },
];
const ROUNDS = [1, 2, 3, 4, 5].flatMap((round) => POINTS.map((point) => ({ ...point, round })));

onEachDatabase('an agent with a server that is killed', { onDisk: true }, (environment) => {
  describe.each(ROUNDS)('at $at, $round', ({ at, delivery, round }) => {
    verifies('delivery.killed-agent-answers-once', 'killed agent loses nothing', async () => {
      const platform = await environment.platform({ security: { allowAgentNetworks: ['127.0.0.0/8'] } });
      const [peer, member] = [await onboard(platform), await onboard(platform)];
      const stateDirectory = environment.folder();
      const effects = join(environment.folder(), 'effects');
      const shared = { port: await freePort(), stateDirectory, effects, delivery };
      const text = `${at} round ${round}`;
      const crash = { at, on: text };
      const first = startKillablePushAgent(environment, platform, member, { ...shared, crash });
      if (at !== 'register-push') await first.waitForEvent('online');
      await send(peer.caller, member.id, text, { messageId: 'm-1' });
      // The point was reached, else the process would not end.
      expect(await first.exit).toMatchObject({ signal: 'SIGKILL' });
      const second = startKillablePushAgent(environment, platform, member, shared);
      const [end] = await waitForRow(peer);
      expect(textAt(end, 'in_reply_to')).toBe('m-1');
      expect(textAt(end, 'data', 'text')).toContain(`echo: ${text}`);
      const { body } = await platform.operator.get(`/workspaces/${peer.id}/messages/m-1`);
      expect(valueAt(body, 'state')).toBe('answered');
      expect(readFileSync(effects, 'utf8')).toBe(`${text}\n`);
      expect(await inbox(peer)).toHaveLength(1);
      await second.kill();
    });
  });

  verifies(
    'delivery.killed-agent-answers-once',
    'a message whose handler ends the process each time is given up',
    async () => {
      const platform = await environment.platform({ security: { allowAgentNetworks: ['127.0.0.0/8'] } });
      const [peer, member] = [await onboard(platform), await onboard(platform)];
      const shared = {
        port: await freePort(),
        stateDirectory: environment.folder(),
        effects: join(environment.folder(), 'effects'),
      };
      const crash = { at: 'began', on: 'deadly' } as const;
      const attempts: unknown[] = [];
      for (let start = 1; start <= 5; start += 1) {
        const agent = startKillablePushAgent(environment, platform, member, { ...shared, crash });
        if (start === 1) {
          await agent.waitForEvent('online');
          await send(peer.caller, member.id, 'deadly', { messageId: 'm-1' });
        }
        expect(await agent.exit).toMatchObject({ signal: 'SIGKILL' });
        attempts.push(
          await agent.waitForLog((log) => log.find(({ event }) => event === 'handling')?.attempt),
        );
      }
      expect(attempts).toEqual([1, 2, 3, 4, 5]);
      const last = startKillablePushAgent(environment, platform, member, { ...shared, crash });
      const [end] = await waitForRow(peer);
      expect(textAt(end, 'in_reply_to')).toBe('m-1');
      const { body } = await platform.operator.get(`/workspaces/${peer.id}/messages/m-1`);
      expect(valueAt(body, 'state')).toBe('failed');
      await last.kill();
    },
  );
});
