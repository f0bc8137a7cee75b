import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Pool } from 'undici';
import { type Figure, ratioFigure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import { startOrganisation } from './organisation.ts';
import { compareThroughput } from './throughput.ts';

/** Compares pages of a feed with many rows and of one with a hundred, and compact rows with full ones. */
export async function benchFeedRead(options: BenchmarkOptions): Promise<Figure[]> {
  const dataDir = mkdtempSync(join(tmpdir(), 'molecule-bench-'));
  try {
    const first = await startOrganisation({ dataDir });
    const ids: string[] = [];
    for (const name of ['long', 'short']) {
      const { id } = await first.operator.createWorkspace({ name });
      await first.operator.sendMessage(id, 'message 0');
      ids.push(id);
    }
    const [long, short] = ids;
    if (long === undefined || short === undefined) throw new Error('no workspaces');
    await first.close();
    fill(dataDir, long, options.feedRows);
    fill(dataDir, short, 100);

    const second = await startOrganisation({ dataDir });
    const pool = new Pool(second.url, { connections: 8 });
    try {
      const page =
        (id: string, query: string, limit = 20) =>
        async () => {
          const response = await pool.request({ method: 'GET', path: `/workspaces/${id}/activity?${query}` });
          const rows = (await response.body.json()) as unknown[];
          if (response.statusCode !== 200 || rows.length !== limit)
            throw new Error(`wrong page: ${rows.length} rows`);
        };
      const queries = [
        ['newest page', 'type=a2a_receive&limit=20'],
        ['oldest unacknowledged', 'type=a2a_receive&limit=20&unacknowledged=true'],
        ['since_id of the 50th row', 'type=a2a_receive&limit=20&since_id='],
      ] as const;
      const figures: Figure[] = [];
      for (const [name, query] of queries) {
        const suffix = (id: string) => (query.endsWith('=') ? `${query}row-${id}-50` : query);
        const [many, few] = await compareThroughput(
          [
            { name: 'many rows', run: page(long, suffix(long)) },
            { name: 'few rows', run: page(short, suffix(short)) },
          ],
          { inFlight: 4, ...options },
        );
        if (many === undefined || few === undefined) throw new Error('no measurement');
        figures.push(ratioFigure(`feed of ${options.feedRows} rows : feed of 100, ${name}`, many, few, 0.9));
      }
      const hundred = 'type=a2a_receive&limit=100&unacknowledged=true';
      const [compact, full] = await compareThroughput(
        [
          { name: 'compact', run: page(long, `${hundred}&view=compact`, 100) },
          { name: 'full', run: page(long, hundred, 100) },
        ],
        { inFlight: 4, ...options },
      );
      if (compact === undefined || full === undefined) throw new Error('no measurement');
      figures.push(ratioFigure('page of 100 rows, compact : full', compact, full, 2.5));
      return figures;
    } finally {
      await pool.close();
      await second.close();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** Copies the only inbound row of a workspace in the database file, while no platform is running. */
function fill(dataDir: string, workspaceId: string, rows: number): void {
  const file = readdirSync(dataDir).find((name) => name.endsWith('.db'));
  if (file === undefined) throw new Error('no database file');
  const database = new DatabaseSync(join(dataDir, file));
  const original = database
    .prepare(`SELECT * FROM activity WHERE workspace_id = ? AND activity_type = 'a2a_receive'`)
    .get(workspaceId);
  if (original === undefined) throw new Error('no message was stored');
  const { seq: _assigned, ...columns } = original;
  const names = Object.keys(columns);
  const insert = database.prepare(
    `INSERT INTO activity (${names.join(', ')}) VALUES (${names.map((name) => `:${name}`).join(', ')})`,
  );
  database.exec('BEGIN');
  const start = Date.now();
  for (let index = 1; index <= rows; index += 1) {
    const id = `row-${workspaceId}-${index}`;
    const createdAt = new Date(start + index).toISOString();
    insert.run({ ...columns, id, message_id: id, created_at: createdAt });
  }
  database.exec('COMMIT');
  database.close();
}
