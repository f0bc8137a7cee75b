import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlatformDatabase } from '../database/platform-database.ts';
import { openSqliteDialect } from '../database/sqlite-dialect.ts';
import { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import { systemClock } from '../time/clock.ts';
import { FeedPageStore } from './feed-pages.ts';
import { type FeedQuery, orderOf, parseFeedQuery, type RawFeedQuery } from './feed-query.rules.ts';
import { ReadingPositions } from './reading-positions.ts';

const WORKSPACE = '11111111-2222-4333-8444-555555555555';
const PEER = '66666666-2222-4333-8444-555555555555';

let database: PlatformDatabase;
let positions: ReadingPositions;
let pages: FeedPageStore;
const statements: string[] = [];
beforeAll(async () => {
  const dialect = await openSqliteDialect({ path: ':memory:', synchronous: 'normal' });
  database = await PlatformDatabase.open(dialect, { onQuery: (text) => void statements.push(text) });
  positions = new ReadingPositions({
    clock: systemClock,
    database,
    workspaces: new WorkspaceDirectory({ database }),
  });
  pages = new FeedPageStore({ database });
});
afterAll(() => database.close());

async function plan(run: () => Promise<unknown>): Promise<string[]> {
  statements.length = 0;
  await run();
  const [text] = statements;
  const { rows } = await sql.raw<{ detail: string }>(`EXPLAIN QUERY PLAN ${text}`).execute(database.query);
  return rows.map((row) => row.detail);
}

const choices: { readonly [Name in keyof RawFeedQuery]: readonly (string | undefined)[] } = {
  type: [undefined, 'a2a_receive', 'task_update'],
  direction: [undefined, 'all', 'out'],
  source: [undefined, 'canvas', 'agent'],
  peer_id: [undefined, PEER],
  since_secs: [undefined, '60'],
  before_ts: [undefined, '2026-11-21T00:00:00Z'],
  order: [undefined, 'asc'],
  unacknowledged: [undefined, 'true'],
};

/** All queries with at most two filters, in which each two meet, and the one with all. */
function combinations(): RawFeedQuery[] {
  const filters = Object.entries(choices).flatMap(([name, values]) =>
    values.flatMap((value) => (value === undefined ? [] : [{ name, filter: { [name]: value } }])),
  );
  const pairs = filters.flatMap((one, index) =>
    filters
      .slice(index)
      .filter((other) => other === one || other.name !== one.name)
      .map((other) => ({ ...one.filter, ...other.filter })),
  );
  return [{}, ...pairs, Object.assign({}, ...filters.map(({ filter }) => filter))];
}

const read = (
  query: FeedQuery,
  sinceSeq: number | undefined,
  deliverableAt?: string,
  isAgent = false,
  beforeSeq?: number,
) =>
  pages.readHeads({
    workspaceId: WORKSPACE,
    query: { ...query, order: orderOf(query, isAgent) },
    sinceSeq,
    beforeSeq,
    deliverableAt,
    isAgent,
    maxColumnBytes: 1_000,
  });
const parse = (raw: RawFeedQuery): FeedQuery => parseFeedQuery(raw, Date.UTC(2026, 10, 21));

describe('reading the feed', () => {
  it('scans an index in the order of the page for any two filters', async () => {
    const bad: string[] = [];
    for (const raw of combinations()) {
      for (const [sinceSeq, isAgent, beforeSeq] of [
        [undefined],
        [7],
        [undefined, true],
        [7, true],
        [undefined, true, 9],
        [7, true, 9],
      ] as const) {
        const details = await plan(() => read(parse(raw), sinceSeq, undefined, isAgent, beforeSeq));
        const walk = details.find((detail) => detail.includes(' a ')) ?? '';
        const isBad =
          !walk.startsWith('SEARCH a USING INDEX') ||
          details.some((detail) => detail.includes('TEMP B-TREE'));
        if (isBad)
          bad.push(
            `${JSON.stringify(raw)} since ${sinceSeq}, before ${beforeSeq}, ${isAgent}: ${details.join(' | ')}`,
          );
      }
    }
    expect(combinations()).toHaveLength(65);
    expect(bad).toEqual([]);
  });

  it('walks the index of a conversation in the order of the page, also for an agent', async () => {
    const bad: string[] = [];
    const conversation_id = 'a'.repeat(32);
    for (const raw of combinations()) {
      if (raw.since_secs !== undefined || raw.before_ts !== undefined) continue;
      const query = parse({ ...raw, conversation_id });
      const details = await plan(() => read(query, 7, '2026-11-21T00:00:00.000Z', true));
      // Of what is not acknowledged there is little, so its range of the feed serves as well.
      const isGood = details.some((detail) =>
        /USING INDEX activity_by_(?:conversation|seq) \(.*seq>/.test(detail),
      );
      if (!isGood || details.some((detail) => detail.includes('TEMP B-TREE')))
        bad.push(`${JSON.stringify(raw)}: ${details.join(' | ')}`);
    }
    expect(bad).toEqual([]);
  });

  it('walks the index of a conversation backwards from a row', async () => {
    for (const direction of ['all', 'in']) {
      const query = parse({ conversation_id: 'a'.repeat(32), direction, order: 'desc' });
      const details = await plan(() => read(query, undefined, undefined, true, 9));
      expect(details.join(' | ')).toMatch(/USING INDEX activity_by_conversation \(.*seq<\?\)/);
      expect(details.join(' | ')).not.toContain('TEMP B-TREE');
    }
  });

  it('counts pending messages from an index alone', async () => {
    const [detail] = await plan(() => positions.countPending(WORKSPACE));
    expect(detail).toContain('USING COVERING INDEX activity_by_delivery');
  });
});
