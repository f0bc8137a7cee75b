import type { AddressGuard } from '@molecule-ai/net-guard';
import type { PlatformDatabase, Queryable } from './database/platform-database.ts';
import type { EventBus } from './events/event-bus.ts';
import type { EventLog } from './events/event-log.ts';
import type { PlatformLogger } from './logging/logger.ts';
import type { PlatformSettings } from './options/platform-settings.ts';
import type { Clock } from './time/clock.ts';

/** What every room is given: the shared things of one running platform. Rooms never reach around it. */
export interface PlatformContext {
  readonly database: PlatformDatabase;
  /** `database.query`. */
  readonly db: Queryable;
  readonly clock: Clock;
  readonly logger: PlatformLogger;
  readonly settings: PlatformSettings;
  readonly events: EventLog;
  readonly bus: EventBus;
  /** Which addresses of agents may be reached: on paper, after resolving, on the socket. */
  readonly addressGuard: AddressGuard;
  /** Aborted as soon as the platform begins to stop: waiting requests answer, loops end. */
  readonly shutdown: AbortSignal;
  /** The URL under which agents reach this platform, without a trailing slash. */
  publicUrl(): string;
}
