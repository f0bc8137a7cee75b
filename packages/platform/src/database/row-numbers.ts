import type { DatabaseSync } from 'node:sqlite';
import { damaged } from './sqlite-errors.ts';

/** Higher numbers are none of a platform. `since_seq` has at most 15 digits; half of that, so that rows can follow. */
const HIGHEST = 500_000_000_000_000;
/** The numbers of a restored database begin at least this far above those in the two databases. */
const JUMP = 1_000_000_000;
/** More rows in a second than a platform can store. */
const ROWS_A_MS = 100;
const SINCE = Date.UTC(2020, 0, 1);

/**
 * The number below all those that a restored database gives to new rows. Clients compare numbers, and have seen some that
 * were given after the backup, possibly by a database that is not there any more. Hence it also grows with time, faster than a
 * platform stores rows: about 3e12 a year. They reach the highest that is possible after the year 2170.
 */
export function numberAfterRestore(
  { backup, replaced }: { readonly backup: number; readonly replaced: number },
  now: number,
): number {
  return Math.max(backup + JUMP, replaced + JUMP, (now - SINCE) * ROWS_A_MS);
}

/**
 * The highest number that a database has given to a row; 0 when it has given none.
 *
 * @throws PlatformStartError for numbers that no platform gives.
 */
export function highestNumber(database: DatabaseSync, path: string): number {
  const stored = database.prepare('SELECT name, seq FROM sqlite_sequence');
  stored.setReadBigInts(true);
  const given = new Map<unknown, unknown>();
  let highest = 0;
  const add = (number: unknown) => {
    if (typeof number !== 'bigint' || number < 0n || number > BigInt(HIGHEST))
      throw damaged(`The database ${path} has row numbers that no platform gives.`);
    highest = Math.max(highest, Number(number));
  };
  for (const { name, seq } of stored.iterate()) {
    if (given.has(name)) throw damaged(`The database ${path} has two sequences for one table.`);
    given.set(name, seq);
    add(seq);
  }
  for (const table of numberedTables(database)) {
    const quoted = table.replaceAll('"', '""');
    const rows = database.prepare(`SELECT min(rowid) AS low, max(rowid) AS high FROM "${quoted}"`);
    rows.setReadBigInts(true);
    for (const number of Object.values(rows.get() ?? {})) if (number !== null) add(number);
  }
  return highest;
}

/** Makes every table give numbers above `last` from now on. */
export function continueAfter(database: DatabaseSync, last: number): void {
  database.exec('BEGIN; DELETE FROM sqlite_sequence');
  const insert = database.prepare('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)');
  for (const table of numberedTables(database)) insert.run(table, last);
  database.exec('COMMIT');
}

function numberedTables(database: DatabaseSync): string[] {
  const tables = database.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%autoincrement%'",
  );
  return tables.all().map(({ name }) => String(name));
}
