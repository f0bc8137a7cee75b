import type { TokenKeeper } from '../credentials/token-keeper.ts';
import type { Logger } from '../logging/logger.ts';
import type { PeerDirectory } from '../peers/peer-directory.ts';
import type { ClientSettings } from '../settings/client-options.ts';
import type { Transport } from '../transport/transport.ts';

/** What the operations of a client share. */
export interface ClientContext {
  readonly settings: ClientSettings;
  readonly transport: Transport;
  readonly tokens: TokenKeeper;
  readonly peers: PeerDirectory;
  /** Without credentials, whatever is written to it. */
  readonly logger: Logger;
}
