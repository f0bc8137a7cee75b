import { randomUUID } from 'node:crypto';
import { createRemoteAgent, MessageFailure, type PeerReply } from '@molecule-ai/core';
import { type RecordingLogger, recordingLogger } from '@molecule-ai/core/testing';
import { expect } from 'vitest';
import { recordChannels } from './harness/diagnostics.ts';
import { type Member, onboard } from './harness/members.ts';
import { createPushAgent } from './harness/push-agent.ts';
import { recordTelemetry } from './harness/telemetry.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

/** Texts that must not get anywhere; each is unique. */
class Planted {
  readonly values: string[] = [];

  text(about: string): string {
    const value = `planted-${about}-${randomUUID()}`;
    this.values.push(value);
    return value;
  }

  /** What of it is in a text, as it is or in Base64, wherever that begins. */
  foundIn(text: string): string[] {
    return this.values.filter((value) => {
      const encoded = [0, 1, 2].flatMap((offset) => {
        const bytes = Buffer.from('x'.repeat(offset) + value);
        return [bytes.toString('base64'), bytes.toString('base64url')].map((each) => each.slice(4, -4));
      });
      return [value, ...encoded].some((form) => text.includes(form));
    });
  }
}

interface Scene {
  readonly planted: Planted;
  readonly members: readonly Member[];
  readonly logs: readonly RecordingLogger[];
  readonly replies: readonly PeerReply[];
}

/** Messages with every kind of end and way, with planted texts wherever somebody can write one. */
async function playScene(environment: TestEnvironment): Promise<Scene> {
  const planted = new Planted();
  const [platformLog, readerLog, brokenLog] = [recordingLogger(), recordingLogger(), recordingLogger()];
  const platform = await environment.platform({
    security: { allowAgentNetworks: ['127.0.0.0/8'] },
    server: { publicUrl: 'https://molecule.example.com', contractCheck: 'all' },
    limits: { maxAttempts: 1 },
    logger: platformLog,
  });
  planted.values.push(platform.operatorKey);
  const join = (url?: string) =>
    onboard(platform, {
      name: planted.text('name'),
      role: planted.text('role'),
      card: { name: planted.text('card'), description: planted.text('description') },
      ...(url === undefined ? {} : { url }),
    });
  const failing = await environment.scriptedAgent({
    script: () => ({
      kind: 'json',
      status: 500,
      body: { error: planted.text('agent-error'), code: planted.text('code') },
    }),
  });
  const members = [await join(), await join(), await join(), await join(failing.url)];
  const [front, reader, broken, server] = members as [Member, Member, Member, Member];
  planted.values.push(...members.map(({ token }) => token));

  const readerClient = environment.client(platform, reader, { logger: readerLog });
  const readerAgent = createRemoteAgent({
    client: readerClient,
    onAnswer: () => ({ text: planted.text('answer'), metadata: { note: planted.text('metadata') } }),
    onMessage: ({ text }) => {
      if (text.includes('fail'))
        throw new MessageFailure(planted.text('failure'), { code: planted.text('own-code') });
      if (text.includes('ask')) {
        const question = { kind: 'text', text: planted.text('question'), from: 'user' } as const;
        return { text: planted.text('asking'), questions: [question] };
      }
      return { text: planted.text('answer'), metadata: { note: planted.text('metadata') } };
    },
  });
  const brokenClient = environment.client(platform, broken, { logger: brokenLog });
  const brokenAgent = createRemoteAgent({
    client: brokenClient,
    atMostOnce: true,
    onMessage: () => {
      // What a handler throws is the agent's own, and is in its own log.
      throw new Error('broken');
    },
  });
  const pushed = await createPushAgent(environment, platform, front, {
    onMessage: async ({ text }, context) => {
      if (text.includes('stream')) await context.stream(planted.text('delta'));
      await pushed.client.notify(planted.text('notice'));
      const metadata = { about: planted.text('metadata') };
      const whole = await pushed.client.callPeer(reader.id, planted.text('question'), { metadata });
      const streamed = await pushed.client.streamPeer(reader.id, planted.text('question')).reply();
      const failed = await pushed.client.callPeer(reader.id, `fail ${planted.text('question')}`);
      replies.push(whole, streamed, failed);
      return whole.text;
    },
  });
  const replies: PeerReply[] = [];
  await Promise.all([readerAgent.start(), brokenAgent.start(), pushed.agent.start()]);
  environment.onCleanup(async () => void (await Promise.all([readerAgent.stop(), brokenAgent.stop()])));
  const operator = environment.operator(platform);
  const tell = (member: Member, about: string) =>
    operator.sendMessage(member.id, `${about} ${planted.text('text')}`);
  replies.push(
    await tell(front, 'plain'),
    await operator.streamMessage(front.id, `stream ${planted.text('text')}`).reply(),
  );
  replies.push(await tell(reader, 'ask'), await tell(broken, 'break'), await tell(server, 'push'));
  replies.push(await readerClient.callPeer(front.id, planted.text('direct')));
  await expect(readerClient.callPeer(randomUUID(), planted.text('nobody'))).rejects.toThrow();
  return { planted, members, logs: [platformLog, readerLog, brokenLog, pushed.log], replies };
}

