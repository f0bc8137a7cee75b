import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type AgentCard, DELIVERY_MODES, type DeliveryMode } from '@molecule-ai/protocol';
import { ConfigurationError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import {
  type ConnectionSettings,
  ConnectionShape,
  originOfCredential,
  PlatformShape,
  type RequestDispatcher,
  RequestLimits,
  readCredential,
  readHttpUrl,
  resolveConnection,
} from './connection-settings.ts';
import type { Environment } from './node-types.ts';
import {
  checkText,
  describe,
  isObject,
  number,
  type OptionsOf,
  option,
  optionsSchema,
  parseOptions,
  type Refuse,
  type SettingsOf,
  text,
  unknownKeys,
  withMethods,
  word,
} from './options.ts';
import { isLoopback } from './platform-proxy.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
export const DEFAULT_CALL_TIMEOUT_MS = 30_000;
/** Of A2A 0.3 and 1.0, and of platforms. */
const CARD_KEYS = [
  ...['name', 'description', 'version', 'url', 'runtime', 'skills', 'capabilities', 'provider', 'iconUrl'],
  ...[
    'documentationUrl',
    'protocolVersion',
    'protocolVersions',
    'preferredTransport',
    'additionalInterfaces',
  ],
  ...['supportedInterfaces', 'defaultInputModes', 'defaultOutputModes', 'security', 'securitySchemes'],
  ...['securityRequirements', 'signatures', 'supportsAuthenticatedExtendedCard'],
];
const SKILL_KEYS = [
  ...['id', 'name', 'description', 'tags', 'examples', 'inputModes', 'outputModes'],
  ...['security', 'securityRequirements'],
];
const CARD_HINT = "Pass the card as an object, such as { name: 'researcher' }.";
const STORE_HINT =
  'Pass new MemoryTokenStore(), a TokenStore of your own, or leave it out for a file in the directory.';
const NETWORKS_HINT = "For example ['10.20.0.0/16']; the environment variable separates them by commas.";

/** Stores the workspace token between runs. */
export interface TokenStore {
  /** Returns the stored token, or `undefined` if there is none. */
  load(): Promise<string | undefined>;
  /** Replaces the stored token atomically. */
  save(token: string): Promise<void>;
  /**
   * Returns the secret that some platforms send as the bearer when they push to the agent, or `undefined` if there is none.
   * A store without this method and {@link saveInboundSecret} does not keep it.
   */
  loadInboundSecret?(): Promise<string | undefined>;
  /** Replaces this secret atomically. */
  saveInboundSecret?(secret: string): Promise<void>;
}

/** How the platform and peers are reached. */
export class ClientConnectionShape extends ConnectionShape {
  /**
   * Whether `callPeer` sends to the peer's own server first, and through the platform when that fails. `auto`: where the
   * platform gives a URL and a token for the peer. `always`: also without a token; then a call whose outcome is unknown fails and
   * is not repeated. `off`: never. @default 'auto'
   */
  directCalls = word(['auto', 'always', 'off'], 'auto');
  /**
   * Private networks in CIDR notation where peers may be called directly; besides them only addresses of the internet, and on
   * a platform at a loopback address also loopback and private ones. Link-local addresses never.
   * Environment: `MOLECULE_ALLOW_PEER_NETWORKS`, separated by commas. @default none
   */
  allowPeerNetworks = option<readonly string[]>(readNetworks, {
    kind: 'a list of networks',
    variables: ['MOLECULE_ALLOW_PEER_NETWORKS'],
    fromVariable: (list) => list.split(','),
  });
  /**
   * What happens when the name, the card or the origin of the URL of a peer is another one than when the peer was first used. `warn`
   * logs it and emits `peer-changed`. `block` also refuses calls to it with `peer_changed` until `acceptPeerChange`; each peer is
   * then looked up before it is called, also through the platform. @default 'warn'
   */
  onPeerChange = word(['warn', 'block'], 'warn');
}

/** Where the client keeps what outlives the process. */
export class StorageShape {
  /**
   * Folder for the token and other private files, created with mode 0700.
   * Environment: `MOLECULE_STATE_DIR`. @default `~/.molecule/<workspaceId>`
   */
  directory = text({ kind: 'a path', variables: ['MOLECULE_STATE_DIR'] }, (path) => path);
  /** Stores the token. @default a file in `directory`, mode 0600 */
  tokenStore = withMethods<TokenStore>(['load', 'save'], STORE_HINT);
}

/** Limits of requests, calls and caches. */
export class ClientLimits extends RequestLimits {
  /** Time limit of a call to a peer, in milliseconds; the platform holds the call slightly shorter. @default 30_000 */
  callTimeoutMs = number({ min: 1, byDefault: DEFAULT_CALL_TIMEOUT_MS });
  /**
   * How many reads of all agents in this process the platform may hold at the same time; each needs a connection. Agents beyond it
   * read at the interval of their delivery, and take turns. @default 1_000
   */
  maxHeldReads = number({ min: 1, max: 65_535, isInteger: true, byDefault: 1_000 });
  /** How long a peer's URL is cached, in milliseconds. @default 300_000 */
  peerCacheTtlMs = number({ min: 0, byDefault: 300_000 });
  /** Maximum number of cached peer URLs. @default 1_000 */
  peerCacheSize = number({ min: 1, max: 1_000_000, isInteger: true, byDefault: 1_000 });
}

/** Identity and reachability of an agent, and its connection to the platform. */
export class ClientShape extends PlatformShape {
  /**
   * The workspace's UUID, as returned by `POST /workspaces`. Environment: `MOLECULE_WORKSPACE_ID`, `WORKSPACE_ID`.
   */
  workspaceId = text(
    { kind: 'a UUID', variables: ['MOLECULE_WORKSPACE_ID', 'WORKSPACE_ID'] },
    readWorkspaceId,
  );
  /**
   * A token of the workspace. Takes precedence over a stored one and is never written to disk. After
   * `rotateToken()` the platform refuses it, and the client uses the new one, which was stored, also after a restart.
   * `null`, as `createWorkspace` returns it for a workspace without one, counts as not given. Environment: `MOLECULE_WORKSPACE_TOKEN`.
   */
  authToken = option<string | null>((token, refuse) => readCredential(checkText(token, refuse), refuse), {
    kind: 'a text',
    variables: ['MOLECULE_WORKSPACE_TOKEN'],
    ignoresNull: true,
  });
  /**
   * Operator credential for a first registration without a token. Sent to `/registry/register` only and never stored.
   * Environment: `MOLECULE_ADMIN_TOKEN`.
   */
  adminToken = text<string | null>({ variables: ['MOLECULE_ADMIN_TOKEN'] }, readCredential);
  /**
   * Describes the agent to others. Environment: `MOLECULE_AGENT_NAME` for the name in the default.
   * @default `{ name: 'remote-agent-<first 8 of the id>' }`
   */
  agentCard = option<AgentCard | undefined, AgentCard>(
    (card, refuse) =>
      card === undefined || isObject(card)
        ? (card as AgentCard | undefined)
        : refuse(`must be an object, got ${describe(card)}`, CARD_HINT),
    { kind: 'an agent card' },
  );
  /**
   * The URL under which the platform can reach this agent. Without it, messages are polled.
   * Environment: `MOLECULE_REPORTED_URL`.
   */
  reportedUrl = text({ kind: 'a URL', variables: ['MOLECULE_REPORTED_URL'] }, (url, refuse) =>
    url === undefined ? null : readHttpUrl(url, refuse).href,
  );
  /** How messages reach an agent that registers without a runtime. @default `'push'` with `reportedUrl`, otherwise `'poll'` */
  deliveryMode = word(DELIVERY_MODES, undefined);
  /** How the platform and peers are reached. */
  connection = optionsSchema(new ClientConnectionShape());
  /** Where the client keeps what outlives the process. */
  storage = optionsSchema(new StorageShape());
  /** Limits of requests, calls and caches. */
  limits = optionsSchema(new ClientLimits());
}

/** Options of a `RemoteAgentClient`. Most of the first ones can also be set by an environment variable. */
export interface RemoteAgentClientOptions extends OptionsOf<ClientShape> {}

const DISABLED = /^\s*(?:1|true|yes|on)\s*$/i;

/** Sends nothing. */
const REFUSING: RequestDispatcher = {
  dispatch: () => {
    throw new ConfigurationError('Nothing is sent to the platform: MOLECULE_DISABLED is set.', {
      hint: 'Unset MOLECULE_DISABLED, or pass connection.dispatcher of a test platform.',
    });
  },
};

const CLIENT = new ClientShape();
const CLIENT_OPTIONS = optionsSchema(CLIENT);

/** The checked options of a client, with all defaults; frozen. */
export interface ClientSettings
  extends ConnectionSettings,
    SettingsOf<ClientLimits>,
    Pick<SettingsOf<ClientConnectionShape>, 'directCalls' | 'onPeerChange'> {
  readonly workspaceId: string;
  /** Whether the agent joins no workspace, and nothing is sent. */
  readonly isDisabled: boolean;
  readonly authToken: string | null;
  readonly adminToken: string | null;
  /** Where each credential was set, for errors; `null` where it was not. */
  readonly origins: { readonly authToken: string | null; readonly adminToken: string | null };
  readonly agentCard: AgentCard;
  readonly reportedUrl: string | null;
  readonly deliveryMode: DeliveryMode;
  /** Absolute. */
  readonly stateDirectory: string;
  /** `null` for a file in {@link stateDirectory}. */
  readonly tokenStore: TokenStore | null;
  /** Which addresses of peers are called directly. */
  readonly peerAddresses: {
    readonly allowLoopback: boolean;
    readonly allowPrivate: boolean;
    readonly allowedNetworks: readonly string[];
  };
}

/**
 * Validates the options of an agent. Missing values are taken from `env`, then from the defaults.
 * @throws ConfigurationError naming the option and its environment variables.
 */
export function resolveClientSettings(options: RemoteAgentClientOptions, env: Environment): ClientSettings {
  const given = parseOptions('RemoteAgentClient', CLIENT_OPTIONS, options, env);
  const { workspaceId, authToken, adminToken, agentCard, reportedUrl } = given;
  const { directCalls, allowPeerNetworks: allowedNetworks, onPeerChange, ...connection } = given.connection;
  // A test platform has a dispatcher of its own.
  const isDisabled = connection.dispatcher === undefined && DISABLED.test(env.MOLECULE_DISABLED ?? '');
  const dispatcher = isDisabled ? REFUSING : connection.dispatcher;
  const settings = resolveConnection(given, { ...connection, dispatcher }, given.limits, env);
  const isLocal = isLoopback(new URL(settings.platformUrl));
  warnOfMistypedKeys(settings.logger, 'agentCard', agentCard, CARD_KEYS);
  const { skills } = agentCard ?? {};
  for (const skill of Array.isArray(skills) ? skills : []) {
    warnOfMistypedKeys(settings.logger, 'A skill of agentCard', skill, SKILL_KEYS);
  }
  return Object.freeze({
    ...settings,
    ...given.limits,
    workspaceId,
    isDisabled,
    authToken,
    adminToken,
    origins: Object.freeze({
      authToken: originOfCredential('authToken', CLIENT.authToken, options.authToken, env),
      adminToken: originOfCredential('adminToken', CLIENT.adminToken, options.adminToken, env),
    }),
    agentCard: resolveCard(agentCard, env.MOLECULE_AGENT_NAME?.trim(), workspaceId),
    reportedUrl,
    deliveryMode: resolveDeliveryMode(given.deliveryMode, reportedUrl),
    stateDirectory: resolveStateDirectory(given.storage.directory, workspaceId),
    tokenStore: given.storage.tokenStore ?? null,
    directCalls,
    onPeerChange,
    peerAddresses: Object.freeze({ allowLoopback: isLocal, allowPrivate: isLocal, allowedNetworks }),
  });
}

export function isWorkspaceId(text: string): boolean {
  return UUID.test(text);
}

/** The id in lower case. Only UUIDs are accepted, because the id becomes part of paths. */
function readWorkspaceId(text: string | undefined, refuse: Refuse): string {
  const missing = 'Set workspaceId to the id that POST /workspaces returned';
  if (text === undefined) return refuse('is missing', `${missing}.`);
  if (isWorkspaceId(text)) return text.toLowerCase();
  const hint = isWorkspaceId(text.slice(1, -1))
    ? `Set it without the characters around it, ${text.at(0)} and ${text.at(-1)}.`
    : `${missing}, not to the name of the workspace.`;
  return refuse(`must be a UUID, got ${describe(text)}`, hint);
}

function resolveDeliveryMode(mode: DeliveryMode | undefined, reportedUrl: string | null): DeliveryMode {
  if (mode === 'push' && reportedUrl === null) {
    throw new ConfigurationError('deliveryMode "push" needs reportedUrl (or MOLECULE_REPORTED_URL).', {
      hint: 'Set the public URL of your server, or use deliveryMode "poll", which needs none.',
    });
  }
  return mode ?? (reportedUrl === null ? 'poll' : 'push');
}

function resolveCard(card: AgentCard | undefined, name: string | undefined, workspaceId: string): AgentCard {
  if (card !== undefined && Object.keys(card).length > 0) return card;
  return { name: name || `remote-agent-${workspaceId.slice(0, 8)}` };
}

/** A card may have keys of its own. */
function warnOfMistypedKeys(logger: Logger, what: string, given: unknown, known: readonly string[]): void {
  if (!isObject(given)) return;
  for (const key of Object.keys(given)) {
    const unknown = unknownKeys(what, [key], known, 'key');
    if (unknown?.hint?.startsWith('Did you mean') !== true) continue;
    logger.warn({ hint: unknown.hint }, `${unknown.problem} It is sent as it is.`);
  }
}

function resolveStateDirectory(text: string | undefined, workspaceId: string): string {
  if (text === undefined) return join(homedir(), '.molecule', workspaceId);
  return text === '~' || /^~[\\/]/.test(text) ? join(homedir(), text.slice(1)) : resolve(text);
}

function readNetworks(list: unknown, refuse: Refuse): readonly string[] {
  if (list === undefined) return [];
  if (!Array.isArray(list) || !list.every((each) => typeof each === 'string')) {
    return refuse('must be a list of texts', NETWORKS_HINT);
  }
  const networks = list.map((network) => network.trim()).filter(Boolean);
  const wrong = networks.find((network) => !isNetwork(network));
  if (wrong === undefined) return networks;
  const shown = JSON.stringify(wrong.slice(0, 80));
  return refuse(
    `has ${shown}, which is not a network`,
    'Use CIDR notation, such as 10.20.0.0/16 or fd12:3456::/32.',
  );
}

function isNetwork(network: string): boolean {
  const [address = '', length = '', ...rest] = network.split('/');
  const version = isIP(address);
  const isRange = version !== 0 && !address.includes('%') && /^\d{1,3}$/.test(length) && rest.length === 0;
  const isMapped = /^::ffff:/i.test(address);
  return isRange && !isMapped && Number(length) <= (version === 4 ? 32 : 128);
}

/** The connection of an operator. */
export class OperatorShape extends PlatformShape {
  /**
   * The operator key (`ADMIN_TOKEN` in production) or an org key; `null` sends none, which only a platform in dev
   * mode on this machine accepts. Environment: `MOLECULE_OPERATOR_KEY`, `ADMIN_TOKEN`.
   */
  operatorKey = option<string | null>(
    (key, refuse) => {
      if (key === null) return null;
      const text = checkText(key, refuse);
      const hint = 'Pass operatorKey: null for a platform in dev mode on this machine.';
      return text === undefined ? refuse('is missing', hint) : readCredential(text, refuse);
    },
    { kind: 'a text or `null`', variables: ['MOLECULE_OPERATOR_KEY', 'ADMIN_TOKEN'] },
  );
  /** How the platform is reached. */
  connection = optionsSchema(new ConnectionShape());
  /** Limits of requests to the platform. */
  limits = optionsSchema(new RequestLimits());
}

/** Options of an `OperatorClient`. */
export interface OperatorClientOptions extends OptionsOf<OperatorShape> {}

const OPERATOR = new OperatorShape();
const OPERATOR_OPTIONS = optionsSchema(OPERATOR);

/** The checked options of an operator's client, with all defaults; frozen. */
export interface OperatorSettings extends ConnectionSettings {
  readonly operatorKey: string | null;
  /** Where the key was set, for errors; `null` where it was not. */
  readonly keyOrigin: string | null;
}

/** @throws ConfigurationError naming the option and its environment variables. */
export function resolveOperatorSettings(options: OperatorClientOptions, env: Environment): OperatorSettings {
  const given = parseOptions('OperatorClient', OPERATOR_OPTIONS, options, env);
  const { operatorKey } = given;
  return Object.freeze({
    ...resolveConnection(given, given.connection, given.limits, env),
    operatorKey,
    keyOrigin: originOfCredential('operatorKey', OPERATOR.operatorKey, options.operatorKey, env),
  });
}
