import { expect } from 'vitest';
import { rowsOf, textAt, trackCall } from './harness/http.ts';
import { type Member, onboard, send } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

function waiting(member: Member, seconds: number, since?: string) {
  const cursor = since === undefined ? '' : `&since_id=${since}`;
  return trackCall(
    member.caller.get(`/workspaces/${member.id}/activity?type=a2a_receive&wait=${seconds}${cursor}`),
  );
}

onEachDatabase('waiting for messages', (environment) => {
  verifies(
    'feed.wait.returns-with-the-message',
    'wait: returns with the message; wait: is confirmed',
    async () => {
      const platform = await environment.platform({ clock: 'manual' });
      const member = await onboard(platform);
      const read = waiting(member, 20);
      await platform.clock.advance(3_000);
      expect(read.isComplete).toBe(false);
      await send(platform.operator, member.id, 'now');
      const answer = await read.response;
      expect(rowsOf(answer)).toMatchObject([{ data: { text: 'now' } }]);
      expect(answer.headers['x-wait-applied']).toBe('20');
      const plain = await member.caller.get(`/workspaces/${member.id}/activity?type=a2a_receive`);
      expect(plain.headers).not.toHaveProperty('x-wait-applied');
      const since = textAt(rowsOf(answer)[0], 'id');
      const next = waiting(member, 20, since);
      await send(platform.operator, member.id, 'next');
      expect(rowsOf(await next.response)).toMatchObject([{ data: { text: 'next' } }]);
    },
  );

  verifies('feed.wait.returns-with-the-message', 'wait: ends empty', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const member = await onboard(platform);
    const before = platform.clock.monotonic();
    const read = waiting(member, 20);
    await platform.clock.advanceUntil(() => read.isComplete);
    expect(await read.response).toMatchObject({ status: 200, body: [], headers: { 'x-wait-applied': '20' } });
    expect(platform.clock.monotonic() - before).toBeGreaterThanOrEqual(20_000);
  });

  verifies('feed.wait.returns-with-the-message', 'wait: bounds', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const member = await onboard(platform);
    expect(await waiting(member, 0).response).toMatchObject({
      status: 200,
      body: [],
      headers: { 'x-wait-applied': '0' },
    });
    for (const wait of ['61', '-1', '1.5', 'x', '1e3']) {
      const answer = await member.caller.get(`/workspaces/${member.id}/activity?wait=${wait}`);
      expect(answer.status, wait).toBe(400);
    }
    const longest = waiting(member, 60);
    await send(platform.operator, member.id, 'enough');
    expect(await longest.response).toMatchObject({ status: 200, headers: { 'x-wait-applied': '60' } });
  });

  verifies('feed.wait.returns-with-the-message', 'wait: wakes only its own', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const [woken, asleep] = [await onboard(platform), await onboard(platform)];
    const reads = [waiting(woken, 60), waiting(woken, 60)];
    const other = waiting(asleep, 60);
    await platform.clock.advance(1_000);
    await send(platform.operator, woken.id, 'wake up');
    for (const read of reads) expect(rowsOf(await read.response)).toHaveLength(1);
    await platform.clock.advance(1_000);
    expect(other.isComplete).toBe(false);
    await platform.clock.advanceUntil(() => other.isComplete);
    expect(rowsOf(await other.response)).toEqual([]);
  });

  verifies('feed.wait.many-readers', 'wait: costs no sql', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const member = await onboard(platform);
    const timers = platform.clock.pending;
    const reads = Array.from({ length: 500 }, () => waiting(member, 60));
    // Each waits with a timer.
    await environment.untilStable(() => platform.clock.pending);
    expect(platform.clock.pending).toBeGreaterThanOrEqual(timers + 500);
    // What is written down once in a while (sweep, last use of tokens) has had its turn; the next is at 30 s.
    await platform.clock.advance(16_000);
    const statements = platform.queries.length;
    await platform.clock.advance(10_000);
    expect(platform.queries.slice(statements)).toEqual([]);
    expect(reads.some((read) => read.isComplete)).toBe(false);
    await send(platform.operator, member.id, 'everybody up');
    for (const read of reads) expect(rowsOf(await read.response)).toHaveLength(1);
  });

  verifies('platform.stops-at-once', 'wait: ends with the platform', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const reads = [waiting(member, 60), waiting(member, 60)];
    await environment.untilStable(() => platform.queries.length);
    await platform.stop();
    for (const read of reads) {
      const answer = await read.response;
      expect([200, 503, 0]).toContain(answer.status);
    }
  });
});
