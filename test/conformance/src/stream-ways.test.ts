import { createRemoteAgent, MessageFailure, type PeerStream } from '@molecule-ai/core';
import { expect } from 'vitest';
import { valueAt } from './harness/http.ts';
import { type Member, onboard } from './harness/members.ts';
import { startPushAgent } from './harness/push-agent.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import type { Handler } from './harness/test-agent.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const PLATFORM = {
  security: { allowAgentNetworks: ['127.0.0.0/8'] },
  server: { publicUrl: 'https://molecule.example.com', contractCheck: 'all' },
} as const;
const WAYS = ['direct', 'push', 'poll'] as const;

/** Asks an agent, on each way that a stream can take, and returns what its readers got. */
async function askOnEachWay(environment: TestEnvironment, handler: Handler) {
  const platform = await environment.platform(PLATFORM);
  const client = environment.client(platform, await onboard(platform));
  await client.register();
  const asked = [];
  for (const way of WAYS) {
    const member = await onboard(platform);
    let attempts = 0;
    const onMessage: Handler = (message, context) => {
      attempts += 1;
      return handler(message, context);
    };
    await startAgent(environment, platform, { member, way, onMessage });
    const via = way === 'direct' ? undefined : 'proxy';
    const stream = client.streamPeer(member.id, 'hello', { via });
    const text = await textOf(stream);
    asked.push({ way, text, reply: await stream.reply(), attempts });
  }
  return asked;
}

async function startAgent(
  environment: TestEnvironment,
  platform: RunningPlatform,
  { member, way, onMessage }: { readonly member: Member; readonly way: string; readonly onMessage: Handler },
): Promise<void> {
  if (way !== 'poll') {
    await startPushAgent(environment, platform, member, { onMessage });
    return;
  }
  const agent = createRemoteAgent({ client: environment.client(platform, member), onMessage });
  environment.onCleanup(() => agent.stop({ timeoutMs: 0 }));
  await agent.start();
}

async function textOf(stream: PeerStream): Promise<string> {
  let text = '';
  for await (const piece of stream) text += piece;
  return text;
}

onEachDatabase('answers to people', {}, (environment) => {
  verifies('answers.user-gets-all-of-it', async () => {
    const platform = await environment.platform(PLATFORM);
    const operator = environment.operator(platform);
    const data = { kind: 'data', data: { pages: 3 } } as const;
    const file = { kind: 'file', file: { uri: 'https://files.example.com/a', name: 'a' } } as const;
    const onMessage: Handler = async (_message, { stream }) => {
      await stream('Hel');
      return { text: 'lo', parts: [data, file], metadata: { source: 'handbook' } };
    };
    for (const way of ['push', 'poll']) {
      const member = await onboard(platform);
      await startAgent(environment, platform, { member, way, onMessage });
      const streamed = await operator
        .streamMessage(member.id, 'hello', { messageId: `stream-${way}` })
        .reply();
      const sent = await operator.sendMessage(member.id, 'hello', { messageId: `send-${way}` });
      const read = await operator.getMessage(member.id, `stream-${way}`);
      for (const reply of [streamed, sent, read]) {
        expect([way, reply.text]).toEqual([way, 'Hello']);
        expect(reply.parts).toHaveLength(3);
        expect(reply.parts).toEqual(
          expect.arrayContaining([expect.objectContaining(data), expect.objectContaining(file)]),
        );
        expect(valueAt(reply.raw, 'result', 'metadata')).toEqual({ source: 'handbook' });
      }
    }
  });
});

onEachDatabase('streams of handlers that fail', {}, (environment) => {
  verifies('agent.stream.throws', 'stream: text before a failure', async () => {
    const all = await askOnEachWay(environment, async function* () {
      yield 'piece one ';
      yield 'and two';
      throw new Error('secret');
    });
    expect(all).toMatchObject(
      WAYS.map((way) => ({
        way,
        text: 'piece one and two',
        attempts: 1,
        reply: { status: 'failed', code: 'handler_failed', via: way === 'direct' ? 'direct' : 'proxy' },
      })),
    );
  });

  verifies('agent.stream.throws', 'that the handler words', async () => {
    const all = await askOnEachWay(environment, async (_message, { stream }) => {
      await stream('piece one');
      throw new MessageFailure('The model stopped.', { code: 'model_stopped' });
    });
    for (const { text, reply, attempts } of all) {
      expect([text, reply.text, reply.code, attempts]).toEqual([
        'piece one',
        expect.stringContaining('The model stopped.'),
        'model_stopped',
        1,
      ]);
    }
  });

  verifies('answers.too-large-fails', 'has one code on each way', async () => {
    const mebibyte = 'x'.repeat(1024 * 1024);
    const failures = async (handler: Handler) =>
      (await askOnEachWay(environment, handler)).map(({ way, reply }) => [way, reply.status, reply.code]);
    const expected = WAYS.map((way) => [way, 'failed', 'agent_answer_too_large']);
    expect(
      await failures(async function* () {
        for (let count = 0; count < 12; count += 1) yield mebibyte;
      }),
    ).toEqual(expected);
    expect(
      await failures(async function* () {
        yield mebibyte.repeat(11);
      }),
    ).toEqual(expected);
  });
});
