import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A database that the whole suite runs on. Another one, Postgres say, is one more entry. */
export interface DatabaseKind {
  readonly name: string;
  /** Makes an empty one. @param keeps whether its rows outlive the platform, for tests that restart it */
  prepare(keeps: boolean): PreparedDatabase;
}

export interface PreparedDatabase {
  /** The options of the group `data` that choose it. */
  readonly options: { readonly directory: string; readonly synchronous?: 'normal' };
  /** The folder that holds it, or null. */
  readonly folder: string | null;
  dispose(): void;
}

export const DATABASES: readonly DatabaseKind[] = [
  {
    name: 'sqlite',
    prepare: (keeps) => {
      if (!keeps) return { options: { directory: ':memory:' }, folder: null, dispose: () => {} };
      const folder = mkdtempSync(join(tmpdir(), 'molecule-conformance-'));
      return {
        // Waiting for the disk at each commit is for power cuts, which no test has; the bin's default does wait.
        options: { directory: folder, synchronous: 'normal' },
        folder,
        dispose: () => rmSync(folder, { recursive: true, force: true }),
      };
    },
  },
];
