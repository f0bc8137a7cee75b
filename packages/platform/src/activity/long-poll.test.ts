import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';
import { eventually, say } from '../../test/scripted-agent.ts';
import { createTestPlatform } from '../test-platform.ts';

const clock = new ManualClock();
const statements: string[] = [];
let running: RunningPlatform;
beforeAll(async () => {
  running = await startPlatform({
    clock,
    rateLimit: 1_000_000,
    onQuery: (sql) => void statements.push(sql),
  });
});
afterAll(() => running.platform.close());

const idle = () => eventually(() => new Promise<boolean>((resolve) => setTimeout(resolve, 50, true)));

describe('waiting for a row', () => {
  it('ends as soon as a row is written, with the header that confirms it', async () => {
    const asker = await running.join({ name: 'asker' });
    const reader = await running.join({ name: 'reader' });
    const path = `/workspaces/${reader.id}/activity?type=a2a_receive&wait=20`;
    const waiting = running.call('GET', path, { token: reader.token });
    await idle();
    clock.advance(3_000);
    await running.call('POST', `/workspaces/${reader.id}/a2a`, {
      token: asker.token,
      body: say('now', 'wake'),
      headers: { 'x-timeout': '0' },
    });
    const answer = await waiting;
    expect(answer.body).toMatchObject([{ message_id: 'wake' }]);
    expect(answer.headers['x-wait-applied']).toBe('20');
    const at = answer.headers['x-next-cursor'];
    const immediate = await running.call('GET', path, { token: reader.token });
    expect(immediate.headers['x-wait-applied']).toBe('20');
    const without = await running.call('GET', `/workspaces/${reader.id}/activity?since_id=${at}`);
    expect(without.headers['x-wait-applied']).toBeUndefined();
  });

  it('ends empty when the time is up, and ignores rows its filters leave out', async () => {
    const reader = await running.join({ name: 'reader' });
    const path = `/workspaces/${reader.id}/activity?type=a2a_receive&wait=20`;
    const waiting = running.call('GET', path, { token: reader.token });
    await idle();
    await running.call('POST', `/workspaces/${reader.id}/notify`, {
      token: reader.token,
      body: { message: 'x' },
    });
    await idle();
    clock.advance(19_000);
    const isDone = Promise.race([waiting.then(() => true), idle().then(() => false)]);
    expect(await isDone).toBe(false);
    clock.advance(1_001);
    expect(await waiting).toMatchObject({ status: 200, body: [] });
  });

  it('500 times runs no SQL in ten seconds, and all are woken', async () => {
    const reader = await running.join({ name: 'reader' });
    const path = `/workspaces/${reader.id}/activity?type=a2a_receive&wait=60`;
    const waiting = Array.from({ length: 500 }, () => running.call('GET', path, { token: reader.token }));
    await eventually(async () => {
      const before = statements.length;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return statements.length === before;
    });
    // The last use of a token is stored once, some seconds later; waiting does not cause it.
    clock.advance(15_000);
    await idle();
    const before = statements.length;
    for (let second = 0; second < 10; second += 1) {
      clock.advance(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await idle();
    expect(statements.slice(before)).toEqual([]);
    await running.call('POST', `/workspaces/${reader.id}/a2a`, {
      body: say('all', 'all'),
      headers: { 'x-timeout': '0' },
    });
    const answers = await Promise.all(waiting);
    expect(new Set(answers.map((answer) => answer.body[0]?.message_id))).toEqual(new Set(['all']));
  });
});

describe('a read that found nothing', () => {
  it('is not read again until something may have changed, and at least every five minutes', async () => {
    const texts: string[] = [];
    await using platform = await createTestPlatform({ onQuery: (sql) => void texts.push(sql) });
    const { workspaceId: id, authToken: token } = await platform.createWorkspace('reader');
    const send = async (text: string) => {
      const options = { body: say(text, text), headers: { 'x-timeout': '0' } };
      expect((await platform.request('POST', `/workspaces/${id}/a2a`, options)).status).toBe(202);
    };
    const readFrom = async (since: string, filter = '') => {
      texts.length = 0;
      const path = `/workspaces/${id}/activity?type=a2a_receive&direction=in&wait=20${since}${filter}`;
      const reading = platform.request('GET', path, { token });
      await platform.clock.advance(20_000);
      const { headers, body } = await reading;
      return {
        since: `&since_id=${String(headers['x-next-cursor'])}`,
        found: body.map((row: { message_id: string }) => row.message_id),
        queries: texts.filter((sql) => sql.includes('from "activity"')).length,
      };
    };
    await send('first');
    const { since, found } = await readFrom('');
    expect(found).toEqual(['first']);
    expect(await readFrom(since)).toEqual({ since, found: [], queries: 2 });
    expect(await readFrom(since)).toEqual({ since, found: [], queries: 0 });
    // Another query, and the first one after it.
    expect(await readFrom(since, '&source=canvas')).toEqual({ since, found: [], queries: 2 });
    expect(await readFrom(since)).toEqual({ since, found: [], queries: 2 });
    await platform.clock.advance(300_000);
    expect(await readFrom(since)).toEqual({ since, found: [], queries: 2 });

    // What is stored during a pause is not shown before its end.
    await platform.pause(id);
    await send('paused');
    expect(await readFrom(since)).toMatchObject({ found: [] });
    expect(await readFrom(since)).toEqual({ since, found: [], queries: 0 });
    await platform.resume(id);
    const resumed = await readFrom(since);
    expect(resumed.found).toEqual(['paused']);
    // A message ends a read that is held without having read anything.
    await readFrom(resumed.since);
    const waiting = `/workspaces/${id}/activity?type=a2a_receive&direction=in&wait=20${resumed.since}`;
    texts.length = 0;
    const held = platform.request('GET', waiting, { token });
    await platform.clock.settle();
    expect(texts.filter((sql) => sql.includes('from "activity"'))).toEqual([]);
    await send('second');
    expect((await held).body).toMatchObject([{ message_id: 'second' }]);
    // A cursor that does not exist is refused as before.
    const path = `/workspaces/${id}/activity?type=a2a_receive&since_id=${randomUUID()}`;
    expect((await platform.request('GET', path, { token })).status).toBe(410);
  });
});
