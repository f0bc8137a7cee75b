import { type AddressGuard, createAddressGuard } from '@molecule-ai/net-guard';
import type { PlatformDatabase } from './database/platform-database.ts';
import { WorkspaceDirectory } from './directory/workspace-directory.ts';
import { EventLog } from './events/events.ts';
import type { PlatformLogger } from './logging/logger.ts';
import type { PlatformSettings } from './options/resolve-settings.ts';
import { BackgroundTasks } from './time/background-tasks.ts';
import type { Clock } from './time/clock.ts';

export interface PlatformAddress {
  /** Without a trailing slash; empty until it is known, which is before the first request. */
  url: string;
}

/** What all modules of one running platform share. A module takes the parts that it uses. */
export interface PlatformContext {
  readonly database: PlatformDatabase;
  readonly clock: Clock;
  readonly logger: PlatformLogger;
  readonly settings: PlatformSettings;
  readonly events: EventLog;
  /** Started when the platform listens, and stopped when it has stopped listening. */
  readonly tasks: BackgroundTasks;
  readonly workspaces: WorkspaceDirectory;
  /** Decides which agent addresses are allowed: as written, after resolving, and on the socket. */
  readonly addressGuard: AddressGuard;
  /** Aborted when the platform starts to stop: held requests get a response, loops end. */
  readonly shutdown: AbortSignal;
  /** Where agents reach this platform. */
  readonly address: PlatformAddress;
}

export function createContext(
  parts: Pick<PlatformContext, 'database' | 'address' | 'settings' | 'shutdown'>,
): PlatformContext {
  const { database, settings } = parts;
  const { clock, logger, security } = settings;
  const isDev = settings.mode === 'dev';
  const addressGuard = createAddressGuard({
    policy: { allowLoopback: isDev, allowPrivate: isDev, allowedNetworks: security.allowAgentNetworks },
    resolve: security.resolve,
  });
  return {
    ...parts,
    clock,
    logger,
    addressGuard,
    events: new EventLog({ database, logger }),
    tasks: new BackgroundTasks(clock, logger),
    workspaces: new WorkspaceDirectory({ database }),
  };
}
