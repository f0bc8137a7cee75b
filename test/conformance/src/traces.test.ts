import {
  type AnswerHandler,
  createRemoteAgent,
  currentMessage,
  type MessageHandler,
  type QuestionToAsk,
  type RemoteAgentClient,
} from '@molecule-ai/core';
import { expect } from 'vitest';
import { textAt } from './harness/http.ts';
import { envelope, inbox, type Member, onboard, send, waitForRow } from './harness/members.ts';
import { createPushAgent } from './harness/push-agent.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const DIRECT = {
  security: { allowAgentNetworks: ['127.0.0.0/8'] },
  server: { publicUrl: 'https://molecule.example.com', contractCheck: 'all' },
} as const;
const TRACE = {
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  tracestate: 'vendor=1,other@system=b c',
};

interface SeenTrace {
  readonly traceparent: string;
  readonly tracestate: string;
}

/** The trace of the message that is handled. */
function seenTrace(): SeenTrace {
  const { traceparent = '', tracestate = '' } = currentMessage() ?? {};
  return { traceparent, tracestate };
}

const WHICH: QuestionToAsk = { id: 'q', kind: 'text', text: 'Which?', from: 'user' };

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

onEachDatabase('trace context', { onDisk: true }, (environment) => {
  verifies('tracing.one-trace', 'every way', async () => {
    const platform = await environment.platform(DIRECT);
    const [front, middle, back] = [await onboard(platform), await onboard(platform), await onboard(platform)];
    const seen: Record<string, SeenTrace> = {};
    const server = await createPushAgent(environment, platform, back, {
      onMessage: ({ text }) => {
        seen[text] = seenTrace();
        return 'done';
      },
    });
    await server.agent.start();
    await startReader(environment, platform, middle, (client) => async () => {
      seen.polled = seenTrace();
      const direct = await client.callPeer(back.id, 'direct');
      const proxied = await client.callPeer(back.id, 'proxied', { via: 'proxy' });
      const streamed = await client.streamPeer(back.id, 'streamed').reply();
      return [direct, proxied, streamed].map(({ via, text }) => `${via}: ${text}`).join();
    });
    const pushed = await createPushAgent(environment, platform, front, {
      onMessage: async () => {
        seen.pushed = seenTrace();
        return (await pushed.client.callPeer(middle.id, 'go on')).text;
      },
    });
    await pushed.agent.start();
    const answer = await platform.operator.post(`/workspaces/${front.id}/a2a`, envelope('go', { hold: 30 }), {
      ...TRACE,
      'x-timeout': '30',
    });
    expect(textAt(answer.body, 'result', 'parts', 0, 'text')).toBe('direct: done,proxy: done,direct: done');
    const ways = ['pushed', 'polled', 'direct', 'proxied', 'streamed'];
    expect(seen).toEqual(Object.fromEntries(ways.map((way) => [way, TRACE])));
    for (const view of ['', '&view=compact']) expect(await inbox(middle, view)).toMatchObject([TRACE]);
  });

  verifies('tracing.one-trace', 'late answers', async () => {
    const platform = await environment.platform(DIRECT);
    const [asking, asked] = [await onboard(platform), await onboard(platform)];
    const late = Promise.withResolvers<SeenTrace>();
    await startReader(environment, platform, asked, () => () => 'at last');
    const ask = (client: RemoteAgentClient) => async () => {
      await client.sendToPeer(asked.id, 'take your time');
      return null;
    };
    await startReader(environment, platform, asking, ask, () => late.resolve(seenTrace()));
    await platform.operator.post(`/workspaces/${asking.id}/a2a`, envelope('go'), {
      ...TRACE,
      'x-timeout': '0',
    });
    expect(await late.promise).toEqual(TRACE);
  });

  verifies('tracing.one-trace', 'of an agent that names no trace', async () => {
    const platform = await environment.platform();
    const [asking, asked] = [await onboard(platform), await onboard(platform)];
    await send(asking.caller, asked.id, 'go', { messageId: 'question', headers: TRACE });
    await send(asked.caller, asking.id, 'done', { metadata: { in_reply_to: 'question' } });
    expect(await waitForRow(asking)).toMatchObject([{ in_reply_to: 'question', ...TRACE }]);
    expect(await inbox(asking, '&view=compact')).toMatchObject([TRACE]);
  });

  verifies('tracing.one-trace', 'questions', async () => {
    const platform = await environment.platform(DIRECT);
    const member = await onboard(platform);
    const continued = Promise.withResolvers<SeenTrace>();
    const onAnswer = () => {
      continued.resolve(seenTrace());
      return 'done';
    };
    await startReader(environment, platform, member, () => () => ({ questions: [WHICH] }), onAnswer);
    const path = `/workspaces/${member.id}/a2a`;
    await platform.operator.post(path, envelope('go'), { ...TRACE, 'x-timeout': '30' });
    await environment.operator(platform).answerQuestion(member.id, 'q', { text: 'This one' });
    expect(await continued.promise).toEqual(TRACE);
  });

  verifies('tracing.one-trace', 'about a message that came directly', async () => {
    const platform = await environment.platform(DIRECT);
    const [asking, asked] = [await onboard(platform), await onboard(platform)];
    const continued = Promise.withResolvers<SeenTrace>();
    const server = await createPushAgent(environment, platform, asked, {
      onMessage: () => ({ questions: [WHICH] }),
      onAnswer: () => {
        continued.resolve(seenTrace());
        return 'done';
      },
    });
    await server.agent.start();
    await startReader(environment, platform, asking, (client) => async () => {
      return (await client.callPeer(asked.id, 'go')).via;
    });
    const path = `/workspaces/${asking.id}/a2a`;
    const answer = await platform.operator.post(path, envelope('go'), { ...TRACE, 'x-timeout': '30' });
    expect(textAt(answer.body, 'result', 'parts', 0, 'text')).toBe('direct');
    await environment.operator(platform).answerQuestion(asked.id, 'q', { text: 'This one' });
    expect(await continued.promise).toEqual(TRACE);
  });

  verifies('tracing.malformed', async () => {
    const platform = await environment.platform(DIRECT);
    const agent = await environment.scriptedAgent({
      script: ({ body }) => ({ kind: 'json', body: { jsonrpc: '2.0', id: textAt(body, 'id'), result: {} } }),
    });
    const [caller, reader] = [await onboard(platform), await onboard(platform)];
    const pushed = await onboard(platform, { url: agent.url });
    const { traceparent } = TRACE;
    const contexts = [
      [{ traceparent: traceparent.toUpperCase() }, {}],
      [{ traceparent: `${traceparent}-extra` }, {}],
      [{ traceparent: traceparent.replace('4bf92f3577b34da6a3ce929d0e0e4736', '0'.repeat(32)) }, {}],
      [{ traceparent: `ff${traceparent.slice(2)}` }, {}],
      [{ tracestate: 'a=1' }, {}],
      [{ traceparent: `cc${traceparent.slice(2)}-extra` }, { traceparent }],
      [{ traceparent, tracestate: 'not valid' }, { traceparent }],
      [{ traceparent, tracestate: `a=${'x'.repeat(600)}` }, { traceparent }],
    ] as const;
    for (const [given, kept] of contexts) {
      const messageId = crypto.randomUUID();
      await send(caller.caller, reader.id, 'hi', { messageId, headers: given });
      const row = (await inbox(reader)).find((each) => each.message_id === messageId);
      const { traceparent: parent, tracestate: state } = row ?? {};
      expect([row?.id === undefined, parent, state], JSON.stringify(given)).toEqual([
        false,
        'traceparent' in kept ? kept.traceparent : undefined,
        undefined,
      ]);
      await send(caller.caller, pushed.id, 'hi', { headers: given, hold: 5 });
      const { headers } = agent.requests.at(-1) ?? {};
      expect([headers?.traceparent, headers?.tracestate]).toEqual([
        'traceparent' in kept ? kept.traceparent : undefined,
        undefined,
      ]);
    }
  });
});
