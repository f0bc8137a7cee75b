import { wrapA2aBoundary } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { textAt } from './harness/http.ts';
import { onboard } from './harness/members.ts';
import { type AgentStream, endAnswer, startStreamingAgent } from './harness/streaming-agent.ts';
import { StreamClient } from './harness/streams.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = { allowAgentNetworks: ['127.0.0.0/8'] };
const MEBIBYTE = 'x'.repeat(1_024 ** 2);
const working = { kind: 'status-update', taskId: 't', contextId: 'c', status: { state: 'working' } };

onEachDatabase('limits of what agents stream', (environment) => {
  verifies('stream.push.much-about-little', 'counts', async () => {
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
  verifies('stream.push.much-about-little', 'costs', async () => {
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
});
