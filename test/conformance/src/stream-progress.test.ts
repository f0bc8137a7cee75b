import { type JsonObject, wrapA2aBoundary } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { type HttpResponse, textAt, valueAt } from './harness/http.ts';
import { inbox, type Member, onboard, send } from './harness/members.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import { type OpenStream, StreamClient, taskIdOf } from './harness/streams.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const MINUTE = 60_000;

interface Stage {
  readonly platform: RunningPlatform;
  readonly caller: Member;
  readonly agent: Member;
  readonly streams: StreamClient;
  readonly stream: OpenStream;
  readonly activityId: string;
  report(body: JsonObject, from?: Member): Promise<HttpResponse>;
}

/** A polling agent with one message, `m-1`, whose stream is read. */
async function stage(
  environment: TestEnvironment,
  options: Parameters<TestEnvironment['platform']>[0] = {},
): Promise<Stage> {
  const platform = await environment.platform(options);
  const [caller, agent] = [await onboard(platform), await onboard(platform)];
  const streams = new StreamClient(environment, platform);
  const stream = await streams.send(caller, agent, 'hi', { messageId: 'm-1' });
  const activityId = textAt((await inbox(agent))[0], 'id');
  const path = `/workspaces/${agent.id}/activity/${activityId}/progress`;
  const report = (body: JsonObject, from = agent) =>
    from.caller.post(path, { run_id: 'run-1', offset: 0, ...body });
  return { platform, caller, agent, streams, stream, activityId, report };
}

const answer = ({ agent, caller }: Stage, text: string) =>
  send(agent.caller, caller.id, text, { role: 'agent', metadata: { in_reply_to: 'm-1' } });

