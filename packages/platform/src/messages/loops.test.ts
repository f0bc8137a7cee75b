import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';
import { say } from '../../test/scripted-agent.ts';
import { PlatformDatabase } from '../database/platform-database.ts';
import { openSqliteDialect } from '../database/sqlite-dialect.ts';
import { PathStore } from './accept/path.store.ts';

interface Member {
  readonly id: string;
  readonly token: string;
}

let running: RunningPlatform;
const statements: string[] = [];
afterEach(() => running.platform.close());

async function start(options: Parameters<typeof startPlatform>[0] = {}): Promise<Member[]> {
  running = await startPlatform({ mode: 'dev', onQuery: (text) => void statements.push(text), ...options });
  const members: Member[] = [];
  for (const name of ['one', 'two', 'three']) members.push(await running.join({ name }));
  return members;
}

let next = 0;
async function sendFrom(
  from: Member | null,
  to: Member,
  metadata: Record<string, unknown> = {},
  id?: string,
) {
  next += 1;
  const messageId = id ?? `m-${next}`;
  const answer = await running.call('POST', `/workspaces/${to.id}/a2a`, {
    ...(from === null ? {} : { token: from.token }),
    body: say('text', messageId, metadata),
    headers: { 'x-timeout': '0' },
  });
  return { ...answer, messageId };
}

const childOf = ({ messageId }: { messageId: string }) => ({ parent_message_id: messageId });

describe('a message that names its parent', () => {
  it('costs one statement more, and none without a parent', async () => {
    // With a clock that stands, no statement in the background is counted.
    const [one, two] = (await start({ clock: new ManualClock() })) as [Member, Member];
    const first = await sendFrom(one, two);
    const counted = async (metadata: Record<string, unknown>) => {
      await sendFrom(two, one);
      statements.length = 0;
      await sendFrom(two, one, metadata);
      return statements.length;
    };
    const without = await counted({});
    expect(await counted(childOf(first))).toBe(without + 1);
  });

  it('is found by the message id, in the index of message ids', async () => {
    running = await startPlatform({ mode: 'dev' });
    const texts: string[] = [];
    const dialect = await openSqliteDialect({ path: ':memory:', synchronous: 'normal' });
    const database = await PlatformDatabase.open(dialect, { onQuery: (text) => void texts.push(text) });
    texts.length = 0;
    await new PathStore({ database }).findDelivered('t', 'm', database.query);
    const { rows } = await sql
      .raw<{ detail: string }>(`EXPLAIN QUERY PLAN ${texts[0]}`)
      .execute(database.query);
    expect(rows[0]?.detail).toContain('activity_by_message_id (message_id=?');
    await database.close();
  });

  it('is refused when its path is too long, and another branch is not', async () => {
    const [one, two, three] = (await start({ maxHops: 3 })) as [Member, Member, Member];
    const start1 = await sendFrom(one, two);
    const second = await sendFrom(two, three, childOf(start1));
    const third = await sendFrom(three, one, childOf(second));
    expect([start1.status, second.status, third.status]).toEqual([202, 202, 202]);
    const refused = await sendFrom(one, two, childOf(third));
    expect(refused).toMatchObject({ status: 409, body: { code: 'loop_detected', reason: 'hops' } });
    expect((await sendFrom(three, two, childOf(second))).status).toBe(202);
  });

  it('is believed only of a message to the caller; of several the one with the most hops counts', async () => {
    const [one, two, three] = (await start({ maxHops: 3 })) as [Member, Member, Member];
    const a = await sendFrom(one, two, { hops: 3 });
    // Not sent to `three`, and not one that exists.
    expect((await sendFrom(three, one, childOf(a))).status).toBe(202);
    expect((await sendFrom(three, one, { parent_message_id: 'never sent' })).status).toBe(202);
    expect((await sendFrom(three, one, { parent_message_id: 7 })).status).toBe(202);
    expect((await sendFrom(two, one, childOf(a))).body.code).toBe('loop_detected');
    await sendFrom(one, two, {}, 'shared');
    await sendFrom(three, two, { hops: 3 }, 'shared');
    expect((await sendFrom(two, one, { parent_message_id: 'shared' })).body.code).toBe('loop_detected');
  });

  it('is found by its row id, whatever message id another sender gives', async () => {
    const [one, two, three] = (await start({ maxHops: 3 })) as [Member, Member, Member];
    const first = await sendFrom(one, two, {}, 'known');
    expect((await sendFrom(three, two, { hops: 3 }, 'known')).status).toBe(202);
    const byName = await sendFrom(two, three, { parent_message_id: 'known' });
    expect(byName.body.code).toBe('loop_detected');
    const byRow = { parent_message_id: 'known', parent_activity_id: first.body.queue_id };
    expect((await sendFrom(two, three, byRow)).status).toBe(202);
    // Not a row of the caller's feed: the message id counts.
    expect((await sendFrom(three, one, { parent_activity_id: first.body.queue_id })).status).toBe(202);
  });

  it('is not counted again when it is repeated, and a repeat is not refused', async () => {
    const [one, two] = (await start({ maxHops: 2, pairRate: 1 })) as [Member, Member];
    const first = await sendFrom(one, two);
    const second = await sendFrom(two, one, childOf(first));
    for (let count = 0; count < 3; count += 1) {
      const again = await sendFrom(two, one, { hops: 99 }, second.messageId);
      expect(again).toMatchObject({ status: 202, body: { queue_id: second.body.queue_id } });
    }
  });

  it('leaves people and operators alone', async () => {
    const [one] = (await start({ maxHops: 1, pairRate: 1 })) as [Member];
    for (let count = 0; count < 3; count += 1) {
      expect((await sendFrom(null, one, { hops: 50, path: [[one.id, one.id]] })).status).toBe(202);
    }
  });
});

