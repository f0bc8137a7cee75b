import { once } from 'node:events';
import { createRemoteAgent, MemoryInboundStore, RemoteAgentClient, silentLogger } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createTestPlatform, ManualClock } from '@molecule-ai/platform/testing';
import { expect, onTestFinished } from 'vitest';
import { verifies } from './verifies.ts';

verifies('options.wrong-are-refused', 'refuses', async () => {
  const create = (options: object) => createTestPlatform(options);
  await expect(create({ mode: 'x' })).rejects.toMatchObject({
    code: 'invalid_options',
    problems: [{ option: 'mode' }],
  });
  await expect(create({ server: { publicUrl: 7 } })).rejects.toMatchObject({
    problems: [{ option: 'server.publicUrl' }],
  });
  await expect(
    create({ server: { port: 80, host: undefined }, data: { directory: '/tmp' } }),
  ).rejects.toMatchObject({
    problems: [{ option: 'server.port' }, { option: 'data.directory' }],
  });
  const platform = await createTestPlatform();
  onTestFinished(() => platform.close());
  expect(() => platform.serve('https://agent.test', undefined as never)).toThrow('handler');
  const { clock } = platform;
  const now = clock.now();
  for (const value of ['5', -1, Number.NaN, Number.POSITIVE_INFINITY, undefined, 5n]) {
    await expect(clock.advance(value as never)).rejects.toThrow(/^ms must be/);
    await expect(clock.advanceUntil(() => false, { stepMs: value as never, limitMs: 10 })).rejects.toThrow(
      value === undefined ? 'does not hold' : /^stepMs must be/,
    );
  }
  await expect(clock.advanceUntil(() => false, { stepMs: 0 })).rejects.toThrow('stepMs');
  await expect(clock.advanceUntil(() => false, { limitMs: '1' as never })).rejects.toThrow('limitMs');
  expect(() => clock.jump('5' as never)).toThrow('ms must be');
  expect(() => new ManualClock('5' as never)).toThrow('startAt');
  await clock.advance(5);
  // The one condition with the default step moved it by 1 s.
  expect(clock.now()).toBe(now + 1_005);
});

verifies('testing.stalled-clock', async () => {
  const platform = await createTestPlatform();
  onTestFinished(() => platform.close());
  const workspace = await platform.createWorkspace('agent');
  const client = new RemoteAgentClient({ ...platform, ...workspace, logger: silentLogger });
  let attempts = 0;
  const agent = createRemoteAgent({
    client,
    store: new MemoryInboundStore(),
    onMessage: () => {
      attempts += 1;
      if (attempts === 1) throw new Error('later');
      return 'ok';
    },
  });
  await agent.start();
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on('warning', onWarning);
  onTestFinished(() => void process.off('warning', onWarning));
  const operator = new OperatorClient(platform);
  const reply = operator.sendMessage(workspace.workspaceId, 'hello');
  const [warning] = await once(process, 'warning');
  expect(warning).toMatchObject({
    name: 'TestClockWarning',
    message: expect.stringMatching(/\d+ timers wait for the clock: advance it/),
  });
  await platform.clock.advance(5_000);
  expect(await reply).toMatchObject({ text: 'ok' });
  expect(warnings).toHaveLength(1);
  const stopped = agent.stop();
  await platform.clock.advance(1_000);
  await stopped;
  await Promise.all([client.close(), operator.close()]);
});
