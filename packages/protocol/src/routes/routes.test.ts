import { describe, expect, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import { ERROR_CODE_LIST, isErrorCode } from '../error-codes.ts';
import type { A2aResponse, QueuedResponse } from '../message-responses.ts';
import type { NotifyRequest } from '../notify.ts';
import {
  ACCESS_ERRORS,
  type PathParams,
  type Route,
  type RouteParams,
  type RouteQuery,
  type RouteRequest,
  type RouteResponse,
} from './route.ts';
import { buildPath, findRoute, routes } from './table.ts';

const id = '0b9a3f6e-8a51-4c55-9f0e-2f6a52f3a111';
const entries = Object.entries<Route>(routes);

describe('routes', () => {
  it('carry their name', () => {
    expect(entries.filter(([name, route]) => route.name !== name)).toEqual([]);
  });

  it('have unique methods and paths', () => {
    const keys = entries.map(([, route]) => `${route.method} ${route.path.replaceAll(/:\w+/g, ':')}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('have one sentence each', () => {
    for (const [name, { summary }] of entries) expect(summary, name).toMatch(/^[A-Z][^\n]+[^.]\.$/);
  });

  it('declare known codes, those of their access included, and at least one response', () => {
    for (const [name, route] of entries) {
      expect(route.errors.every(isErrorCode), name).toBe(true);
      expect(route.errors, name).toEqual(expect.arrayContaining([...ACCESS_ERRORS[route.access]]));
      expect(Object.keys(route.responses).length, name).toBeGreaterThan(0);
    }
  });

  it('use every code somewhere, in the server of an agent, for the skills of one, or before a route is chosen', () => {
    const used = new Set<string>(ACCESS_ERRORS.peer.concat(entries.flatMap(([, route]) => route.errors)));
    const unused = ERROR_CODE_LIST.filter((code) => !used.has(code));
    expect(unused).toEqual(['not_found', 'method_not_allowed', 'invalid_data', 'unknown_skill']);
  });

  it('leave exactly these open to everybody', () => {
    const open = entries.filter(([, route]) => route.access === 'anonymous').map(([name]) => name);
    expect(open.sort()).toEqual(['createSession', 'deleteSession', 'health', 'jwks', 'ready']);
  });

  it('are safe to repeat when they only read, and wait where they have a wait parameter', () => {
    for (const [name, route] of entries) {
      if (route.method === 'GET') expect(route.repeat, name).toBe('safe');
      const waits = route.query?.strict instanceof z.ZodObject && 'wait' in route.query.strict.shape;
      expect(route.timeLimit === 'wait', name).toBe(waits);
    }
    expect(routes.heartbeat.repeat).toBe('idempotent');
    expect(routes.sendMessage).toMatchObject({ repeat: 'keyed', timeLimit: 'call' });
    expect(routes.mintToken.repeat).toBe('unsafe');
  });

  it('type their parameters and bodies', () => {
    expectTypeOf<PathParams<'/a/:b/c/:d'>>().toEqualTypeOf<{ readonly b: string; readonly d: string }>();
    expectTypeOf<keyof RouteParams<typeof routes.listWorkspaces>>().toEqualTypeOf<never>();
    expectTypeOf<RouteParams<typeof routes.notify>>().toEqualTypeOf<{ readonly id: string }>();
    expectTypeOf<RouteRequest<typeof routes.notify>>().toEqualTypeOf<NotifyRequest>();
    expectTypeOf<RouteRequest<typeof routes.pauseWorkspace>>().toEqualTypeOf<undefined>();
    expectTypeOf<RouteQuery<typeof routes.notify>>().toEqualTypeOf<undefined>();
    expectTypeOf<RouteQuery<typeof routes.listActivity>['wait']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<RouteResponse<typeof routes.sendMessage>>().toEqualTypeOf<A2aResponse | QueuedResponse>();
    expectTypeOf<RouteResponse<typeof routes.sendMessage, 202>>().toEqualTypeOf<QueuedResponse>();
    expectTypeOf<RouteResponse<typeof routes.pullSecrets, 304>>().toEqualTypeOf<undefined>();
  });
});

describe('findRoute', () => {
  it('prefers fixed segments', () => {
    expect(findRoute('GET', '/registry/discover/x')).toBe(routes.discover);
    expect(findRoute('POST', `/workspaces/${id}/delegations/record`)?.name).toBe('recordDelegation');
    expect(findRoute('POST', `/workspaces/${id}/delegations/x/record`)).toBeUndefined();
    expect(findRoute('GET', '/plugins/sources')?.name).toBe('listPluginSources');
    expect(findRoute('GET', `/workspaces/${id}/secrets/values?x=1`)?.name).toBe('pullSecrets');
    expect(findRoute('GET', `/workspaces/${id}/plugins/available`)?.name).toBe('listAvailablePlugins');
    expect(findRoute('GET', '/workspaces/')).toBeUndefined();
  });

  it('finds each route by its own path', () => {
    for (const [, route] of entries) expect(findRoute(route.method, route.path)).toBe(route);
  });
});

describe('buildPath', () => {
  it('fills in and encodes parameters', () => {
    expect(buildPath(routes.health, {})).toBe('/health');
    expect(buildPath(routes.getMessage, { id, messageId: 'a/b ?ü…' })).toBe(
      `/workspaces/${id}/messages/a%2Fb%20%3F%C3%BC%E2%80%A6`,
    );
  });

  it.each(['', '.', '..', '\ud800', undefined, 7])('refuses %j', (value) => {
    expect(() => buildPath(routes.notify, { id: value as string })).toThrow(TypeError);
  });

  it('requires exactly the parameters of the path', () => {
    // @ts-expect-error: id is missing
    expect(() => buildPath(routes.notify, {})).toThrow('id');
  });
});
