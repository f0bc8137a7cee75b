import * as z from 'zod';
import { JsonObject } from './open-json.ts';
import { type WireType, wire } from './wire.ts';

/** Response of `GET /openapi.json`: an OpenAPI 3.1 document of the routes that the platform serves. */
export const OpenApiDocument = wire('OpenApiDocument', (w) =>
  w.object({
    openapi: z.string(),
    info: JsonObject,
    servers: w.maybe(z.array(JsonObject)),
    paths: JsonObject,
    components: JsonObject,
  }),
);
export type OpenApiDocument = WireType<typeof OpenApiDocument>;
