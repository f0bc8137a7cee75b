import type { FastifyInstance } from 'fastify';
import { mountActivityRoutes } from './activity/activity.routes.ts';
import { ControlRows } from './activity/control-rows.ts';
import { FeedReader } from './activity/feed-reader.ts';
import { FeedRetention } from './activity/feed-retention.ts';
import { FeedWriter } from './activity/feed-writer.ts';
import { ReadingPositions } from './activity/reading-positions.ts';
import type { PlatformContext } from './context.ts';
import { EventRetention } from './events/events.ts';
import { mountHealthRoutes } from './health/health.routes.ts';
import { HierarchyService } from './hierarchy/hierarchy.service.ts';
import { createApp } from './http/app.ts';
import { createAuthenticator } from './http/callers.ts';
import { mountOpenApiRoute } from './http/openapi.ts';
import { ReaderIdentities } from './instances/reader-identities.ts';
import { LivenessMonitor } from './liveness/liveness.monitor.ts';
import { mountMessagesRoutes } from './messages/messages.routes.ts';
import { MessagesService } from './messages/messages.service.ts';
import { mountQuestionsRoutes } from './messages/questions/questions.service.ts';
import { mountNotifyRoutes, NotifyService } from './notify/notify.ts';
import { mountPeerTokensRoutes, PeerTokensService } from './peer-tokens/peer-tokens.service.ts';
import { AgentProbe } from './registry/agent-probe.ts';
import { DiscoveryService, mountDiscoveryRoutes } from './registry/discovery.service.ts';
import { mountRegistryRoutes, RegistryService } from './registry/registry.service.ts';
import { mountSessionRoutes, SessionService } from './session/session.service.ts';
import { mountTokensRoutes, TokensService } from './tokens/tokens.service.ts';
import { LifecycleService } from './workspaces/lifecycle.service.ts';
import { mountWorkspacesRoutes, WorkspacesService } from './workspaces/workspaces.service.ts';

/** All modules, connected to each other and to one HTTP app. */
interface Modules {
  readonly app: FastifyInstance;
  /** Starts the background work. */
  start(): void;
  /** Stops the background work and writes what is pending. */
  stop(): Promise<void>;
}

/** Creates the services, each after the ones it uses, then the HTTP app with their routes. */
export async function createModules(context: PlatformContext, operatorKey: string): Promise<Modules> {
  new EventRetention(context);
  const hierarchy = new HierarchyService(context);
  const liveness = new LivenessMonitor(context);
  const instances = new ReaderIdentities(context);
  const tokens = new TokensService(context);
  const sessions = new SessionService(context);
  const peerTokens = new PeerTokensService(context);
  await peerTokens.checkKeys();
  const feed = new FeedWriter(context);
  const positions = new ReadingPositions(context);
  const control = new ControlRows(context);
  const reader = new FeedReader({ ...context, control, positions });
  new FeedRetention({ ...context, feed });
  const feeds = { ...context, control, feed, positions };
  const messages = new MessagesService({ ...feeds, hierarchy, peerTokens });
  tokens.onRevoked((workspaceIds) => messages.streams.endOf(workspaceIds));

  const authenticator = createAuthenticator({ ...context, operatorKey, sessions, tokens });
  const app = await createApp(context, authenticator);
  mountOpenApiRoute(app, context.address);
  mountHealthRoutes(app, context);
  mountTokensRoutes(app, tokens);
  mountSessionRoutes(app, context, sessions, authenticator);
  mountPeerTokensRoutes(app, peerTokens);
  mountActivityRoutes(app, { ...feeds, instances, reader });
  mountMessagesRoutes(app, context, messages);
  mountQuestionsRoutes(app, messages.questions);
  mountNotifyRoutes(app, new NotifyService({ ...feeds, messages }));
  mountWorkspacesRoutes(
    app,
    new WorkspacesService({ ...context, hierarchy, tokens }),
    new LifecycleService({ ...context, hierarchy, liveness, messages, tokens }),
  );
  const registry = new RegistryService({
    ...context,
    instances,
    liveness,
    peerTokens,
    positions,
    tokens,
  });
  mountRegistryRoutes(app, registry, instances, new AgentProbe({ ...context, peerTokens }));
  mountDiscoveryRoutes(app, new DiscoveryService({ ...context, hierarchy, peerTokens }));

  return {
    app,
    start: () => {
      messages.start();
      context.tasks.start();
    },
    stop: async () => {
      await context.tasks.stop();
      await messages.stop();
      reader.close();
      control.close();
      await tokens.flush();
    },
  };
}
