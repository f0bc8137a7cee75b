import type { Migration } from 'kysely/migration';
import type { SchemaDialect } from './dialect.ts';
import { initialMigration } from './migrations/0001-initial.ts';
import { readerIdentitiesMigration } from './migrations/0002-reader-identities.ts';
import { controlRowsMigration } from './migrations/0003-control-rows.ts';
import { pausesMigration } from './migrations/0004-pauses.ts';
import { questionsMigration } from './migrations/0004-questions.ts';
import { messagePathsMigration } from './migrations/0005-message-paths.ts';
import { compactRowsMigration } from './migrations/0006-compact-rows.ts';
import { passedHeadersMigration } from './migrations/0007-passed-headers.ts';
import { ownBytesMigration } from './migrations/0008-own-bytes.ts';
import { readingPositionsMigration } from './migrations/0009-reading-positions.ts';
import { agentTasksMigration } from './migrations/0010-agent-tasks.ts';
import { directCallersMigration } from './migrations/0011-direct-callers.ts';
import { schemaVersionsMigration } from './migrations/0012-schema-versions.ts';

/** All migrations by name, in their order. A released one never changes. */
export function migrationsOf(dialect: SchemaDialect): Readonly<Record<string, Migration>> {
  return {
    '0001-initial': initialMigration(dialect),
    '0002-reader-identities': readerIdentitiesMigration,
    '0003-control-rows': controlRowsMigration(dialect),
    '0004-pauses': pausesMigration,
    '0004-questions': questionsMigration,
    '0005-message-paths': messagePathsMigration,
    '0006-compact-rows': compactRowsMigration,
    '0007-passed-headers': passedHeadersMigration,
    '0008-own-bytes': ownBytesMigration,
    '0009-reading-positions': readingPositionsMigration,
    '0010-agent-tasks': agentTasksMigration,
    '0011-direct-callers': directCallersMigration,
    '0012-schema-versions': schemaVersionsMigration,
  };
}
