import {
  ErrorBody,
  errorStatus,
  type JsonObject,
  type OpenApiDocument,
  type RawBody,
  type Route,
  type RouteAccess,
  routes,
  type Wire,
  z,
} from '@molecule-ai/protocol';
import type { FastifyInstance } from 'fastify';
import type { PlatformAddress } from '../context.ts';
import { mount } from './mount.ts';

// A static import of this module loads all of Node's own fetch.
const { STATUS_CODES } = process.getBuiltinModule('node:http');

/** `GET /openapi.json`: generated from the mounted routes on the first request. */
export function mountOpenApiRoute(app: FastifyInstance, address: PlatformAddress): void {
  let document: OpenApiDocument | undefined;
  mount(app, routes.openapi, () => {
    document ??= describeRoutes(app.mountedRoutes, address.url);
    return document;
  });
}

/** The OpenAPI 3.1 document of these routes. Bodies are the strict shapes; readers must ignore unknown keys. */
function describeRoutes(described: Iterable<Route>, serverUrl: string): OpenApiDocument {
  const schemas = new Schemas();
  const paths: Record<string, JsonObject> = {};
  for (const route of described) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: describeOperation(route, schemas) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Molecule AI platform',
      version: '1',
      description: 'Readers of responses must ignore keys that they do not know.',
    },
    servers: [{ url: serverUrl }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'A workspace token, or an operator key.' },
        session: { type: 'apiKey', in: 'cookie', name: 'molecule_session', description: 'Operators only.' },
      },
      schemas: schemas.all,
    },
  };
}

function describeOperation(route: Route, schemas: Schemas): JsonObject {
  const { name, summary, access, repeat, request } = route;
  return {
    operationId: name,
    summary,
    'x-access': access,
    'x-repeat': repeat,
    security: SECURITY[access],
    parameters: [...pathParameters(route), ...queryParameters(route)],
    ...(request === undefined ? {} : { requestBody: { content: describeBody(request, 'input', schemas) } }),
    responses: { ...describeSuccess(route, schemas), ...describeErrors(route, schemas) },
  };
}

const BEARER = { bearer: [] };
const OPERATOR = [BEARER, { session: [] }];
const SECURITY: { readonly [Access in RouteAccess]: JsonObject[] } = {
  anonymous: [],
  claim: [{}, ...OPERATOR],
  own: [BEARER],
  workspace: OPERATOR,
  caller: OPERATOR,
  operator: OPERATOR,
  peer: [BEARER],
};

function pathParameters({ path }: Route): JsonObject[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string', ...(/^(id|workspaceId|tokenId)$/.test(name) ? { format: 'uuid' } : {}) },
  }));
}

function queryParameters({ query }: Route): JsonObject[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = toJsonSchema(query, 'input');
  return Object.entries(properties as Record<string, JsonObject>).map(([name, schema]) => ({
    name,
    in: 'query',
    required: (required as string[]).includes(name),
    schema,
  }));
}

function describeSuccess(route: Route, schemas: Schemas): JsonObject {
  const entries = Object.entries(route.responses).map(([status, body]) => [
    status,
    {
      description: STATUS_CODES[status] ?? status,
      ...withContent({
        ...describeBody(body, 'output', schemas),
        ...(route.streams === 'on-request' && status === '200' ? { 'text/event-stream': {} } : {}),
      }),
    },
  ]);
  return Object.fromEntries(entries);
}

/** The codes of a route by their usual status; a few codes also have another one, hence the default. */
function describeErrors({ errors }: Route, schemas: Schemas): JsonObject {
  const content = describeBody(ErrorBody, 'output', schemas);
  const described: Record<string, JsonObject> = { default: { description: 'Any other error.', content } };
  for (const code of errors) {
    const status = errorStatus(code);
    const others = described[status]?.description;
    described[status] = { description: others === undefined ? code : `${others}, ${code}`, content };
  }
  return described;
}

function describeBody(body: Wire | RawBody, io: 'input' | 'output', schemas: Schemas): JsonObject {
  if (!('media' in body)) return { 'application/json': { schema: schemas.refer(body, io) } };
  return body.media === '' ? {} : { [body.media]: {} };
}

function withContent(content: JsonObject): JsonObject {
  return Object.keys(content).length === 0 ? {} : { content };
}

/** The schemas of bodies, each once under its name. */
class Schemas {
  readonly all: Record<string, JsonObject> = {};

  refer(wire: Wire, io: 'input' | 'output'): JsonObject {
    this.all[wire.name] ??= toJsonSchema(wire, io);
    return { $ref: `#/components/schemas/${wire.name}` };
  }
}

function toJsonSchema(wire: Wire, io: 'input' | 'output'): JsonObject {
  const schema = z.toJSONSchema(wire.strict, {
    io,
    override: ({ jsonSchema }) => {
      // A strict object rejects unknown keys; a reader of the document must ignore them.
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
  delete schema.$schema;
  return JSON.parse(JSON.stringify(schema));
}
