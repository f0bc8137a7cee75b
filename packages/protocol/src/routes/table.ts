import { messageRoutes } from './message-routes.ts';
import { platformRoutes } from './platform-routes.ts';
import { registryRoutes } from './registry-routes.ts';
import { resourceRoutes } from './resource-routes.ts';
import type { PathParams } from './route.ts';
import { workspaceRoutes } from './workspace-routes.ts';

type Routes = typeof workspaceRoutes &
  typeof registryRoutes &
  typeof messageRoutes &
  typeof resourceRoutes &
  typeof platformRoutes;

/** The name of a route. */
export type RouteName = keyof Routes;

/**
 * Every route of the platform by name: method, path, who may call it, the shapes of its requests and responses, its
 * errors, and how a client may repeat it and how long it waits. The only description of an endpoint: the client, the
 * server, the OpenAPI document and docs/contract/routes.md are made from it.
 */
export const routes: Routes = {
  ...workspaceRoutes,
  ...registryRoutes,
  ...messageRoutes,
  ...resourceRoutes,
  ...platformRoutes,
};

/** Any route of the table. */
export type KnownRoute = Routes[RouteName];

interface Pattern {
  readonly route: KnownRoute;
  readonly segments: readonly string[];
}

let patterns: ReadonlyMap<string, readonly Pattern[]> | undefined;

/**
 * The route of a method and a concrete path, with or without its query string; fixed segments win over parameters.
 * Undefined when there is none.
 */
export function findRoute(method: string, path: string): KnownRoute | undefined {
  patterns ??= orderedPatterns();
  const end = path.search(/[?#]/);
  const segments = (end === -1 ? path : path.slice(0, end)).split('/').slice(1);
  const candidates = patterns.get(`${method} ${segments.length}`) ?? [];
  return candidates.find((pattern) => pattern.segments.every((part, i) => fits(part, segments[i])))?.route;
}

function orderedPatterns(): ReadonlyMap<string, readonly Pattern[]> {
  const table = new Map<string, Pattern[]>();
  for (const route of Object.values<KnownRoute>(routes)) {
    const segments = route.path.split('/').slice(1);
    const key = `${route.method} ${segments.length}`;
    table.set(key, [...(table.get(key) ?? []), { route, segments }]);
  }
  for (const entries of table.values()) {
    entries.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
  }
  return table;
}

/** A sort key that puts fixed segments before parameters, from the left. */
function rank({ segments }: Pattern): string {
  return segments.map((part) => (part.startsWith(':') ? '1' : '0')).join('');
}

function fits(part: string, segment: string | undefined): boolean {
  if (segment === undefined) return false;
  return part.startsWith(':') ? segment !== '' : part === segment;
}

/**
 * The path of a route with its parameters filled in and percent-encoded, so that no value can leave its segment.
 *
 * @example buildPath(routes.notify, { id: 'a b' }) // '/workspaces/a%20b/notify'
 * @throws TypeError for a parameter that is not a string, empty, `.`, `..` or not valid Unicode.
 */
export function buildPath<Path extends string>(
  route: { readonly path: Path },
  params: PathParams<Path>,
): string {
  const values: Readonly<Record<string, unknown>> = params;
  let pieces = splitPaths.get(route.path);
  if (pieces === undefined) {
    pieces = route.path.split(/:(\w+)/);
    splitPaths.set(route.path, pieces);
  }
  let path = pieces[0] ?? '';
  for (let index = 1; index < pieces.length; index += 2) {
    const name = pieces[index] ?? '';
    path += encodeSegment(name, values[name]) + (pieces[index + 1] ?? '');
  }
  return path;
}

/** Of each path of the table, in turn: the text before a parameter, and its name. */
const splitPaths = new Map<string, readonly string[]>();

/** Ids, which are most values, are what `encodeURIComponent` would return. */
const ID = /^[\w-]+$/;

function encodeSegment(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && value !== '.' && value !== '..') {
    if (ID.test(value)) return value;
    try {
      return encodeURIComponent(value);
    } catch {
      // A lone surrogate; reported below.
    }
  }
  throw new TypeError(`The path parameter ${name} must be a non-empty string, got ${JSON.stringify(value)}.`);
}
