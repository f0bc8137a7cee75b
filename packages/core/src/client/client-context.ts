import type { AgentCard } from '@molecule-ai/protocol';
import { InboundSecret } from '../credentials/inbound-secret.ts';
import { TokenManager } from '../credentials/token-manager.ts';
import { FileTokenStore, type TokenStore } from '../credentials/token-store.ts';
import type { HeartbeatThread } from '../heartbeat-worker/heartbeat-thread.ts';
import { redactingLogger } from '../logging/redacting-logger.ts';
import { PeerIdentities } from '../peers/peer-identities.ts';
import { PlatformApi } from '../platform-api/platform-api.ts';
import { checkMethods, checkObject } from '../settings/checked-values.ts';
import { CLIENT_NUMBERS, type ClientOptions, resolveClientSettings } from '../settings/client-settings.ts';
import { CONNECTION_OPTION_NAMES } from '../settings/connection-settings.ts';
import { processEnvironment } from '../settings/environment.ts';
import { checkOptionNames, knownOptions } from '../settings/known-options.ts';
import { HeldReads } from '../transport/held-reads.ts';
import { PeerTransport } from '../transport/peer-transport.ts';
import { PeerLookup } from './peer-lookup.ts';

/** Options of a `RemoteAgentClient`. Most can also be set by an environment variable. */
export interface RemoteAgentClientOptions extends ClientOptions {
  /** Stores the token. @default a file in `stateDirectory`, mode 0600 */
  tokenStore?: TokenStore | undefined;
}

/** The names of {@link RemoteAgentClientOptions}. */
export const CLIENT_OPTION_NAMES = {
  ...CONNECTION_OPTION_NAMES,
  workspaceId: true,
  authToken: true,
  adminToken: true,
  agentCard: true,
  reportedUrl: true,
  deliveryMode: true,
  stateDirectory: true,
  ...CLIENT_NUMBERS,
  directCalls: true,
  allowPeerNetworks: true,
  onPeerChange: true,
  tokenStore: true,
} satisfies Record<keyof RemoteAgentClientOptions, unknown>;

/** Connections of tests have `operatorKey` for an `OperatorClient`, and are spread into the options of both clients. */
const CLIENT_OPTIONS = knownOptions<RemoteAgentClientOptions & { operatorKey: unknown }>({
  ...CLIENT_OPTION_NAMES,
  operatorKey: true,
});

/** What the operations of a client share. */
export type ClientContext = ReturnType<typeof createClientContext>;

/** Validates the options and creates the parts of a client, without any I/O. */
export function createClientContext(options: RemoteAgentClientOptions) {
  checkObject('options', options, 'Pass an object, such as { platformUrl, workspaceId }.');
  checkOptionNames('RemoteAgentClient', options, CLIENT_OPTIONS);
  const checked = resolveClientSettings(options, processEnvironment());
  const logger = redactingLogger(
    checked.logger,
    [checked.authToken, checked.adminToken].filter((secret) => secret !== null),
  );
  const settings = Object.freeze({ ...checked, logger });
  const { stateDirectory, workspaceId } = settings;
  const store = checkMethods(
    'tokenStore',
    options.tokenStore ?? new FileTokenStore({ directory: stateDirectory, logger }),
    ['load', 'save'],
    'Pass new MemoryTokenStore(), a TokenStore of your own, or leave it out for a file in stateDirectory.',
  );
  /** They repeat heartbeats by themselves, with the token in use. */
  const heartbeatThreads = new Set<HeartbeatThread>();
  const tokens = new TokenManager({
    store,
    given: settings,
    storeName: store instanceof FileTokenStore ? `the file ${store.path}` : undefined,
    logger,
    onToken: (token) => {
      logger.addSecret(token);
      for (const thread of heartbeatThreads) thread.authorize(token);
    },
  });
  const inboundSecret = new InboundSecret({ store, logger });
  const api = new PlatformApi(settings, tokens, workspaceId);
  const heldReads = new HeldReads(settings);
  const identities = new PeerIdentities(settings);
  const lookup = new PeerLookup(api, identities, settings);
  const peerTransport = new PeerTransport(settings);
  /** The card as the application gave it last; `streams`: whether it was registered as that of an agent that streams. */
  const profile: { card: AgentCard; streams: boolean } = { card: settings.agentCard, streams: false };
  return {
    settings,
    api,
    heldReads,
    tokens,
    heartbeatThreads,
    inboundSecret,
    lookup,
    identities,
    peerTransport,
    profile,
    /** Redacts credentials. */
    logger,
    /** Closes what has connections, files or threads, except `api`. */
    close: async (): Promise<void> => {
      heldReads.close();
      const threads = [...heartbeatThreads].map((thread) => thread.close());
      await Promise.all([...threads, peerTransport.close(), identities.close()]);
    },
  };
}
