import { messageRoutes } from './routes/message-routes.ts';
import { platformRoutes } from './routes/platform-routes.ts';
import { registryRoutes } from './routes/registry-routes.ts';
import { resourceRoutes } from './routes/resource-routes.ts';
import { workspaceRoutes } from './routes/workspace-routes.ts';

/**
 * Every route of the platform by name: method, path, who may call it, and the shape of everything it takes and
 * gives. An answer outside 2xx is always an `ErrorBody`.
 */
export const ROUTES = {
  ...workspaceRoutes,
  ...registryRoutes,
  ...messageRoutes,
  ...resourceRoutes,
  ...platformRoutes,
} as const;

/** The name of a route. */
export type RouteName = keyof typeof ROUTES;
