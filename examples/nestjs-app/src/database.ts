import { DatabaseSync } from 'node:sqlite';
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Environment } from './environment.ts';

/** The connection of the application. It is closed in `onModuleDestroy`, as those of TypeORM and Mongoose are. */
@Injectable()
export class Database implements OnModuleDestroy {
  readonly connection: DatabaseSync;
  private readonly logger = new Logger(Database.name);

  constructor(config: ConfigService<Environment, true>) {
    this.connection = new DatabaseSync(config.get('DATABASE_FILE', { infer: true }));
    this.connection.exec(
      'CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL, quantity INTEGER NOT NULL)',
    );
  }

  onModuleDestroy(): void {
    this.connection.close();
    this.logger.log('Closed');
  }
}
