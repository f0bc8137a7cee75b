import { once } from 'node:events';
import {
  ApiError,
  type CurrentMessage,
  createRemoteAgent,
  currentMessage,
  type MessageHandler,
  type RemoteAgentClient,
} from '@molecule-ai/core';
import { expect } from 'vitest';
import { textAt, valueAt } from './harness/http.ts';
import { createMember, inbox, type Member, onboard, send, waitForRow } from './harness/members.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import { createTestAgent } from './harness/test-agent.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

/** What a handler does when the platform refuses its call: it answers without it. */
async function askOr(refusals: ApiError[], call: Promise<{ readonly text: string }>): Promise<string> {
  try {
    return (await call).text;
  } catch (error) {
    if (!ApiError.isInstance(error)) throw error;
    refusals.push(error);
    return `stopped: ${error.platformCode}`;
  }
}

/** Starts an agent that reads by long-poll. */
async function startAgent(
  environment: TestEnvironment,
  platform: RunningPlatform,
  member: Member,
  handlerOf: (client: RemoteAgentClient) => MessageHandler,
): Promise<void> {
  const client = environment.client(platform, member);
  const agent = createRemoteAgent({ client, onMessage: handlerOf(client) });
  environment.onCleanup(() => agent.stop());
  await agent.start();
}