onEachDatabase('progress', (environment) => {
  verifies('stream.progress.text', 'progress: text', async () => {
    const staged = await stage(environment);
    const { stream, report, agent } = staged;
    expect(await report({ text: 'One ' })).toMatchObject({ status: 200, body: { status: 'ok', offset: 4 } });
    await stream.next(2);
    expect(stream.pieces).toEqual(['[A2A_RESULT_FROM_PEER]One ']);
    expect((await report({ offset: 4, text: 'two ' })).body).toEqual({ status: 'ok', offset: 8 });
    await stream.next(3);
    const stored = await inbox(agent);
    expect(JSON.stringify(stored)).not.toContain('two');
    expect((await report({ offset: 8, text: '', final: true })).body).toEqual({ status: 'ok', offset: 8 });
    await answer(staged, 'One two three.');
    await stream.all();
    expect(stream.text).toBe(wrapA2aBoundary('One two three.'));
    expect(stream.pieces).toEqual(['[A2A_RESULT_FROM_PEER]One ', 'two ', 'three.[/A2A_RESULT_FROM_PEER]']);
  });

  verifies('stream.progress.continues', 'progress: offset', async () => {
    const { stream, report } = await stage(environment);
    await report({ text: 'abcd' });
    for (const repeat of [
      { offset: 0, text: 'abcd' },
      { offset: 1, text: 'bc' },
      { offset: 4, text: '' },
    ]) {
      expect((await report(repeat)).body).toEqual({ status: 'ok', offset: 4 });
    }
    expect((await report({ offset: 2, text: 'cdef' })).body).toEqual({ status: 'ok', offset: 6 });
    for (const other of [
      { offset: 7, text: 'x' },
      { offset: 5, text: 'x' },
      { offset: 0, text: 'x' },
      { offset: 100, text: '' },
    ]) {
      expect(await report(other)).toMatchObject({
        status: 409,
        body: { code: 'progress_conflict', expected_offset: 6, hint: expect.any(String) },
      });
    }
    await stream.until(() => stream.text.endsWith('abcdef'));
    await report({ offset: 6, text: '!', final: true });
    expect((await report({ offset: 6, text: '!', final: true })).status).toBe(200);
    for (const more of [
      { offset: 7, text: '?' },
      { offset: 6, text: '?' },
    ]) {
      const { status, body } = await report(more);
      expect([status, body]).toMatchObject([409, { code: 'progress_conflict', expected_offset: null }]);
      expect(textAt(body, 'hint')).toContain('`final`');
    }
  });

  verifies('stream.progress.continues', 'progress: one run', async () => {
    const { report, agent, caller, platform, streams } = await stage(environment);
    await report({ text: 'mine' });
    const stop = { status: 409, body: { code: 'progress_conflict', expected_offset: null } };
    expect(await report({ run_id: 'run-2', offset: 4, text: ' too' })).toMatchObject(stop);
    expect((await report({}, caller)).status).toBe(401);
    const unknown = `/workspaces/${agent.id}/activity/11111111-2222-4333-8444-555555555555/progress`;
    const body = { run_id: 'run-1', offset: 0, text: 'x' };
    expect(await agent.caller.post(unknown, body)).toMatchObject({
      status: 404,
      body: { code: 'activity_not_found' },
    });
    await send(caller.caller, agent.id, 'no stream', { messageId: 'm-2' });
    const other = await onboard(platform);
    await streams.send(caller, other, 'hi', { messageId: 'm-3' });
    const plain = `/workspaces/${agent.id}/activity/${textAt((await inbox(agent))[1], 'id')}/progress`;
    expect(await agent.caller.post(plain, body)).toMatchObject(stop);
    const foreign = `/workspaces/${agent.id}/activity/${textAt((await inbox(other))[0], 'id')}/progress`;
    expect((await agent.caller.post(foreign, body)).status).toBe(404);
  });

  verifies('stream.progress.continues', 'progress: ended', async () => {
    const staged = await stage(environment);
    const { report, stream, caller, agent, streams } = staged;
    await report({ text: 'One' });
    await answer(staged, 'One.');
    await stream.all();
    const ended = { status: 409, body: { code: 'message_ended', status: 'answered' } };
    expect(await report({ offset: 3, text: '!' })).toMatchObject(ended);
    const metadata = { deadline: new Date(Date.now() - 1_000).toISOString() };
    const late = await streams.send(caller, agent, 'late', { messageId: 'm-2', metadata });
    await late.all();
    expect(late.results.at(-1)).toMatchObject({ metadata: { state: 'expired', code: 'message_expired' } });
    const expired = `/workspaces/${agent.id}/activity/${textAt(late.results[0], 'id')}/progress`;
    expect(await agent.caller.post(expired, { run_id: 'r', offset: 0, text: 'x' })).toMatchObject({
      status: 410,
      body: { code: 'message_expired' },
    });
  });

  verifies('stream.progress.text', 'progress: another answer', async () => {
    const staged = await stage(environment);
    const { report, stream } = staged;
    await report({ text: 'A first try' });
    await stream.next(2);
    await answer(staged, 'Something else');
    const results = await stream.all();
    expect(valueAt(results[2], 'append')).toBe(false);
    expect(stream.text).toBe(wrapA2aBoundary('Something else'));
  });

  verifies('limits.own-rates', 'progress: rate', async () => {
    const { report, agent, platform } = await stage(environment, {
      clock: 'manual',
      limits: { rateLimit: 50, progressRate: 60 },
    });
    const sent: HttpResponse[] = [];
    for (let index = 0; index < 61; index += 1) sent.push(await report({ text: 'x' }));
    expect(sent.filter(({ status }) => status === 200)).toHaveLength(60);
    expect(sent[60]).toMatchObject({ status: 429, body: { code: 'rate_limited', scope: 'progress' } });
    expect((await agent.caller.get(`/workspaces/${agent.id}/state`)).status).toBe(200);
    await platform.clock.advance(MINUTE);
    expect((await report({ text: 'x' })).status).toBe(200);
  });

  verifies('answers.large-ones-hold-up-nobody', 'progress: memory', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const [caller, agent] = [await onboard(platform), await onboard(platform)];
    const streams = new StreamClient(environment, platform);
    const open = async (messageId: string) => {
      const stream = await streams.send(caller, agent, 'hi', { messageId });
      await stream.next(1);
      stream.pause();
      return `/workspaces/${agent.id}/activity/${taskIdOf(stream)}/progress`;
    };
    const text = 'x'.repeat(256 * 1024);
    const fill = async (path: string): Promise<HttpResponse> => {
      for (let offset = 0; ; offset += text.length) {
        const body = { run_id: 'run-1', offset, text };
        const response = await agent.caller.post(path, body);
        if (response.status !== 200) return response;
      }
    };
    // The part of one workspace, 32 MiB, is three answers of 10 MiB, and a piece of the fourth.
    for (let index = 1; index <= 3; index += 1) {
      const full = await fill(await open(`m-${index}`));
      expect(full).toMatchObject({ status: 413, body: { code: 'agent_answer_too_large' } });
    }
    const last = await open('m-4');
    expect(await fill(last)).toMatchObject({
      status: 503,
      headers: { 'retry-after': '5' },
      body: { code: 'platform_unavailable' },
    });
    const short = { run_id: 'run-1', offset: 0, text: 'x'.repeat(60 * 1024) };
    expect((await agent.caller.post(await open('m-5'), short)).status).toBe(200);
    await send(agent.caller, caller.id, 'short', { role: 'agent', metadata: { in_reply_to: 'm-1' } });
    // The first reader has not taken its text, so that is kept until it is closed.
    await platform.clock.advance(30_000);
    expect((await fill(last)).status).toBe(413);
  });
});

onEachDatabase('progress over a restart', { onDisk: true }, (environment) => {
  verifies('stream.progress.text', 'progress: restart', async () => {
    const staged = await stage(environment);
    const { report, stream, platform, streams, caller, agent } = staged;
    await report({ text: 'One ' });
    await stream.next(2);
    await platform.restart();
    const [last] = (await stream.all()).slice(-1);
    expect(stream.text).toBe(wrapA2aBoundary('One '));
    expect(last).toMatchObject({ final: true, status: { state: 'submitted' } });
    const again = await streams.send(caller, agent, 'hi', { messageId: 'm-1' });
    expect(await report({ offset: 4, text: 'two' })).toMatchObject({ body: { expected_offset: 0 } });
    expect((await report({ text: 'One two' })).body).toEqual({ status: 'ok', offset: 7 });
    await answer(staged, 'One two.');
    await again.all();
    expect(again.text).toBe(wrapA2aBoundary('One two.'));
  });
});
