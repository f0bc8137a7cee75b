import { behaviours } from './behaviour.ts';

/** The platform's own description of its routes. */
export const OPENAPI = behaviours({
  'openapi.describes-every-mounted-route': [
    'GET /openapi.json is a valid OpenAPI 3.1 document of exactly the routes that the platform serves.',
    'docs/decisions/0008-unauthenticated-routes.md',
  ],
  'openapi.needs-a-credential': [
    'GET /openapi.json is given to every workspace and operator, and to nobody without a valid credential.',
    'docs/decisions/0008-unauthenticated-routes.md',
  ],
});
