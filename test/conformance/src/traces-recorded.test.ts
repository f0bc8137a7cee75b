import {
  type AnswerHandler,
  createRemoteAgent,
  type MessageHandler,
  type RemoteAgentClient,
} from '@molecule-ai/core';
import { expect } from 'vitest';
import { asUser, lineagesOf, recordOf } from './harness/lineages.ts';
import { type Member, onboard } from './harness/members.ts';
import { createPushAgent } from './harness/push-agent.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import { type RecordedTelemetry, recordTelemetry } from './harness/telemetry.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const DIRECT = {
  security: { allowAgentNetworks: ['127.0.0.0/8'] },
  server: { publicUrl: 'https://molecule.example.com', contractCheck: 'all' },
} as const;

async function startReader(
  environment: TestEnvironment,
  platform: RunningPlatform,
  member: Member,
  handlerOf: (client: RemoteAgentClient) => MessageHandler,
  onAnswer?: AnswerHandler,
): Promise<void> {
  const client = environment.client(platform, member);
  const agent = createRemoteAgent({ client, onMessage: handlerOf(client), onAnswer });
  environment.onCleanup(() => agent.stop());
  await agent.start();
}

/** The lineages of at least `count` spans of the user's trace. */
async function recordedLineages(telemetry: RecordedTelemetry, count: number): Promise<string[]> {
  const lineages = () => lineagesOf(telemetry.spans().map(recordOf));
  await expect.poll(() => lineages().length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);
  return lineages();
}

onEachDatabase('recorded traces', { onDisk: true }, (environment) => {
  verifies('tracing.one-trace', 'one trace', async () => {
    const platform = await environment.platform(DIRECT);
    const [front, middle, back] = [await onboard(platform), await onboard(platform), await onboard(platform)];
    const server = await createPushAgent(environment, platform, back, { onMessage: () => 'done' });
    await server.agent.start();
    const pushed = await createPushAgent(environment, platform, front, {
      onMessage: async () => (await pushed.client.callPeer(middle.id, 'go on', { via: 'proxy' })).text,
    });
    await pushed.agent.start();
    await startReader(environment, platform, middle, (client) => async () => {
      await client.callPeer(back.id, 'direct');
      return (await client.streamPeer(back.id, 'streamed', { via: 'proxy' }).reply()).text;
    });
    const telemetry = recordTelemetry(environment);
    const operator = environment.operator(platform);
    const reply = await asUser(() => operator.sendMessage(front.id, 'go'));
    expect(reply.text).toBe('done');
    const [first, second, third] = [
      'user > send_message > accept',
      'user > send_message > accept > push > handle > call_peer > accept',
      'user > send_message > accept > push > handle > call_peer > accept > handle > stream_peer > accept',
    ];
    const expected = [
      'user',
      'user > send_message',
      first,
      `${first} > push`,
      `${first} > push > handle`,
      `${first} > push > outcome`,
      `${first} > push > handle > call_peer`,
      second,
      `${second} > outcome`,
      `${second} > handle`,
      `${second} > handle > reply`,
      `${second} > handle > reply > accept`,
      `${second} > handle > call_peer`,
      `${second} > handle > call_peer > handle`,
      `${second} > handle > stream_peer`,
      third,
      `${third} > push`,
      `${third} > push > handle`,
      `${third} > push > outcome`,
    ];
    expect(await recordedLineages(telemetry, expected.length)).toEqual(expected.sort());
  });

  verifies('tracing.one-trace', 'of a late answer', async () => {
    const platform = await environment.platform(DIRECT);
    const [asking, asked] = [await onboard(platform), await onboard(platform)];
    await startReader(environment, platform, asked, () => () => 'at last');
    await startReader(environment, platform, asking, (client) => async () => {
      await client.sendToPeer(asked.id, 'take your time');
      return null;
    });
    const telemetry = recordTelemetry(environment);
    await asUser(() => environment.operator(platform).sendMessage(asking.id, 'go'));
    const question = 'user > send_message > accept > handle > send_to_peer > accept';
    const lineages = await recordedLineages(telemetry, 12);
    expect(lineages).toEqual(
      expect.arrayContaining([question, `${question} > handle > reply > accept > handle`]),
    );
  });
});
