import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import { type Member, onboard, send } from './harness/members.ts';
import { createPushAgent, type PushAgent, type PushAgentOptions } from './harness/push-agent.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = {
  security: { allowAgentNetworks: ['127.0.0.0/8'] },
  server: { contractCheck: 'all' },
} as const;

interface Balancer {
  readonly url: string;
  /** The servers that get the requests, in turn. */
  readonly targets: string[];
}

async function startBalancer(environment: TestEnvironment): Promise<Balancer> {
  const targets: string[] = [];
  let count = 0;
  const server = createServer((request, response) => {
    count += 1;
    const { method, headers, url = '/' } = request;
    const target = targets[count % targets.length];
    if (target === undefined) return void response.writeHead(503).end();
    const passed = forward(new URL(url, target), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    request.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  environment.onCleanup(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, targets };
}

/** Creates replicas of one agent behind a balancer, each with a folder of its own. */
async function stageReplicas(environment: TestEnvironment, options: PushAgentOptions = {}) {
  const platform = await environment.platform(LOOPBACK);
  const [peer, member] = [await onboard(platform), await onboard(platform)];
  const balancer = await startBalancer(environment);
  const add = async (more: PushAgentOptions = {}): Promise<PushAgent> => {
    const replica = await createPushAgent(environment, platform, member, {
      ...options,
      ...more,
      reportedUrl: balancer.url,
    });
    balancer.targets.push(replica.url);
    return replica;
  };
  const ask = (text: string, hold = 20) => send(peer.caller, member.id, text, { messageId: text, hold });
  const answered = async (text: string): Promise<unknown> =>
    (await platform.operator.get(`/workspaces/${peer.id}/messages/${text}?wait=30`)).body;
  return { platform, peer, member: member as Member, balancer, add, ask, answered };
}

const textsOf = (...replicas: readonly PushAgent[]): string[] =>
  replicas.flatMap(({ handled }) => handled.map(({ text }) => text)).sort();

onEachDatabase('replicas of an agent with a server', { onDisk: true }, (environment) => {
  verifies('instances.each-message-once', 'replicas', async () => {
    const release = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const { platform, member, balancer, add, ask, answered } = await stageReplicas(environment, {
      onMessage: async ({ text }) => {
        if (text === 'slow') {
          started.resolve();
          await release.promise;
        }
        return `echo: ${text}`;
      },
    });
    const backlog = Array.from({ length: 10 }, (_, index) => `before-${index}`);
    for (const text of backlog) await ask(text, 0);
    const [first, second] = [await add(), await add({ presence: { onConflict: 'fail' } })];
    await Promise.all([first.agent.start(), second.agent.start()]);
    for (const text of backlog) expect(await answered(text)).toMatchObject({ state: 'answered' });
    const slow = ask('slow');
    await started.promise;
    // It starts while another one handles a message that has no end yet.
    const third = await add({ presence: { onConflict: 'takeover' } });
    await third.agent.start();
    const later = Array.from({ length: 12 }, (_, index) => `later-${index}`);
    for (const text of later) expect((await ask(text)).status).toBe(200);
    release.resolve();
    expect((await slow).status).toBe(200);
    expect(textsOf(first, second, third)).toEqual([...backlog, ...later, 'slow'].sort());
    for (const { agent, handled } of [first, second, third]) {
      expect(agent.health()).toMatchObject({ state: 'running', ok: true });
      expect(handled.length).toBeGreaterThan(0);
    }
    balancer.targets.shift();
    await first.agent.stop();
    expect((await platform.operator.get(`/workspaces/${member.id}`)).body).toMatchObject({
      status: 'online',
    });
    expect((await ask('last')).status).toBe(200);
    expect(textsOf(second, third)).toContain('last');
  });

  verifies('instances.folder-of-a-running-agent', 'replicas: own folders', async () => {
    const stateDirectory = environment.folder();
    const { add } = await stageReplicas(environment, { stateDirectory });
    const [first, second] = [await add(), await add()];
    await first.agent.start();
    await expect(second.agent.start()).rejects.toMatchObject({
      code: 'workspace_in_use',
      hint: expect.stringContaining('a state folder of its own'),
    });
  });
});
