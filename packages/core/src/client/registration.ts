import {
  type AgentCard,
  type DeliveryMode,
  isJsonObject,
  type JsonObject,
  type RegisterRequest,
  type RegisterResponse,
  type Route,
  routes,
} from '@molecule-ai/protocol';
import { checkToken } from '../credentials/token-store.ts';
import { ApiError } from '../errors/api-error.ts';
import { isError } from '../errors/is-error.ts';
import type { Call, PlatformApi } from '../platform-api/platform-api.ts';
import { given, type OptionsOf } from '../settings/options.ts';
import { withSkills } from '../skills/skill-card.ts';
import { codeOfError, registrations } from '../telemetry/telemetry.ts';
import { shapeError } from '../transport/api-failure.ts';
import { CallShape, type RunningAgentOptions } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';

const PLACEHOLDER_URL = 'remote://no-inbound';

/** The result of a registration, without the token itself. */
export interface Registration {
  /** Whether the platform issued a token; it has been stored. */
  readonly tokenIssued: boolean;
  /** As confirmed by the platform; `null` when it does not support delivery modes. */
  readonly deliveryMode: string | null;
  readonly orgId: string | null;
  /** Who signs the tokens of requests to this agent; `null` when the platform signs none. */
  readonly issuer: string | null;
  /** RFC 3339; `null` when the registration does not expire. */
  readonly expiresAt: string | null;
}

export class RegisterShape extends CallShape {
  /** How messages are delivered from now on. @default the client's `deliveryMode` */
  deliveryMode = given<DeliveryMode>();
  /** @default the client's `agentCard` */
  agentCard = given<AgentCard>();
}

export interface RegisterOptions extends OptionsOf<RegisterShape> {}

/** Registers with the agent's own token, else the admin token, else without; stores an issued token. */
export async function registerAgent(
  context: ClientContext,
  options: RegisterOptions & RunningAgentOptions,
): Promise<Registration> {
  const facts = { 'molecule.workspace.id': context.settings.workspaceId };
  const registering = registrations.start('molecule register', () => facts);
  try {
    const registration = await registering.run(() => register(context, options));
    registering.end({ 'molecule.delivery': registration.deliveryMode ?? undefined });
    return registration;
  } catch (error) {
    registering.end({}, codeOfError(error));
    throw error;
  }
}

async function register(
  context: ClientContext,
  options: RegisterOptions & RunningAgentOptions,
): Promise<Registration> {
  const { tokens, inboundSecret, logger, profile } = context;
  await tokens.load();
  const response = await sendRegistration(context, options);
  const { capabilities } = options.agentCard ?? {};
  profile.streams = isJsonObject(capabilities) && capabilities.streaming === true;
  context.api.capabilities.readList(response.capabilities);
  const issued = response.auth_token?.trim() ?? '';
  if (issued !== '') await tokens.save(checkIssued(routes.register, issued));
  else if (tokens.current() === undefined) {
    logger.warn(
      {},
      'The platform issued no token and none is stored: requests are sent without a credential.',
    );
  }
  await inboundSecret.keep(response.platform_inbound_secret);
  return {
    tokenIssued: issued !== '',
    deliveryMode: response.delivery_mode ?? null,
    orgId: response.org_id ?? null,
    issuer: response.issuer ?? null,
    expiresAt: response.expires_at ?? null,
  };
}

/** @throws ApiError `unexpected_response` also for the JSON of another server, which has none of the keys of a registration. */
async function sendOnce(api: PlatformApi, input: Call<typeof routes.register>): Promise<RegisterResponse> {
  const response = await api.send(routes.register, input);
  const read = api.parse(routes.register, input, response);
  const isEmpty = Object.keys(Object(response.body)).length === 0;
  if (isEmpty || Object.values(read).some((value) => value !== undefined)) return read;
  throw shapeError(routes.register, response.status, 'nothing of a registration is in it');
}

/** @throws ApiError `unexpected_response` for a text that cannot be sent as a token. */
export function checkIssued(route: Route, token: string): string {
  try {
    return checkToken(token);
  } catch (error) {
    throw shapeError(route, 200, `auth_token: ${isError(error) ? error.message : 'unusable'}`);
  }
}

/** Older platforms require a URL even in poll mode: then the request is repeated with the Python SDK's placeholder. */
async function sendRegistration(
  context: ClientContext,
  { signal, isRetried, instanceId, deliveryMode: wanted, agentCard }: RegisterOptions & RunningAgentOptions,
): Promise<RegisterResponse> {
  const { settings, api, tokens, logger, profile } = context;
  const deliveryMode = wanted ?? settings.deliveryMode;
  const bearer = tokens.current() === undefined ? (settings.adminToken ?? undefined) : undefined;
  const body: RegisterRequest = {
    id: settings.workspaceId,
    workspace_id: settings.workspaceId,
    agent_card: withSkills((agentCard ?? profile.card) as JsonObject, profile.skills),
    delivery_mode: deliveryMode,
    url: deliveryMode === 'push' ? (settings.reportedUrl ?? undefined) : undefined,
  };
  // The token is issued once: without it the agent cannot go on, and nobody would know why.
  const input = { body, bearer, instanceId, signal, needed: ['auth_token'] };
  try {
    return await sendOnce(api, { ...input, isRepeatable: isRetried });
  } catch (error) {
    if (deliveryMode !== 'poll' || !mentionsUrl(error)) throw error;
    logger.info({ error }, 'The platform requires a URL in poll mode: registering with one.');
    const withUrl = { ...body, url: settings.reportedUrl ?? PLACEHOLDER_URL };
    return sendOnce(api, { ...input, body: withUrl }).catch(needsUrl);
  }
}

/** An agent with a server streams, unless its card says otherwise. */
export function withStreaming(card: JsonObject): JsonObject {
  const capabilities = isJsonObject(card.capabilities) ? card.capabilities : {};
  return { ...card, capabilities: { streaming: true, ...capabilities } };
}

/** Older platforms say neither which field is wrong nor always that it is the URL. */
function mentionsUrl(error: unknown): boolean {
  if (!ApiError.isInstance(error) || error.status !== 400) return false;
  const field = error.details?.field;
  if (typeof field === 'string') return field === 'url';
  return /url|invalid request body/i.test(error.bodyExcerpt);
}

function needsUrl(error: unknown): never {
  if (!ApiError.isInstance(error) || error.status !== 400) throw error;
  throw new ApiError('The platform does not register an agent without a public URL.', {
    ...error,
    code: 'request_rejected',
    body: error.bodyExcerpt,
    hint: 'It does not support polling: set reportedUrl to a public URL, with delivery "long-poll" if nothing serves it, or update the platform.',
    cause: error,
  });
}
