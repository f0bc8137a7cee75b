import type { AgentCard } from '@molecule-ai/protocol';
import { InboundSecret } from '../credentials/inbound-secret.ts';
import { TokenManager } from '../credentials/token-manager.ts';
import { FileTokenStore } from '../credentials/token-store.ts';
import type { HeartbeatThread } from '../heartbeat-worker/heartbeat-thread.ts';
import { redactingLogger } from '../logging/redacting-logger.ts';
import { PeerIdentities } from '../peers/peer-identities.ts';
import { SentDirectly } from '../peers/sent-directly.ts';
import { PlatformApi } from '../platform-api/platform-api.ts';
import { type RemoteAgentClientOptions, resolveClientSettings } from '../settings/client-settings.ts';
import { processEnvironment } from '../settings/environment.ts';
import type { AnySkill } from '../skills/skill.ts';
import { HeldReads } from '../transport/held-reads.ts';
import { PeerTransport } from '../transport/peer-transport.ts';
import { PeerLookup } from './peer-lookup.ts';

/** What the operations of a client share. */
export type ClientContext = ReturnType<typeof createClientContext>;

/** Validates the options and creates the parts of a client, without any I/O. */
export function createClientContext(options: RemoteAgentClientOptions) {
  const checked = resolveClientSettings(options, processEnvironment());
  const logger = redactingLogger(
    checked.logger,
    [checked.authToken, checked.adminToken].filter((secret) => secret !== null),
  );
  const settings = Object.freeze({ ...checked, logger });
  const { stateDirectory, workspaceId } = settings;
  const store = settings.tokenStore ?? new FileTokenStore({ directory: stateDirectory, logger });
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
  const sentDirectly = new SentDirectly(settings);
  const lookup = new PeerLookup(api, identities, settings);
  const peerTransport = new PeerTransport(settings);
  /** The card as the application gave it last; `streams`: whether it was registered as that of an agent that streams. */
  const profile: { card: AgentCard; streams: boolean; skills: readonly AnySkill[] } = {
    card: settings.agentCard,
    streams: false,
    skills: [],
  };
  return {
    settings,
    api,
    heldReads,
    tokens,
    heartbeatThreads,
    inboundSecret,
    lookup,
    identities,
    sentDirectly,
    peerTransport,
    profile,
    /** Redacts credentials. */
    logger,
    /** Closes what has connections, files or threads, except `api`. */
    close: async (): Promise<void> => {
      heldReads.close();
      const threads = [...heartbeatThreads].map((thread) => thread.close());
      await Promise.all([...threads, peerTransport.close(), identities.close(), sentDirectly.close()]);
    },
  };
}
