import type { TokenStore } from '../credentials/token-store.ts';
import type { ClientOptions } from '../settings/client-options.ts';

/** Options of a `RemoteAgentClient`. Most have an environment variable that stands in for them. */
export interface RemoteAgentClientOptions extends ClientOptions {
  /** Where the token is kept. @default a file in `stateDirectory`, mode 0600 */
  tokenStore?: TokenStore | undefined;
}
