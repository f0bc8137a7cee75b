import { type InboundMessage, parseActivityRow } from './inbound-message.ts';
import { idOf, isJsonObject, type JsonObject, type JsonValue } from './open-json.ts';

/** A parsed page of the activity feed. */
export interface InboundFeed {
  /** Every row that is an object with an id that is not blank, oldest first. */
  readonly rows: readonly JsonObject[];
  /** The messages among them, oldest first. Repeated rows are not removed. */
  readonly deliverable: readonly InboundMessage[];
  /** Number of entries of the page that are not a message to this agent, unreadable ones included. */
  readonly skipped: number;
  /** The id of the last row, also when it is not a message: the cursor may move past it. Null when there is none. */
  readonly lastRowId: string | null;
}

/**
 * Parses a response of `GET …/activity`: a list, `{items}` or null. Entries that cannot be read are skipped.
 * Sorted by (`seq`, `created_at` or `ts`, `id`), because platforms differ in their order; rows with neither number
 * nor time keep theirs. Never throws on JSON.
 */
export function parseActivityFeed(
  body: JsonValue | undefined,
  options: Parameters<typeof parseActivityRow>[1] = {},
): InboundFeed {
  const wrapped = isJsonObject(body) ? body.items : body;
  const entries = Array.isArray(wrapped) ? wrapped : [];
  const rows = sortRows(
    entries.filter((entry) => isJsonObject(entry) && idOf(entry.id).trim() !== '') as JsonObject[],
  );
  const deliverable = rows.map((row) => parseActivityRow(row, options)).filter((message) => message !== null);
  const last = rows.at(-1);
  return {
    rows,
    deliverable,
    skipped: entries.length - deliverable.length,
    lastRowId: last === undefined ? null : idOf(last.id),
  };
}

interface SortKey {
  readonly row: JsonObject;
  readonly seq: number;
  readonly second: number;
  readonly fraction: string;
  readonly id: string;
}

function sortRows(rows: JsonObject[]): JsonObject[] {
  if (rows.length < 2) return rows;
  const keys = rows.map(sortKey);
  const numbered = keys.every((key) => !Number.isNaN(key.seq));
  const timed = keys.every((key) => !Number.isNaN(key.second));
  if (!numbered && !timed) return rows;
  return keys
    .sort((a, b) => (numbered && a.seq - b.seq) || (timed && byTime(a, b)) || byId(a, b))
    .map((k) => k.row);
}

function sortKey(row: JsonObject): SortKey {
  const seq = row.seq;
  const time = [row.created_at, row.ts].find((value) => typeof value === 'string' && value !== '');
  const text = typeof time === 'string' ? time : '';
  // Date.parse keeps milliseconds only; platforms of the family write up to nanoseconds.
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? '';
  return {
    row,
    seq: typeof seq === 'number' ? seq : Number.NaN,
    second: Math.floor(Date.parse(text) / 1000),
    fraction: fraction.slice(0, 9).padEnd(9, '0'),
    id: idOf(row.id),
  };
}

function byTime(a: SortKey, b: SortKey): number {
  return a.second - b.second || compare(a.fraction, b.fraction);
}

function byId(a: SortKey, b: SortKey): number {
  return compare(a.id, b.id);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
