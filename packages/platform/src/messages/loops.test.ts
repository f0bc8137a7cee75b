import { sql } from 'kysely';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { openPlatform } from '../../test/resources-of-test.ts';
import type { RunningPlatform } from '../../test/running-platform.ts';
import { say } from '../../test/scripted-agent.ts';
import { PlatformDatabase } from '../database/platform-database.ts';
import { openSqliteDialect } from '../database/sqlite-dialect.ts';
import type { PlatformOptions } from '../index.ts';
import { createMessageStore } from './message.store.ts';

interface Member {
  readonly id: string;
  readonly token: string;
}

let running: RunningPlatform;
const statements: string[] = [];

async function start(options: PlatformOptions = {}): Promise<Member[]> {
  running = await openPlatform({
    mode: 'dev',
    data: { onQuery: (text) => void statements.push(text) },
    ...options,
  });
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
    const texts: string[] = [];
    const dialect = await openSqliteDialect({ path: ':memory:', synchronous: 'normal' });
    const database = await PlatformDatabase.open(dialect, { onQuery: (text) => void texts.push(text) });
    texts.length = 0;
    await createMessageStore({ database }).findDelivered({ targetId: 't', messageId: 'm' });
    const { rows } = await sql
      .raw<{ detail: string }>(`EXPLAIN QUERY PLAN ${texts[0]}`)
      .execute(database.query);
    expect(rows[0]?.detail).toContain('activity_by_message_id (message_id=?');
    await database.close();
  });

  it('is found by its row id, whatever message id another sender gives', async () => {
    const [one, two, three] = (await start({ limits: { maxHops: 3 } })) as [Member, Member, Member];
    const first = await sendFrom(one, two, {}, 'known');
    expect((await sendFrom(three, two, { hops: 3 }, 'known')).status).toBe(202);
    const byName = await sendFrom(two, three, { parent_message_id: 'known' });
    expect(byName.body.code).toBe('loop_detected');
    const byRow = { parent_message_id: 'known', parent_activity_id: first.body.queue_id };
    expect((await sendFrom(two, three, byRow)).status).toBe(202);
    // Not a row of the caller's feed: the message id counts.
    expect((await sendFrom(three, one, { parent_activity_id: first.body.queue_id })).status).toBe(202);
  });
});

describe('answers', () => {
  it('of answers end, with the number of turns', async () => {
    const [one, two] = (await start({ limits: { maxTurns: 5 } })) as [Member, Member];
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
});
