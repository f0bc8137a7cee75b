import { wrapA2aBoundary } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { textAt, valueAt } from './harness/http.ts';
import { onboard } from './harness/members.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import { endAnswer, startStreamingAgent, writeAnswer } from './harness/streaming-agent.ts';
import { StreamClient } from './harness/streams.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = { security: { allowAgentNetworks: ['127.0.0.0/8'] } };
const RETRYING = { ...LOOPBACK, clock: 'manual' } as const;
const AT = '2026-11-22T12:00:00.000Z';

/** Moves time on in short steps. */
async function advanceUntil({ clock }: RunningPlatform, check: () => boolean): Promise<void> {
  while (!check()) await clock.advance(500);
}

onEachDatabase('agents that stream', (environment) => {
  verifies('stream.push.method', 'push: method', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const streams = new StreamClient(environment, platform);
    const stream = await streams.send(caller, agent, 'hi', { method: 'message/sendSubscribe' });
    const answer = await agent.stream(1);
    expect(answer.request.body).toMatchObject({ method: 'message/stream' });
    expect(answer.request.headers.accept).toBe('text/event-stream, application/json');
    writeAnswer(answer, ['Hi.']);
    await stream.all();
    expect(stream.text).toBe(wrapA2aBoundary('Hi.'));
    const plain = caller.caller.post(`/workspaces/${agent.id}/a2a`, { text: 'no stream' });
    const asked = await agent.stream(2);
    expect(asked.request.body).toMatchObject({ method: 'message/send' });
    expect(asked.request.headers.accept).toBe('application/json');
    asked.out.end();
    expect((await plain).body).toMatchObject({ code: 'agent_answer_invalid' });
  });

  verifies('stream.push.method', 'push: refused', async () => {
    const platform = await environment.platform(LOOPBACK);
    const caller = await onboard(platform);
    const streams = new StreamClient(environment, platform);
    for (const [code, status] of [
      [-32601, 200],
      [-32004, 501],
    ] as const) {
      const server = await environment.scriptedAgent({
        script: ({ body }) => {
          const isPlain = valueAt(body, 'method') === 'message/send';
          const error = { code, message: 'no' };
          return isPlain
            ? {
                kind: 'json',
                body: { jsonrpc: '2.0', id: 1, result: { kind: 'message', parts: [{ text: 'Hi.' }] } },
              }
            : { kind: 'json', status, body: { jsonrpc: '2.0', id: 1, error } };
        },
      });
      const card = { name: 'old', capabilities: { streaming: true } };
      const stream = await streams.send(caller, await onboard(platform, { url: server.url, card }), 'hi');
      await stream.all();
      expect(stream.text).toBe(wrapA2aBoundary('Hi.'));
      const methods = server.requests.map(({ body }) => valueAt(body, 'method'));
      expect(methods).toEqual(['message/stream', 'message/send']);
    }
  });

  verifies('stream.push.collected', 'push: collected', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const streams = new StreamClient(environment, platform);
    const stream = await streams.send(caller, agent, 'hi', { messageId: 'm-1' });
    const { out } = await agent.stream(1);
    const about = { taskId: 't-1', contextId: 'c-1' };
    const update = (artifactId: string, text: string, append: boolean) => ({
      kind: 'artifact-update',
      ...about,
      artifact: { artifactId, name: artifactId, parts: [{ kind: 'text', text }] },
      append,
    });
    out.raw(': hello\n\nevent: x\r\ndata: nonsense\r\n\r\n');
    out.send(
      { kind: 'task', id: 't-1', contextId: 'c-1', status: { state: 'submitted' } },
      {
        kind: 'status-update',
        ...about,
        status: { state: 'working', message: { parts: [{ text: 'Thinking' }] } },
      },
      update('one', 'A', false),
      update('one', 'B', true),
      update('two', 'C', false),
    );
    await stream.until(() => stream.text.endsWith('AB\nC'));
    out.send({ kind: 'status-update', ...about, status: { state: 'completed' }, final: true });
    out.end();
    await stream.all();
    expect(stream.text).toBe(wrapA2aBoundary('AB\nC'));
    expect(JSON.stringify(stream.results)).not.toContain('Thinking');
    const { body } = await caller.caller.get(`/workspaces/${caller.id}/messages/m-1`);
    expect(valueAt(body, 'answer', 'result')).toMatchObject({
      kind: 'task',
      id: 't-1',
      status: { state: 'completed' },
      artifacts: [
        { artifactId: 'one', parts: [{ text: wrapA2aBoundary('AB') }] },
        { artifactId: 'two', parts: [{ text: wrapA2aBoundary('C') }] },
      ],
    });
  });

  verifies('stream.push.collected', 'push: updates alone', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const streams = new StreamClient(environment, platform);
    const stream = await streams.send(caller, agent, 'hi', { messageId: 'm-1' });
    const { out } = await agent.stream(1);
    const about = { taskId: 't-1', contextId: 'c-1' };
    const parts = [{ kind: 'text', text: 'Half.' }];
    out.send({ kind: 'artifact-update', ...about, artifact: { artifactId: 'one', parts }, append: false });
    const message = {
      kind: 'message',
      role: 'agent',
      messageId: 'q',
      parts: [{ kind: 'text', text: 'Which one?' }],
    };
    out.send({
      kind: 'status-update',
      ...about,
      status: { state: 'input-required', message },
      final: true,
    });
    out.end();
    await stream.all();
    expect(stream.results.at(-1)).toMatchObject({
      status: {
        state: 'input-required',
        message: { parts: [{ text: wrapA2aBoundary('Which one?') }] },
      },
    });
    const { body } = await caller.caller.get(`/workspaces/${caller.id}/messages/m-1`);
    expect(valueAt(body, 'answer', 'result')).toMatchObject({
      kind: 'task',
      id: 't-1',
      status: { state: 'input-required' },
    });
  });

  verifies('stream.push.collected', 'push: answer is a message', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const streams = new StreamClient(environment, platform);
    const stream = await streams.send(caller, agent, 'hi', { messageId: 'm-1' });
    writeAnswer(await agent.stream(1), ['Hel', 'lo']);
    await stream.all();
    const { body } = await caller.caller.get(`/workspaces/${caller.id}/messages/m-1`);
    expect(valueAt(body, 'answer', 'result')).toMatchObject({
      kind: 'message',
      messageId: 're-m-1',
      parts: [{ text: wrapA2aBoundary('Hello') }],
    });
    const task = { jsonrpc: '2.0', id: 1, method: 'tasks/get', params: { id: 'm-1' } };
    const got = (await caller.caller.post(`/workspaces/${agent.id}/a2a`, task)).body;
    expect(textAt(got, 'result', 'artifacts', 0, 'parts', 0, 'text')).toBe(wrapA2aBoundary('Hello'));
  });

  verifies('stream.push.broken-off', async () => {
    const platform = await environment.platform(RETRYING);
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const streams = new StreamClient(environment, platform);
    const stream = await streams.send(caller, agent, 'hi', { messageId: 'm-1' });
    const first = await agent.stream(1);
    first.out.send(first.events.text('Hel'), first.events.text('lo '));
    await stream.until(() => stream.text.endsWith('Hello '));
    first.out.breakOff();
    await advanceUntil(platform, () => agent.server.requests.length === 2);
    const second = await agent.stream(2);
    expect(valueAt(second.request.body, 'params', 'message', 'messageId')).toBe('m-1');
    second.out.send(second.events.text('H'), second.events.text('ello wor'));
    await stream.until(() => stream.text.endsWith('wor'));
    // The connection ends properly, but without a last event.
    second.out.end();
    await advanceUntil(platform, () => agent.server.requests.length === 3);
    const third = await agent.stream(3);
    third.out.send(third.events.text('Hello '), third.events.text('there'));
    await stream.until(() => stream.text.endsWith('there'));
    endAnswer(third);
    const results = await stream.all();
    expect(stream.text).toBe(wrapA2aBoundary('Hello there'));
    expect(results.filter((result) => result.append === false)).toHaveLength(2);
  });

  verifies('answers.too-large-fails', 'push: limits', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const streams = new StreamClient(environment, platform);
    const failed = async (
      number: number,
      write: (answer: Awaited<ReturnType<typeof agent.stream>>) => void,
    ) => {
      const stream = await streams.send(caller, agent, 'hi', { messageId: `m-${number}` });
      const answer = await agent.stream(number);
      write(answer);
      const results = await stream.all();
      await answer.out.closed;
      return textAt(results.at(-1), 'metadata', 'code');
    };
    const mebibyte = 'x'.repeat(1_024 ** 2);
    const tooLong = await failed(1, ({ out, events }) => {
      for (let count = 0; count < 11; count += 1) out.send(events.text(mebibyte));
    });
    expect(tooLong).toBe('agent_answer_too_large');
    const endless = await failed(2, ({ out }) => {
      for (let count = 0; count < 11; count += 1) out.raw(`data: ${mebibyte}`);
    });
    expect(endless).toBe('agent_answer_too_large');
    const deep = await failed(3, ({ out, events }) => {
      let data: unknown = 1;
      for (let level = 0; level < 70; level += 1) data = [data];
      out.send(events.rest([{ kind: 'data', data: data as never }], undefined));
    });
    expect(deep).toBe('agent_answer_invalid');
    const many = await failed(4, (answer) => {
      const data = Array.from({ length: 30_000 }, () => 1);
      for (const _ of [1, 2]) answer.out.send(answer.events.rest([{ kind: 'data', data }], undefined));
      endAnswer(answer);
    });
    expect(many).toBe('agent_answer_invalid');
  });

  verifies('stream.push.silence', async () => {
    const platform = await environment.platform({ ...RETRYING, limits: { pushTimeoutMs: 10_000 } });
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const streams = new StreamClient(environment, platform);
    const stream = await streams.send(caller, agent, 'hi');
    const first = await agent.stream(1);
    // In all longer than one attempt may be silent.
    for (const piece of ['a', 'b', 'c']) {
      first.out.send(first.events.text(piece));
      await stream.until(() => stream.text.endsWith(piece));
      await platform.clock.advance(6_000);
    }
    expect(agent.server.requests).toHaveLength(1);
    first.out.raw(': a comment is no event\n\n');
    await environment.untilStable(() => agent.server.requests.length);
    await platform.clock.advance(4_000);
    await first.out.closed;
    await advanceUntil(platform, () => agent.server.requests.length === 2);
    writeAnswer(await agent.stream(2), ['abc', 'd']);
    await stream.all();
    expect(stream.text).toBe(wrapA2aBoundary('abcd'));
  });

  verifies('stream.end.status', 'push: expired', async () => {
    const platform = await environment.platform({ ...RETRYING, limits: { messageTtlMs: 60_000 } });
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const stream = await new StreamClient(environment, platform).send(caller, agent, 'hi');
    const answer = await agent.stream(1);
    answer.out.send(answer.events.task('delivered', AT), answer.events.text('Half'));
    await stream.until(() => stream.text.endsWith('Half'));
    await platform.clock.advance(61_000);
    const results = await stream.all();
    expect(results.at(-1)).toMatchObject({ metadata: { state: 'expired', code: 'message_expired' } });
    expect(stream.text).toBe(wrapA2aBoundary('Half'));
    await answer.out.closed;
  });

  verifies(['stream.back-pressure', 'answers.read-in-time'], 'back pressure; stalled', async () => {
    const platform = await environment.platform(RETRYING);
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const streams = new StreamClient(environment, platform);
    const slow = await streams.send(caller, agent, 'hi', { messageId: 'm-1' });
    await slow.next(1);
    const answer = await agent.stream(1);
    slow.pause();
    // Six bytes each on the wire, so that the sockets are full long before an answer is too large.
    const piece = '\u0001'.repeat(1_024 ** 2);
    let written = 0;
    while (!answer.out.isBlocked && written < 9) {
      answer.out.send(answer.events.text(piece));
      written += 1;
      await environment.untilStable(() => (answer.out.isBlocked ? 1 : 0));
    }
    expect(answer.out.isBlocked).toBe(true);
    const quick = await streams.send(caller, agent, 'hi', { messageId: 'm-1' });
    await answer.out.drained();
    answer.out.send(answer.events.text('the end'));
    await quick.until(() => quick.text.endsWith('the end'));
    quick.close();
    await platform.clock.advance(30_000);
    slow.resume();
    await slow.all();
    expect(slow.results.at(-1)).not.toHaveProperty('final');
    endAnswer(answer);
    const { body } = await caller.caller.get(`/workspaces/${caller.id}/messages/m-1?wait=20`);
    expect(textAt(body, 'state')).toBe('answered');
    expect(textAt(body, 'answer', 'result', 'parts', 0, 'text')).toHaveLength(
      wrapA2aBoundary(piece.repeat(written)).length + 'the end'.length,
    );
  });
});
