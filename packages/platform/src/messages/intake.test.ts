import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { openAgent, openFolder, openPlatform } from '../../test/resources-of-test.ts';
import type { RunningPlatform } from '../../test/running-platform.ts';
import { answerText, eventually, say } from '../../test/scripted-agent.ts';

// Details that no behaviour of the conformance tests has.

interface Member {
  readonly id: string;
  readonly token: string;
}

const send = ({ call }: RunningPlatform, from: Member, to: Member, body: unknown, timeout = '0') =>
  call('POST', `/workspaces/${to.id}/a2a`, { token: from.token, body, headers: { 'x-timeout': timeout } });

const waiting = async ({ call }: RunningPlatform, { id, token }: Member) =>
  (await call('GET', `/workspaces/${id}/activity?unacknowledged=true`, { token })).body;

const record = async ({ call }: RunningPlatform, { id, token }: Member, messageId: string) =>
  (await call('GET', `/workspaces/${id}/messages/${messageId}`, { token })).body;

describe('a repeat', () => {
  it('joins the call that is held and gets the same answer, under its own request id', async () => {
    const running = await openPlatform();
    const [asker, poller] = [await running.join({ name: 'asker' }), await running.join({ name: 'poller' })];
    const first = send(running, asker, poller, say('both', 'joined'), '30');
    await eventually(async () => (await waiting(running, poller)).length === 1);
    const second = send(running, asker, poller, { ...say('both', 'joined'), id: 'another-id' }, '30');
    await send(running, poller, asker, say('for both', 'reply', { in_reply_to: 'joined' }));
    const [one, two] = await Promise.all([first, second]);
    expect(one.body).toMatchObject({ id: 'joined', result: { parts: [{ text: expect.any(String) }] } });
    expect(two.body).toMatchObject({ id: 'another-id', result: { parts: one.body.result.parts } });
  });

  it('is the same message when its target has no budget for another', async () => {
    const running = await openPlatform();
    const [asker, target] = [await running.join({ name: 'asker' }), await running.join({ budget_limit: 5 })];
    const early = await send(running, asker, target, say('early', 'early'));
    const beat = { workspace_id: target.id, monthly_spend: 5 };
    await running.call('POST', '/registry/heartbeat', { token: target.token, body: beat });
    expect(await send(running, asker, target, say('x', 'late'))).toMatchObject({ status: 402 });
    const again = await send(running, asker, target, say('early', 'early'));
    expect(again).toMatchObject({ status: 202, body: { queue_id: early.body.queue_id } });
  });
});

it('a reply that is refused for its size leaves its message open for another', async () => {
  const running = await openPlatform();
  const [asker, agent] = [await running.join({ name: 'asker' }), await running.join({ name: 'agent' })];
  await send(running, asker, agent, say('q', 'm'));
  const reply = (data: unknown) =>
    send(running, agent, asker, say('done', 're-m', { in_reply_to: 'm', data }));
  const tooMany = await reply(Array(50_000).fill(0));
  expect(tooMany).toMatchObject({ status: 400, body: { hint: expect.stringContaining('50000') } });
  expect(await reply('a'.repeat(1024 * 1024))).toMatchObject({ status: 413 });
  expect(await reply('small')).toMatchObject({ status: 200, body: { status: 'answered' } });
});

it('a message and the late answer to it are pushed with their senders, and the answer is not answered', async () => {
  const running = await openPlatform();
  const server = await openAgent((call) => answerText(call, 'thanks'));
  const asker = await running.join({ name: 'asker', url: `${server.url}/asker` });
  const poller = await running.join({ name: 'poller' });
  await send(running, poller, asker, say('hello', 'to-asker'));
  expect((await server.called(1)).body.params).toMatchObject({
    message: { parts: [{ kind: 'text', type: 'text', text: 'hello' }] },
    metadata: { source: 'peer_agent', peer_id: poller.id, peer_name: 'poller' },
  });
  await eventually(async () => (await waiting(running, poller)).length === 1);
  await send(running, asker, poller, say('q', 'asked'));
  await send(running, poller, asker, say('a', 'answer', { in_reply_to: 'asked' }));
  const wrapped = '[A2A_RESULT_FROM_PEER]a[/A2A_RESULT_FROM_PEER]';
  expect((await server.called(2)).body.params).toMatchObject({
    result: wrapped,
    message: { role: 'agent', metadata: { in_reply_to: 'asked' }, parts: [{ text: wrapped }] },
    metadata: { source: 'peer_agent', peer_id: poller.id },
  });
  await eventually(async () => {
    const [row] = (await running.call('GET', `/workspaces/${asker.id}/activity`)).body;
    return row.message_id === 'answer' && row.delivery_state === 'answered' && row.duration_ms >= 0;
  });
  expect(server.calls).toHaveLength(2);
  const fromAsker = (row: { in_reply_to?: string }) => row.in_reply_to !== undefined;
  expect((await waiting(running, poller)).filter(fromAsker)).toHaveLength(1);
});

it('pushes to an agent that is away use up no attempt', async () => {
  const clock = new ManualClock();
  const running = await openPlatform({ clock, limits: { maxAttempts: 1 } });
  let isUp = false;
  const agent = await openAgent((call) => (isUp ? answerText(call, 'back') : call.response.destroy()));
  const asker = await running.join({ name: 'asker' });
  const target = await running.join({ name: 'target', url: `${agent.url}/rpc` });
  const beat = ({ id, token }: Member) =>
    running.call('POST', '/registry/heartbeat', { token, body: { workspace_id: id } });
  // Its last sign of life is so long ago that it may be away.
  clock.advance(70_000);
  await beat(asker);
  expect((await send(running, asker, target, say('x', 'm'))).status).toBe(202);
  await agent.called(1);
  await eventually(async () => (await record(running, asker, 'm')).attempts === 0);
  clock.advance(90_000);
  await eventually(
    async () => (await running.call('GET', `/workspaces/${target.id}`)).body.status === 'offline',
  );
  isUp = true;
  await beat(target);
  await eventually(async () => (await record(running, asker, 'm')).state === 'answered');
});

it('a platform that stops answers those who wait, and keeps their messages', async () => {
  const dataDir = openFolder();
  const first = await openPlatform({ data: { directory: dataDir } });
  const [asker, poller] = [await first.join({ name: 'asker' }), await first.join({ name: 'poller' })];
  const held = send(first, asker, poller, say('q', 'm'), '300');
  await eventually(async () => (await waiting(first, poller)).length === 1);
  const path = `/workspaces/${asker.id}/activity?unacknowledged=true&wait=60`;
  const reading = first.call('GET', path, { token: asker.token });
  await first.call('GET', '/health', { token: null });
  await first.platform.close();
  expect((await held).status).toBe(202);
  expect(await reading).toMatchObject({ status: 200, body: [] });
  const second = await openPlatform({ data: { directory: dataDir } });
  expect(await record(second, asker, 'm')).toMatchObject({ state: 'queued' });
});