describe('answers', () => {
  it('of answers end, with the number of turns', async () => {
    const [one, two] = (await start({ maxTurns: 5 })) as [Member, Member];
    let from = two;
    let to = one;
    let last = await sendFrom(one, two);
    let count = 0;
    while (last.status !== 409 && count < 20) {
      last = await sendFrom(from, to, { in_reply_to: last.messageId });
      [from, to] = [to, from];
      count += 1;
    }
    expect(count).toBe(6);
    expect(last.body).toMatchObject({ code: 'loop_detected', reason: 'turns' });
  });

  it('cost one statement more in what is sent because of them, which reads an index only', async () => {
    const [one, two] = (await start()) as [Member, Member];
    const question = await sendFrom(one, two);
    const answer = await sendFrom(two, one, { in_reply_to: question.messageId });
    statements.length = 0;
    expect((await sendFrom(one, two, childOf(answer))).status).toBe(202);
    const counting = statements.filter(
      (text) => text.includes('"path_origin" = ') && text.includes('count('),
    );
    expect(counting).toHaveLength(1);
    const dialect = await openSqliteDialect({ path: ':memory:', synchronous: 'normal' });
    const database = await PlatformDatabase.open(dialect);
    const { rows } = await sql
      .raw<{ detail: string }>(`EXPLAIN QUERY PLAN ${counting[0]}`)
      .execute(database.query);
    expect(rows.map(({ detail }) => detail).join()).toContain(
      'COVERING INDEX activity_by_path_origin (path_origin=? AND turns>?)',
    );
    await database.close();
  });

  it('keep the trace of their question', async () => {
    const [one, two] = (await start()) as [Member, Member];
    const question = await sendFrom(one, two, { trace_id: 'trace-1' });
    await sendFrom(two, one, { in_reply_to: question.messageId });
    const feed = await running.call('GET', `/workspaces/${one.id}/activity?type=a2a_receive`, {
      token: one.token,
    });
    expect(feed.body[0]).toMatchObject({ in_reply_to: question.messageId, trace_id: 'trace-1' });
  });
});

describe('messages without a parent', () => {
  it('are limited where two agents write to each other', async () => {
    const clock = new ManualClock();
    const [one, two, three] = (await start({ clock, pairRate: 3 })) as [Member, Member, Member];
    for (let count = 0; count < 3; count += 1) {
      expect((await sendFrom(one, two)).status).toBe(202);
      expect((await sendFrom(two, one)).status).toBe(202);
    }
    expect((await sendFrom(one, two)).status).toBe(202);
    const refused = await sendFrom(two, one);
    expect(refused).toMatchObject({
      status: 429,
      body: { code: 'rate_limited', scope: 'pair', retry_after: 60 },
      headers: { 'retry-after': '60' },
    });
    expect((await sendFrom(two, three)).status).toBe(202);
    const question = await sendFrom(three, two);
    expect((await sendFrom(two, three, { in_reply_to: question.messageId })).status).toBe(200);
    clock.advance(60_000);
    expect((await sendFrom(two, one)).status).toBe(202);
  });

  it('are not counted as replies, and one that names its parent is not counted', async () => {
    const [one, two] = (await start({ pairRate: 2 })) as [Member, Member];
    for (let count = 0; count < 6; count += 1) {
      const question = await sendFrom(one, two);
      expect(question.status).toBe(202);
      const callback = await sendFrom(two, one, childOf(question));
      expect(callback.status).toBe(202);
      expect((await sendFrom(two, one, { in_reply_to: question.messageId })).status).toBe(200);
    }
    // A reply to nothing is a message, and one that was sent in a handling that is over names no parent.
    const over = await sendFrom(one, two);
    await sendFrom(two, one, { in_reply_to: over.messageId });
    const statuses = [];
    for (const metadata of [{ in_reply_to: 'unknown' }, childOf(over), { in_reply_to: 'unknown' }]) {
      statuses.push((await sendFrom(two, one, metadata)).status);
    }
    expect(statuses).toEqual([202, 202, 429]);
  });
});