onEachDatabase('loops of agents', (environment) => {
  /** Agents in a ring, each of which asks the next one whatever it is asked. */
  async function startRing(count: number, refusals: ApiError[], asks = askOr) {
    const platform = await environment.platform({
      mode: 'dev',
      limits: { rateLimit: 'default' },
      server: { contractCheck: 'all' },
    });
    const ring: Member[] = [];
    for (let each = 0; each < count; each += 1) ring.push(await onboard(platform));
    for (const [at, member] of ring.entries()) {
      const next = ring[(at + 1) % count] as Member;
      await startAgent(environment, platform, member, (client) => () => {
        return asks(refusals, client.callPeer(next.id, 'What do you think?'));
      });
    }
    return { platform, ring };
  }

  verifies('loops.circles-end', 'loops: mutual calls end', async () => {
    const refusals: ApiError[] = [];
    const { platform, ring } = await startRing(2, refusals);
    const [first] = ring as [Member];
    const reply = await environment.operator(platform).sendMessage(first.id, 'Go');
    expect(reply).toMatchObject({ status: 'answered', text: 'stopped: loop_detected' });
    expect(refusals).toHaveLength(1);
    expect(refusals[0]).toMatchObject({
      code: 'loop_detected',
      platformCode: 'loop_detected',
      isRetryable: false,
      message: expect.stringMatching(/^[A-Z][^/]*would continue a loop[^/]*[.]$/),
      hint: expect.stringContaining('answer the message that you are handling'),
    });
  });

  verifies('loops.uncaught', async () => {
    const platform = await environment.platform({ mode: 'dev', server: { contractCheck: 'all' } });
    const [first, second] = [await onboard(platform), await onboard(platform)];
    const ends: (readonly [string, string | null])[] = [];
    let runs = 0;
    const asks = (other: Member) => (client: RemoteAgentClient) => async () => {
      runs += 1;
      const { status, code, text } = await client.callPeer(other.id, 'What do you think?');
      ends.push([status, code]);
      return text;
    };
    await startAgent(environment, platform, first, asks(second));
    await startAgent(environment, platform, second, asks(first));
    await environment.operator(platform).sendMessage(first.id, 'Go');
    expect(ends[0]).toEqual(['failed', 'loop_detected']);
    // Each run but the one that was refused has its own end.
    expect(runs).toBe(ends.length + 1);
  });

  verifies('loops.circles-end', 'loops: rings end', async () => {
    const refusals: ApiError[] = [];
    const { platform, ring } = await startRing(3, refusals);
    const [first] = ring as [Member];
    const reply = await environment.operator(platform).sendMessage(first.id, 'Go');
    expect(reply).toMatchObject({ status: 'answered', text: 'stopped: loop_detected' });
    expect(refusals).toHaveLength(1);
  });

  verifies('loops.circles-end', 'loops: ping pong ends', async () => {
    const refusals: ApiError[] = [];
    const { promise: stopped, resolve: onStopped } = Promise.withResolvers<void>();
    const calls: Promise<unknown>[] = [];
    const { platform, ring } = await startRing(2, refusals, async (known, call) => {
      // Not waited for: the handler ends, and the message it sent continues the path.
      calls.push(askOr(known, call).then(() => (known.length > 0 ? onStopped() : undefined)));
      return '';
    });
    const [first, second] = ring as [Member, Member];
    await send(platform.operator, first.id, 'Go');
    await stopped;
    await Promise.all(calls);
    const rows = [...(await inbox(first)), ...(await inbox(second))];
    expect(rows).toHaveLength(5);
    expect(refusals.map(({ platformCode }) => platformCode)).toEqual(['loop_detected']);
  });

  verifies('agent.current-message', async () => {
    const platform = await environment.platform({ mode: 'dev', server: { contractCheck: 'all' } });
    const [asker, target] = [await onboard(platform), await onboard(platform)];
    const seen: (CurrentMessage | undefined)[] = [];
    await startAgent(environment, platform, target, () => async () => {
      await new Promise((resolve) => setTimeout(resolve, 0));
      seen.push(currentMessage());
      return 'done';
    });
    const options = { messageId: 'm-1', contextId: 'c-1', metadata: { trace_id: 'trace-1' }, hold: 30 };
    expect(await send(asker.caller, target.id, 'hello', options)).toMatchObject({ status: 200 });
    expect(seen).toMatchObject([
      {
        workspaceId: target.id,
        messageId: 'm-1',
        contextId: 'c-1',
        source: 'peer_agent',
        sourceId: asker.id,
        traceId: 'trace-1',
        deadline: null,
        attempt: 1,
      },
    ]);
    expect(currentMessage()).toBeUndefined();
  });

  verifies('agent.calls-name-their-parent', async () => {
    const platform = await environment.platform({ mode: 'dev', server: { contractCheck: 'all' } });
    const [asker, target] = [await onboard(platform), await onboard(platform)];
    const helper = await createMember(platform);
    const deadline = '2099-01-01T00:00:00.000Z';
    await startAgent(environment, platform, target, (client) => async () => {
      return (await client.callPeer(helper.id, 'help')).status;
    });
    const metadata = { trace_id: 'trace-1', deadline };
    await send(asker.caller, target.id, 'hello', { messageId: 'm-1', metadata, hold: 30 });
    const [row] = await inbox(helper);
    expect(row).toMatchObject({
      trace_id: 'trace-1',
      request_body: {
        params: { message: { metadata: { parent_message_id: 'm-1', trace_id: 'trace-1', deadline } } },
      },
    });
  });

  verifies('agent.signal-aborts', 'deadline', async () => {
    const platform = await environment.platform({
      mode: 'dev',
      clock: 'manual',
      server: { contractCheck: 'all' },
    });
    const [asker, member, helper] = [
      await onboard(platform),
      await onboard(platform),
      await onboard(platform),
    ];
    const reasons: unknown[] = [];
    const endedAt: number[] = [];
    const { agent, client, clock, handled, until } = createTestAgent(environment, platform, member, {
      delivery: 'long-poll',
      onMessage: async ({ text }, { signal }) => {
        // Its call to the helper expires too, which is reported to it.
        if (text !== 'hello') return '';
        await client.callPeer(helper.id, 'help', { timeoutMs: 600_000 }).catch(() => {});
        endedAt.push(clock.now());
        if (!signal.aborted) await once(signal, 'abort');
        reasons.push(signal.reason);
        return 'too late';
      },
    });
    await agent.start();
    const deadline = clock.now() + 240_000;
    const metadata = { deadline: new Date(deadline).toISOString() };
    await send(asker.caller, member.id, 'hello', { messageId: 'm-1', metadata });
    await until(() => handled.length > 0);
    await waitForRow(helper);
    await until(() => reasons.length > 0, 300_000);
    expect(reasons).toMatchObject([{ code: 'message_expired' }]);
    expect(endedAt[0]).toBeLessThan(deadline + 30_000);
    const stateOf = async (sender: Member, id: string) =>
      valueAt((await sender.caller.get(`/workspaces/${sender.id}/messages/${id}`)).body, 'state');
    await until(async () => (await stateOf(asker, 'm-1')) === 'expired');
    const history = await helper.caller.get(`/workspaces/${helper.id}/activity?direction=all`);
    const childId = textAt(history.body, 0, 'message_id');
    await until(async () => /expired|canceled/.test(String(await stateOf(member, childId))));
  });
});
