import { wrapA2aBoundary } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { textAt } from '../harness/http.ts';
import { onboard } from '../harness/members.ts';
import { type AgentStream, endAnswer, startStreamingAgent } from '../harness/streaming-agent.ts';
import { StreamClient } from '../harness/streams.ts';
import { onEachDatabase } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

const LOOPBACK = { security: { allowAgentNetworks: ['127.0.0.0/8'] } };
const MEBIBYTE = 'x'.repeat(1_024 ** 2);
const working = { kind: 'status-update', taskId: 't', contextId: 'c', status: { state: 'working' } };

onEachDatabase('limits of what agents stream', (environment) => {
  verifies('answers.bounded-memory', 'counts', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const streams = new StreamClient(environment, platform);
    const writers: ((answer: AgentStream, index: number) => void)[] = [
      ({ out }, index) => out.send({ ...working, metadata: { [`key ${index}`]: MEBIBYTE } }),
      ({ out }, index) => {
        const update = { kind: 'artifact-update', taskId: 't', contextId: 'c' };
        const artifact = { artifactId: `${index}`, parts: [] };
        out.send({ ...update, artifact });
        out.send({ ...update, artifact: { ...artifact, metadata: { large: MEBIBYTE } }, append: true });
      },
    ];
    for (const [number, write] of writers.entries()) {
      const stream = await streams.send(caller, agent, 'hi', { messageId: `m-${number}` });
      const answer = await agent.stream(number + 1);
      for (let index = 0; index < 11; index += 1) write(answer, index);
      const results = await stream.all();
      await answer.out.closed;
      expect(textAt(results.at(-1), 'metadata', 'code')).toBe('agent_answer_too_large');
    }
  });

  // What the cost was: a minute for the updates, half a minute for the lines.
  verifies('answers.bounded-memory', 'costs', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const stream = await new StreamClient(environment, platform).send(caller, agent, 'hi');
    const answer = await agent.stream(1);
    const { out, events } = answer;
    const fields = Object.fromEntries(Array.from({ length: 45_000 }, (_, index) => [`k${index}`, 1]));
    out.send({ kind: 'task', id: 't', contextId: 'c', status: { state: 'working' }, ...fields });
    for (let count = 0; count < 800; count += 1) out.send(working);
    for (const line of ['x\n', '\r', ': \n', 'id: 1\n\n']) out.raw(line.repeat(512 * 1_024));
    out.send({ kind: 'task', id: 't', contextId: 'c', status: { state: 'working' } }, events.text('Hi.'));
    endAnswer(answer);
    await stream.all();
    expect(stream.text).toBe(wrapA2aBoundary('Hi.'));
  });

  verifies('answers.bounded-memory', 'push: memory', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const caller = await onboard(platform);
    const [greedy, honest] = [
      await startStreamingAgent(environment, platform),
      await startStreamingAgent(environment, platform),
    ];
    const streams = new StreamClient(environment, platform);
    const data = (answer: AgentStream) => {
      for (let count = 0; count < 9; count += 1) {
        answer.out.send(answer.events.rest([{ kind: 'data', data: { text: MEBIBYTE } }], undefined));
      }
    };
    const text = ({ out, events }: AgentStream) => {
      for (let count = 0; count < 9; count += 1) out.send(events.text(MEBIBYTE));
    };
    // Nobody reads these, and they do not end. All memory would be fourteen of them.
    const open: AgentStream[] = [];
    for (let number = 1; number <= 12; number += 1) {
      const reader = await streams.send(caller, greedy, 'hi', { messageId: `greedy-${number}` });
      await reader.next(1);
      reader.close();
      const answer = await greedy.stream(number);
      open.push(answer);
      (number % 3 === 0 ? data : text)(answer);
    }
    const countBlocked = () => open.filter(({ out }) => out.isBlocked).length;
    expect(await environment.untilStable(countBlocked)).toBeGreaterThan(7);
    const stream = await streams.send(caller, honest, 'hi', { messageId: 'honest' });
    const answer = await honest.stream(1);
    answer.out.send(answer.events.text(MEBIBYTE));
    endAnswer(answer);
    await stream.all();
    expect(stream.text.length).toBeGreaterThan(MEBIBYTE.length);
    // Comments keep none of them for ever; then the next ones have their turn.
    let closed = 0;
    for (const { out } of open) void out.closed.then(() => (closed += 1));
    await platform.clock.advanceUntil(
      async () => {
        for (const { out } of open) if (!out.isBlocked) out.raw(': still here\n\n');
        return closed === open.length;
      },
      { stepMs: 60_000 },
    );
  });

  verifies('answers.bounded-memory', 'back pressure: bounded', async () => {
    const platform = await environment.platform({ ...LOOPBACK, clock: 'manual' });
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const streams = new StreamClient(environment, platform);
    const slow = await streams.send(caller, agent, 'hi', { messageId: 'm-1' });
    await slow.next(1);
    const answer = await agent.stream(1);
    slow.pause();
    const piece = '\u0001'.repeat(1_024 ** 2);
    for (let count = 0; count < 9; count += 1) answer.out.send(answer.events.text(piece));
    const isBlocked = () => (answer.out.isBlocked ? 1 : 0);
    expect(await environment.untilStable(isBlocked)).toBe(1);
    // It takes something now and then, so that it is not disconnected.
    for (let seconds = 0; seconds < 80 && isBlocked() === 1; seconds += 20) {
      slow.resume();
      await new Promise((resolve) => setImmediate(resolve));
      slow.pause();
      await platform.clock.advance(20_000);
      await environment.untilStable(isBlocked);
    }
    await answer.out.drained();
    endAnswer(answer);
    await answer.out.closed;
    slow.resume();
    await slow.all();
    expect(slow.text.length).toBeGreaterThan(9 * piece.length);
  });
});
