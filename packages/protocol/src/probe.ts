import * as z from 'zod';
import { urlText } from './field-limits.ts';
import { type WireType, wire } from './wire.ts';

/**
 * JSON-RPC method by which the platform lets the server of an agent know that it was paused (`params.status` is `paused`),
 * resumed (`awaiting_agent`) or removed (`removed`).
 */
export const STATE_CALL_METHOD = 'molecule/state';

/** Response header of an agent's card: the `jti` of the peer token of the request. Lower case, as Node gives header names. */
export const PROBE_HEADER = 'x-molecule-probe';
/** Value of that header when the token is good, but not valid by the clock of the agent. */
export const PROBE_CLOCK_SKEW = 'clock_skew';

/**
 * Why the platform cannot reach an agent.
 * - `refused_address`: not an http or https URL, or an address that the platform does not connect to.
 * - `name_not_found`: the host name does not resolve.
 * - `connection_refused`, `connection_failed`: nothing listens there; the connection broke.
 * - `tls_failed`: the certificate is not trusted, or not of this host.
 * - `timeout`: no response in time.
 * - `wrong_status`: the response has another status than 200, such as a redirect; see `status`.
 * - `clock_skew`: the agent responds, and says that its clock keeps it from accepting the token.
 * - `no_probe_header`, `wrong_probe_header`: something responds, but not this agent.
 */
export const PROBE_REASONS = [
  'refused_address',
  'name_not_found',
  'connection_refused',
  'connection_failed',
  'tls_failed',
  'timeout',
  'wrong_status',
  'no_probe_header',
  'wrong_probe_header',
  'clock_skew',
] as const;
export type ProbeReason = (typeof PROBE_REASONS)[number];

/** Body of `POST /workspaces/:id/probe`: the URL that the agent would register, by default the registered one. */
export const ProbeRequest = wire('ProbeRequest', (w) => w.object({ url: w.maybe(urlText()) }));
export type ProbeRequest = WireType<typeof ProbeRequest>;

/** Whether the platform reached the agent; `reason` is null when it did. `status` is that of the agent's response, if any. */
export const ProbeResponse = wire('ProbeResponse', (w) =>
  w.object({
    reachable: z.boolean(),
    reason: w.orNull(w.oneOf(PROBE_REASONS)),
    status: w.orNull(z.int()),
  }),
);
export type ProbeResponse = WireType<typeof ProbeResponse>;
