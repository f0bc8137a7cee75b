import type { FastifyInstance } from 'fastify';

/** The routes of the app by path, so that a 404 can say which methods a path does have. */
export interface RouteDirectory {
  /** Methods of the routes whose path fits, in the order of registration. */
  methodsOf(path: string): string[];
}

interface KnownRoute {
  readonly method: string;
  readonly segments: readonly string[];
}

/** Listens to the routes as they are registered; call it before the first one. */
export function collectRoutes(app: FastifyInstance): RouteDirectory {
  const routes: KnownRoute[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    for (const name of [method].flat()) {
      if (name !== 'HEAD' && name !== 'OPTIONS') routes.push({ method: name, segments: segmentsOf(url) });
    }
  });
  return {
    methodsOf: (path) => {
      const segments = segmentsOf(path);
      const fitting = routes.filter((route) => fits(route.segments, segments));
      return [...new Set(fitting.map((route) => route.method))];
    },
  };
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  if (pattern.length !== segments.length) return false;
  return pattern.every((part, index) => part.startsWith(':') || part === segments[index]);
}
