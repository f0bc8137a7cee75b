import type { InboundPort } from '../inbound/inbound-port.ts';
import type { Logger } from '../logging/logger.ts';
import type { PresencePort } from '../presence/presence-port.ts';
import type { Clock } from '../time/clock.ts';

/** What the runtime needs of a client; `RemoteAgentClient` satisfies it. */
export interface AgentClient extends PresencePort, InboundPort {
  readonly workspaceId: string;
  /** Folder of the agent's private files. */
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly logger: Logger;
}
