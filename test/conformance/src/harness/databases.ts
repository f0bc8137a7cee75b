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
  /** The platform options that choose it. */
  readonly options: { readonly memory: true } | { readonly dataDir: string; readonly synchronous: 'normal' };
  /** The folder that holds it, or null. */
  readonly folder: string | null;
  dispose(): void;
}

export const DATABASES: readonly DatabaseKind[] = [
  {
    name: 'sqlite',
    prepare: (keeps) => {
      if (!keeps) return { options: { memory: true }, folder: null, dispose: () => {} };
      const folder = mkdtempSync(join(tmpdir(), 'molecule-conformance-'));
      return {
        // Waiting for the disk at each commit is for power cuts, which no test has; the bin's default does wait.
        options: { dataDir: folder, synchronous: 'normal' },
        folder,
        dispose: () => rmSync(folder, { recursive: true, force: true }),
      };
    },
  },
];
