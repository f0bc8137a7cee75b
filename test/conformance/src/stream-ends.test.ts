import { wrapA2aBoundary } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { textAt, valueAt } from './harness/http.ts';
import { createMember, inbox, type Member, onboard, send } from './harness/members.ts';
import { endAnswer, startStreamingAgent, writeAnswer } from './harness/streaming-agent.ts';
import { StreamClient, taskIdOf } from './harness/streams.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = { security: { allowAgentNetworks: ['127.0.0.0/8'] } };
const HALF = wrapA2aBoundary('Half');

/** Reports the text `Half` of the message in the first row of an agent's feed. */
async function reportHalf(agent: Member): Promise<void> {
  const id = textAt((await inbox(agent))[0], 'id');
  const body = { run_id: 'run-1', offset: 0, text: 'Half' };
  const { status } = await agent.caller.post(`/workspaces/${agent.id}/activity/${id}/progress`, body);
  expect(status).toBe(200);
}

onEachDatabase('ends of streams', (environment) => {
  verifies('stream.end.status', 'end: canceled', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const streams = new StreamClient(environment, platform);
    const stream = await streams.send(caller, agent, 'hi', { messageId: 'm-1' });
    const answer = await agent.stream(1);
    answer.out.send(answer.events.text('Half'));
    await stream.next(2);
    const params = { id: taskIdOf(stream) };
    await caller.caller.post(`/workspaces/${agent.id}/a2a`, {
      jsonrpc: '2.0',
      id: 1,
      method: 'tasks/cancel',
      params,
    });
    const results = await stream.all();
    expect(stream.text).toBe(HALF);
    expect(results.at(-1)).toMatchObject({
      final: true,
      status: { state: 'canceled' },
      metadata: { state: 'canceled' },
    });
    await answer.out.closed;
  });

  verifies('stream.end.status', 'end: failed', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const streams = new StreamClient(environment, platform);
    const stream = await streams.send(caller, agent, 'hi');
    const answer = await agent.stream(1);
    answer.out.send(answer.events.text('Half'));
    await stream.next(2);
    answer.out.response({ error: { code: -32000, message: 'Disk full' } });
    answer.out.end();
    const results = await stream.all();
    expect(stream.text).toBe(HALF);
    expect(results.at(-1)).toMatchObject({
      status: { state: 'failed', message: { parts: [{ text: wrapA2aBoundary('Disk full') }] } },
      metadata: { state: 'failed', code: 'agent_error' },
    });
  });

  verifies('stream.end.status', 'end: question', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const stream = await new StreamClient(environment, platform).send(caller, agent, 'hi', {
      messageId: 'm-1',
    });
    const answer = await agent.stream(1);
    const questions = [{ id: 'q-1', kind: 'text', text: 'Which colour?', from: 'sender' }];
    answer.out.send(answer.events.text('Which colour?'), answer.events.rest([], { questions }));
    endAnswer(answer);
    const results = await stream.all();
    expect(stream.text).toBe(wrapA2aBoundary('Which colour?'));
    const last = results.at(-1);
    expect(last).toMatchObject({
      status: { state: 'input-required' },
      metadata: { state: 'input_required' },
    });
    expect(textAt(last, 'status', 'message', 'parts', 0, 'text')).toBe(wrapA2aBoundary('Which colour?'));
    expect(valueAt(last, 'status', 'message', 'metadata', 'questions', 0, 'id')).toBe('q-1');
  });

  verifies('stream.end.status', 'end: agent task', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const stream = await new StreamClient(environment, platform).send(caller, agent, 'hi');
    const { out } = await agent.stream(1);
    const about = { taskId: 't-1', contextId: 'c-1' };
    const said = { role: 'agent', messageId: 'x', parts: [{ kind: 'text', text: 'Disk full' }] };
    out.send(
      { kind: 'task', id: 't-1', contextId: 'c-1', status: { state: 'working' } },
      {
        kind: 'artifact-update',
        ...about,
        artifact: { artifactId: 'a', parts: [{ kind: 'text', text: 'Half' }] },
      },
      { kind: 'status-update', ...about, status: { state: 'failed', message: said }, final: true },
    );
    out.end();
    const results = await stream.all();
    expect(stream.text).toBe(HALF);
    expect(results.at(-1)).toMatchObject({
      status: { state: 'failed', message: { parts: [{ text: wrapA2aBoundary('Disk full') }] } },
      metadata: { state: 'answered' },
    });
  });

  verifies('stream.end.revoked', 'end: removed', async () => {
    const platform = await environment.platform(LOOPBACK);
    const streams = new StreamClient(environment, platform);
    const [caller, agent] = [await onboard(platform), await onboard(platform)];
    const stream = await streams.send(caller, agent, 'hi');
    await reportHalf(agent);
    await stream.next(2);
    await platform.operator.delete(`/workspaces/${agent.id}?confirm=true`);
    const results = await stream.all();
    expect(stream.text).toBe(HALF);
    expect(results.at(-1)).toMatchObject({
      status: { state: 'failed' },
      metadata: { code: 'workspace_removed' },
    });
    const other = await onboard(platform);
    const read = await streams.send(caller, other, 'hi');
    await reportHalf(other);
    await read.next(2);
    await platform.operator.delete(`/workspaces/${caller.id}?confirm=true`);
    expect((await read.all()).at(-1)).toMatchObject({ final: true, status: { state: 'submitted' } });
    expect(read.text).toBe(HALF);
  });

  verifies('stream.end.revoked', 'end: revoked', async () => {
    const platform = await environment.platform(LOOPBACK);
    const streams = new StreamClient(environment, platform);
    const [caller, other, agent] = [
      await onboard(platform),
      await onboard(platform),
      await onboard(platform),
    ];
    const stream = await streams.send(caller, agent, 'hi');
    await reportHalf(agent);
    await stream.next(2);
    const kept = await streams.send(other, agent, 'hi');
    await kept.next(1);
    expect((await platform.operator.delete(`/workspaces/${caller.id}/tokens`)).status).toBe(200);
    expect((await stream.all()).at(-1)).toMatchObject({ final: true, metadata: { state: 'queued' } });
    expect(stream.text).toBe(HALF);
    expect((await streams.send(caller, agent, 'hi')).status).toBe(401);
    expect(kept.results).toHaveLength(1);
  });

  verifies(['stream.keep-alive', 'stream.end.silence'], 'keep alive; end: silence', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const [caller, agent] = [await onboard(platform), await onboard(platform)];
    const stream = await new StreamClient(environment, platform).send(caller, agent, 'hi', {
      messageId: 'm-1',
    });
    await stream.next(1);
    for (let count = 1; count <= 4; count += 1) {
      await platform.clock.advance(15_000);
      await stream.until(() => stream.comments.length === count);
    }
    expect(stream.comments[0]).toBe(': keep-alive');
    await reportHalf(agent);
    await stream.next(2);
    for (let count = 5; count <= 23; count += 1) {
      await platform.clock.advance(15_000);
      await stream.until(() => stream.comments.length === count);
    }
    expect(stream.results).toHaveLength(2);
    await platform.clock.advance(15_000);
    const results = await stream.all();
    expect(stream.text).toBe(HALF);
    expect(results.at(-1)).toMatchObject({ final: true, metadata: { message_id: 'm-1', state: 'queued' } });
    await send(agent.caller, caller.id, 'Half done.', { role: 'agent', metadata: { in_reply_to: 'm-1' } });
    expect((await inbox(caller)).map((row) => row.in_reply_to)).toEqual(['m-1']);
  });

  verifies('platform.stops-at-once', 'end: stop', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const stream = await new StreamClient(environment, platform).send(caller, agent, 'hi');
    const answer = await agent.stream(1);
    answer.out.send(answer.events.text('Half'));
    await stream.next(2);
    await platform.stop();
    expect((await stream.all()).at(-1)).toMatchObject({ final: true, metadata: { state: 'queued' } });
    expect(stream.text).toBe(HALF);
  });

  verifies('stream.end.status', 'end: no answer', async () => {
    const platform = await environment.platform();
    const [caller, agent] = [await onboard(platform), await onboard(platform)];
    const streams = new StreamClient(environment, platform);
    const silent = await streams.send(caller, agent, 'hi');
    await silent.next(1);
    const [row] = await inbox(agent);
    await agent.caller.post(`/workspaces/${agent.id}/activity/ack`, { up_to: textAt(row, 'id') });
    const [, ...rest] = await silent.all();
    expect(rest).toMatchObject([{ status: { state: 'completed' }, metadata: { state: 'unanswered' } }]);
    const question = await send(caller.caller, agent.id, 'asked', { messageId: 'm-2' });
    expect(question.status).toBe(202);
    const metadata = { in_reply_to: 'm-2' };
    const reply = await streams.send(agent, caller, 'Yes.', { role: 'agent', metadata });
    expect(await reply.all()).toMatchObject([
      { kind: 'task', status: { state: 'completed' }, metadata: { in_reply_to: 'm-2' } },
      { kind: 'status-update', status: { state: 'completed' }, final: true },
    ]);
  });

  verifies('stream.repeat', 'resubscribe', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const streams = new StreamClient(environment, platform);
    const first = await streams.send(caller, agent, 'hi', { messageId: 'm-1' });
    const answer = await agent.stream(1);
    answer.out.send(answer.events.text('Half of '));
    await first.next(2);
    const id = taskIdOf(first);
    const again = await streams.resubscribe(caller, agent, 'm-1');
    const inV1 = await streams.resubscribe(caller, agent, id, 'SubscribeToTask');
    await again.next(2);
    await inV1.next(2);
    expect(again.pieces).toEqual(['[A2A_RESULT_FROM_PEER]Half of ']);
    answer.out.send(answer.events.text('it.'));
    endAnswer(answer);
    for (const stream of [again, inV1]) {
      await stream.all();
      expect(stream.text).toBe(wrapA2aBoundary('Half of it.'));
    }
    expect(inV1.results[0]).toHaveProperty('task');
    const ended = await streams.resubscribe(caller, agent, id);
    expect(await ended.all()).toMatchObject([
      {
        kind: 'task',
        id,
        status: { state: 'completed' },
        artifacts: [{ parts: [{ text: wrapA2aBoundary('Half of it.') }] }],
      },
      { kind: 'status-update', taskId: id, status: { state: 'completed' }, final: true },
    ]);
    const endedInV1 = await streams.resubscribe(caller, agent, id, 'SubscribeToTask');
    expect(await endedInV1.all()).toMatchObject([
      { task: { id, artifacts: [{ parts: [{ text: wrapA2aBoundary('Half of it.') }] }] } },
      { statusUpdate: { taskId: id, status: { state: 'TASK_STATE_COMPLETED' } } },
    ]);
  });

  verifies('cancel.sender-or-operator-only', 'resubscribe: access', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [caller, agent] = [await onboard(platform), await startStreamingAgent(environment, platform)];
    const stranger = await createMember(platform);
    const streams = new StreamClient(environment, platform);
    await streams.send(caller, agent, 'hi', { messageId: 'm-1' });
    const notFound = { error: { code: -32001, data: { code: 'message_not_found' } } };
    for (const from of [agent, stranger]) {
      const stream = await streams.resubscribe(from, agent, 'm-1');
      await stream.all();
      expect(stream.status).toBe(404);
      expect(stream.body).toMatchObject(notFound);
    }
    await streams.send(undefined, agent, 'from the canvas', { messageId: 'm-2' });
    const canvas = await streams.resubscribe(undefined, agent, 'm-2');
    await agent.stream(1);
    writeAnswer(await agent.stream(2), ['Bare.']);
    await canvas.all();
    expect(canvas.text).toBe('Bare.');
  });

  verifies('stream.repeat', 'a message that was sent without a stream', async () => {
    const platform = await environment.platform();
    const [caller, agent] = [await onboard(platform), await onboard(platform)];
    await send(caller.caller, agent.id, 'hi', { messageId: 'm-1' });
    const stream = await new StreamClient(environment, platform).resubscribe(caller, agent, 'm-1');
    await stream.next(1);
    await send(agent.caller, caller.id, 'All.', { role: 'agent', metadata: { in_reply_to: 'm-1' } });
    await stream.all();
    expect(stream.pieces).toEqual([wrapA2aBoundary('All.')]);
  });
});
