import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { ProgramProcess } from '@molecule-tests/harness';
import { expect, vi } from 'vitest';
import { type Member, onboard } from '../harness/members.ts';
import { startPushAgent } from '../harness/push-agent.ts';
import { onEachDatabase, type TestEnvironment } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

const PROGRAM = fileURLToPath(new URL('../harness/direct-agent-program.ts', import.meta.url));
const DIRECT = {
  security: { allowAgentNetworks: ['127.0.0.0/8'] },
  server: { publicUrl: 'https://molecule.example.com' },
};
const ROUNDS = 5;

vi.setConfig({ testTimeout: 60_000 });

/** A port that nobody listens on at the moment. */
async function freePort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}

function startProgram(
  environment: TestEnvironment,
  platform: { readonly url: string },
  { id, token }: Member,
  given: Record<string, string>,
): ProgramProcess {
  const program = new ProgramProcess({
    name: 'direct',
    program: PROGRAM,
    folder: environment.folder(),
    environment: {
      MOLECULE_PLATFORM_URL: platform.url,
      MOLECULE_WORKSPACE_ID: id,
      MOLECULE_WORKSPACE_TOKEN: token,
      ...given,
    },
  });
  environment.onCleanup(() => program.kill());
  return program;
}

const count = (programs: readonly ProgramProcess[], event: string) =>
  programs.flatMap(({ log }) => log.entries).filter((entry) => entry.event === event).length;

onEachDatabase('direct calls and kill -9', { onDisk: true }, (environment) => {
  verifies('direct.killed', 'agents: killed peer', async () => {
    const platform = await environment.platform(DIRECT);
    for (let round = 0; round < ROUNDS; round += 1) {
      const [asking, member] = [await onboard(platform), await onboard(platform)];
      const given = { PORT: await freePort(), MOLECULE_STATE_DIR: environment.folder() };
      const first = startProgram(environment, platform, member, { ...given, HANGS: 'yes' });
      await first.waitForEvent('online');
      const caller = environment.client(platform, asking);
      await caller.register();
      const messageId = `m-${round}`;
      const call = caller.callPeer(member.id, 'work', { messageId });
      await first.waitForEvent('stored');
      await first.kill();
      const second = startProgram(environment, platform, member, given);
      await second.waitForEvent('online');
      const called = await call;
      expect(called.via).toBe('proxy');
      const reply = called.status === 'queued' ? await caller.waitForAnswer(messageId) : called;
      expect([reply.status, reply.text]).toEqual(['answered', 'done: work']);
      expect(count([first, second], 'effect')).toBe(1);
      expect(count([first], 'handling')).toBe(1);
      expect(count([second], 'handling')).toBe(1);
      await second.stop();
    }
  });

  verifies('direct.killed', 'agents: killed sender', async () => {
    const platform = await environment.platform(DIRECT);
    for (let round = 0; round < ROUNDS; round += 1) {
      const [asking, member] = [await onboard(platform), await onboard(platform)];
      const release = Promise.withResolvers<void>();
      const started = Promise.withResolvers<void>();
      const peer = await startPushAgent(environment, platform, member, {
        onMessage: async ({ text }) => {
          started.resolve();
          await release.promise;
          return `done: ${text}`;
        },
      });
      const given = { TARGET: member.id, MOLECULE_STATE_DIR: environment.folder() };
      const first = startProgram(environment, platform, asking, given);
      await started.promise;
      await first.kill();
      release.resolve();
      const second = startProgram(environment, platform, asking, given);
      const returned = await second.waitForEvent('returned');
      expect(returned).toMatchObject({ status: 'answered', via: 'direct', text: 'done: work' });
      expect(peer.handled).toHaveLength(1);
    }
  });
});
