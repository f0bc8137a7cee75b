import type { TokenKeeper } from '../credentials/token-keeper.ts';
import type { Logger } from '../logging/logger.ts';
import type { PeerDirectory } from '../peers/peer-directory.ts';
import type { AgentSettings } from '../settings/agent-options.ts';
import type { Transport } from '../transport/transport.ts';

/** What the operations of a client share. */
export interface ClientContext {
  readonly settings: AgentSettings;
  readonly transport: Transport;
  readonly tokens: TokenKeeper;
  readonly peers: PeerDirectory;
  /** Without credentials, whatever is written to it. */
  readonly logger: Logger;
}