/** Everything of a log line, errors with their stacks. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner instanceof Error
      ? { ...inner, name: inner.name, message: inner.message, stack: inner.stack, cause: inner.cause }
      : inner,
  );
}

onEachDatabase('what is recorded', { onDisk: true }, (environment) => {
  verifies(['tracing.nothing-private', 'tracing.metrics'], 'nothing private; metrics', async () => {
    const telemetry = recordTelemetry(environment);
    const published = recordChannels(environment);
    const { planted, members, logs, replies } = await playScene(environment);
    const countOf = (status: string) => replies.filter((reply) => reply.status === status).length;
    expect(['answered', 'failed', 'input-required'].map(countOf)).toEqual([9, 5, 1]);
    const exported = textOf(await telemetry.exported());
    expect(exported.length).toBeGreaterThan(20_000);
    expect(planted.foundIn(exported)).toEqual([]);
    expect(planted.foundIn(textOf(published))).toEqual([]);
    const lines = logs.map(({ lines: each }) => each);
    expect(lines.flat().some(({ level }) => level === 'debug')).toBe(true);
    for (const each of lines) {
      // The code that a handler gives its failure is the agent's own word, in its own log.
      const found = planted.foundIn(textOf(each));
      expect(
        found.filter((value) => each !== logs[1]?.lines || !value.startsWith('planted-own-code')),
      ).toEqual([]);
    }
    expect(planted.foundIn(`a ${Buffer.from(`xy${planted.values[0]}z`).toString('base64')}`)).toHaveLength(1);

    const points = await telemetry.points();
    const names = [...new Set(points.map(({ name }) => name))].sort();
    expect(names).toEqual([
      'molecule.agent.dead_letters',
      'molecule.agent.event_loop.lag',
      'molecule.agent.feed.reads',
      'molecule.agent.handle.duration',
      'molecule.agent.heartbeats',
      'molecule.agent.messages.active',
      'molecule.client.call.duration',
      'molecule.client.register.duration',
      'molecule.client.reply.duration',
      'molecule.platform.accept.duration',
      'molecule.platform.message.duration',
      'molecule.platform.push.duration',
      'molecule.platform.queue.age',
      'molecule.platform.queue.depth',
      'molecule.platform.queue.duration',
      'molecule.platform.requests.held',
      'molecule.platform.streams.open',
    ]);
    const labels = textOf(points.map(({ attributes }) => attributes));
    for (const { id } of members) expect(labels).not.toContain(id);
    const sum = (name: string, label = {}) =>
      points
        .filter((point) => point.name === name)
        .filter(({ attributes }) => Object.entries(label).every(([key, value]) => attributes[key] === value))
        .reduce((total, { value }) => total + value, 0);
    expect(sum('molecule.agent.dead_letters', { 'error.type': 'handler_failed' })).toBe(1);
    expect(sum('molecule.agent.handle.duration', { 'molecule.outcome': 'dead_letter' })).toBe(1);
    expect(
      sum('molecule.agent.handle.duration', { 'molecule.outcome': 'failed', 'error.type': 'other' }),
    ).toBeGreaterThan(0);
    expect(sum('molecule.client.call.duration', { 'molecule.via': 'direct' })).toBe(1);
    expect(sum('molecule.platform.message.duration', { 'molecule.state': 'failed' })).toBeGreaterThan(1);
    expect(sum('molecule.agent.messages.active')).toBe(0);
    expect(sum('molecule.platform.streams.open')).toBe(0);
  });

  verifies('tracing.channels', 'without OpenTelemetry', async () => {
    const published = recordChannels(environment);
    const { members } = await playScene(environment);
    const calls = published.filter(({ channel }) => channel.startsWith('molecule:core:call:'));
    const [started] = calls;
    expect(started).toEqual({
      channel: 'molecule:core:call:start',
      message: {
        operation: 'molecule send_message',
        facts: expect.objectContaining({
          'molecule.peer.id': members[0]?.id,
          'molecule.operation': 'send_message',
        }),
        traceparent: null,
      },
    });
    const ended = calls.filter(({ channel }) => channel.endsWith(':asyncEnd'));
    expect(ended).toHaveLength(calls.filter(({ channel }) => channel.endsWith(':start')).length);
    expect(ended[0]?.message).toMatchObject({ durationMs: expect.any(Number) });
    const failed = published.filter(({ channel }) => channel === 'molecule:core:handle:error');
    expect(failed.map(({ message }) => message.code)).toContain('handler_failed');
    expect(new Set(published.map(({ channel }) => channel.split(':').slice(0, 3).join(':')))).toEqual(
      new Set([
        'molecule:core:call',
        'molecule:core:handle',
        'molecule:core:reply',
        'molecule:core:register',
        'molecule:core:heartbeat',
        'molecule:core:feed-read',
        'molecule:core:dead-letter',
        'molecule:platform:accept',
        'molecule:platform:push',
        'molecule:platform:outcome',
      ]),
    );
  });
});
