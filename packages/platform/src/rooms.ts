import type { FastifyInstance } from 'fastify';
import { registerActivityRoutes } from './activity/activity.routes.ts';
import { createActivityService } from './activity/activity.service.ts';
import type { PlatformContext } from './context.ts';
import { createEventRetention } from './events/event-retention.ts';
import { registerHealthRoutes } from './health/health.routes.ts';
import { createHierarchyService } from './hierarchy/hierarchy.service.ts';
import { createApp } from './http/app.ts';
import { createAuthenticator } from './http/authenticator.ts';
import { createLivenessMonitor } from './liveness/liveness.monitor.ts';
import { registerMessagesRoutes } from './messages/messages.routes.ts';
import { createMessagesService } from './messages/messages.service.ts';
import { registerNotifyRoutes } from './notify/notify.routes.ts';
import { createNotifyService } from './notify/notify.service.ts';
import { registerDiscoveryRoutes } from './registry/discovery.routes.ts';
import { createDiscoveryService } from './registry/discovery.service.ts';
import { createPresenceService } from './registry/presence.service.ts';
import { createRegistrationService } from './registry/registration.service.ts';
import { registerRegistryRoutes } from './registry/registry.routes.ts';
import { registerSessionRoutes } from './session/session.routes.ts';
import { createSessionService } from './session/session.service.ts';
import { registerTokensRoutes } from './tokens/tokens.routes.ts';
import { createTokensService } from './tokens/tokens.service.ts';
import { createWorkspaceLookup } from './workspaces/workspace.lookup.ts';
import { registerWorkspacesRoutes } from './workspaces/workspaces.routes.ts';
import { createWorkspacesService } from './workspaces/workspaces.service.ts';

/** Every room, wired to the others and to one HTTP app. */
export interface Rooms {
  readonly app: FastifyInstance;
  /** Starts what runs by itself. */
  start(): void;
  /** Ends what runs by itself and writes what is pending. */
  stop(): Promise<void>;
}

export async function createRooms(context: PlatformContext, operatorKey: string): Promise<Rooms> {
  const hierarchy = createHierarchyService(context);
  const workspaces = createWorkspaceLookup(context);
  const liveness = createLivenessMonitor(context);
  const eventRetention = createEventRetention(context);
  const tokens = createTokensService(context, { workspaces });
  const sessions = createSessionService(context);
  const { findToken } = tokens;
  const { findSession } = sessions;
  const authenticator = createAuthenticator(context, operatorKey, { findToken, findSession });
  const registry = { workspaces, tokens, liveness };
  const activity = createActivityService(context, workspaces);
  const messages = createMessagesService(context, { activity, workspaces, hierarchy });

  const app = await createApp(context, authenticator);
  registerHealthRoutes(app, context);
  registerSessionRoutes(app, context, sessions, authenticator);
  registerTokensRoutes(app, tokens);
  registerWorkspacesRoutes(
    app,
    createWorkspacesService(context, {
      hierarchy,
      tokens,
      liveness,
      onRemoval: [messages.onWorkspaceRemoved],
    }),
  );
  registerRegistryRoutes(
    app,
    createRegistrationService(context, registry),
    createPresenceService(context, { ...registry, countPending: (id) => activity.pendingCount(id) }),
  );
  registerDiscoveryRoutes(app, createDiscoveryService(context, { hierarchy, workspaces }));

  registerActivityRoutes(app, context, activity, workspaces);
  registerMessagesRoutes(app, context, messages);
  registerNotifyRoutes(app, createNotifyService(context, { activity, messages, workspaces }));

  return {
    app,
    start: () => {
      liveness.start();
      eventRetention.start();
      activity.start();
      messages.start();
    },
    stop: async () => {
      await liveness.stop();
      await eventRetention.stop();
      await messages.stop();
      await activity.stop();
      await tokens.flush();
    },
  };
}
