import { FileTokenStore } from '../credentials/file-token-store.ts';
import { TokenKeeper } from '../credentials/token-keeper.ts';
import { redactingLogger } from '../logging/redacting-logger.ts';
import { PeerDirectory } from '../peers/peer-directory.ts';
import { processEnvironment } from '../settings/environment.ts';
import { resolveSettings } from '../settings/resolve-settings.ts';
import { Transport } from '../transport/transport.ts';
import type { ClientContext } from './client-context.ts';
import type { RemoteAgentClientOptions } from './client-options.ts';

/** Checks the options and puts the parts of a client together. Nothing is read or sent yet. */
export function createClientContext(options: RemoteAgentClientOptions): ClientContext {
  const checked = resolveSettings(options, processEnvironment());
  const logger = redactingLogger(
    checked.logger,
    [checked.authToken, checked.adminToken].filter((secret) => secret !== null),
  );
  const settings = Object.freeze({ ...checked, logger });
  const { stateDirectory, authToken, workspaceId, clock, peerCacheTtlMs, peerCacheSize } = settings;
  const store = options.tokenStore ?? new FileTokenStore({ directory: stateDirectory, logger });
  const tokens = new TokenKeeper({
    store,
    given: authToken,
    logger,
    onToken: (token) => logger.addSecret(token),
  });
  return {
    settings,
    tokens,
    transport: new Transport(settings, tokens, workspaceId),
    peers: new PeerDirectory({ clock, ttlMs: peerCacheTtlMs, maxEntries: peerCacheSize }),
    logger,
  };
}
