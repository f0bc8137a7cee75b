import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type AgentCard, DELIVERY_MODES, type DeliveryMode } from '@molecule-ai/protocol';
import { ConfigurationError } from '../errors/molecule-error.ts';
import { checkNumbers, checkObject, checkWord } from './checked-values.ts';
import {
  CONNECTION_OPTION_NAMES,
  type ConnectionOptions,
  type ConnectionSettings,
  resolveConnection,
} from './connection-settings.ts';
import {
  checkHttpUrl,
  checkWorkspaceId,
  nameOption,
  readOption,
  resolveCredential,
  wrongSetting,
} from './environment.ts';
import { checkOptionNames, knownOptions } from './known-options.ts';
import { isLoopback } from './platform-proxy.ts';

export const DEFAULT_CALL_TIMEOUT_MS = 30_000;

/** The options that are numbers. */
export const CLIENT_NUMBERS = {
  callTimeoutMs: { byDefault: DEFAULT_CALL_TIMEOUT_MS, min: 1 },
  maxHeldReads: { byDefault: 1_000, min: 1, max: 65_535, isInteger: true },
  peerCacheTtlMs: { byDefault: 300_000, min: 0 },
  peerCacheSize: { byDefault: 1_000, min: 1, max: 1_000_000, isInteger: true },
} as const;

const DIRECT_CALLS = ['auto', 'always', 'off'] as const;

const PEER_CHANGE_POLICIES = ['warn', 'block'] as const;

/** Identity and reachability of the agent, in addition to the connection to the platform. */
export interface ClientOptions extends ConnectionOptions {
  /**
   * The workspace's UUID, as returned by `POST /workspaces`. Environment: `MOLECULE_WORKSPACE_ID`, `WORKSPACE_ID`.
   */
  workspaceId?: string | undefined;
  /**
   * A token of the workspace. Takes precedence over a stored one and is never written to disk.
   * `null`, as `createWorkspace` returns it for a workspace without one, counts as not given. Environment: `MOLECULE_WORKSPACE_TOKEN`.
   */
  authToken?: string | null | undefined;
  /**
   * Operator credential for a first registration without a token. Sent to `/registry/register` only and never stored. Environment: `MOLECULE_ADMIN_TOKEN`.
   */
  adminToken?: string | undefined;
  /** Describes the agent to others. @default `{ name: 'remote-agent-<first 8 of the id>' }` */
  agentCard?: AgentCard | undefined;
  /**
   * The URL under which the platform can reach this agent. Without it, messages are polled.
   * Environment: `MOLECULE_REPORTED_URL`.
   */
  reportedUrl?: string | undefined;
  /** @default `'push'` with `reportedUrl`, otherwise `'poll'` */
  deliveryMode?: DeliveryMode | undefined;
  /**
   * Folder for the token and other private files, created with mode 0700.
   * Environment: `MOLECULE_STATE_DIR`. @default `~/.molecule/<workspaceId>`
   */
  stateDirectory?: string | undefined;
  /** Time limit of a call to a peer, in milliseconds; the platform holds the call slightly shorter. @default 30_000 */
  callTimeoutMs?: number | undefined;
  /**
   * How many reads of all agents in this process the platform may hold at the same time; each needs a connection. Agents beyond it
   * read at the interval of their delivery, and take turns. 1–65 535. @default 1_000
   */
  maxHeldReads?: number | undefined;
  /** How long a peer's URL is cached, in milliseconds. @default 300_000 */
  peerCacheTtlMs?: number | undefined;
  /** Maximum number of cached peer URLs. @default 1_000 */
  peerCacheSize?: number | undefined;
  /**
   * Whether `callPeer` sends to the peer's own server first, and through the platform when that fails. `auto`: where the
   * platform gives a URL and a token for the peer. `always`: also without a token; then a call whose outcome is unknown fails and
   * is not repeated. `off`: never. @default 'auto'
   */
  directCalls?: (typeof DIRECT_CALLS)[number] | undefined;
  /**
   * Private networks in CIDR notation where peers may be called directly; besides them only addresses of the internet, and on
   * a platform at a loopback address also loopback and private ones. Link-local addresses never.
   * Environment: `MOLECULE_ALLOW_PEER_NETWORKS`, separated by commas. @default none
   */
  allowPeerNetworks?: readonly string[] | undefined;
  /**
   * What happens when the name, the card or the origin of the URL of a peer is another one than when the peer was first used. `warn`
   * logs it and emits `peer-changed`. `block` also refuses calls to it with `peer_changed` until `acceptPeerChange`; each peer is
   * then looked up before it is called, also through the platform. @default 'warn'
   */
  onPeerChange?: (typeof PEER_CHANGE_POLICIES)[number] | undefined;
}

/** Validated {@link ClientOptions} with all defaults applied; frozen. */
export interface ClientSettings
  extends ConnectionSettings,
    Readonly<Record<keyof typeof CLIENT_NUMBERS, number>> {
  readonly workspaceId: string;
  readonly authToken: string | null;
  readonly adminToken: string | null;
  /** Where each credential was set, for errors; `null` where it was not. */
  readonly origins: { readonly authToken: string | null; readonly adminToken: string | null };
  readonly agentCard: AgentCard;
  readonly reportedUrl: string | null;
  readonly deliveryMode: DeliveryMode;
  /** Absolute. */
  readonly stateDirectory: string;
  readonly directCalls: NonNullable<ClientOptions['directCalls']>;
  readonly onPeerChange: NonNullable<ClientOptions['onPeerChange']>;
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
export function resolveClientSettings(options: ClientOptions, env: NodeJS.ProcessEnv): ClientSettings {
  requireNames(options, env);
  const workspaceId = checkWorkspaceId(readOption('workspaceId', options.workspaceId, env));
  const reported = readOption('reportedUrl', options.reportedUrl, env);
  const reportedUrl = reported === undefined ? null : checkHttpUrl(reported, 'reportedUrl').href;
  const connection = resolveConnection(options, env);
  const token = resolveCredential('authToken', options.authToken ?? undefined, env);
  const admin = resolveCredential('adminToken', options.adminToken, env);
  const stateDirectory = readOption('stateDirectory', options.stateDirectory, env);
  return Object.freeze({
    ...connection,
    ...checkNumbers(options, CLIENT_NUMBERS),
    workspaceId,
    authToken: token.credential,
    adminToken: admin.credential,
    origins: Object.freeze({ authToken: token.origin, adminToken: admin.origin }),
    agentCard: resolveCard(options.agentCard, readOption('agentName', undefined, env), workspaceId),
    reportedUrl,
    deliveryMode: resolveDeliveryMode(options.deliveryMode, reportedUrl),
    stateDirectory: resolveStateDirectory(stateDirectory, workspaceId),
    directCalls: checkWord('directCalls', options.directCalls, DIRECT_CALLS) ?? 'auto',
    onPeerChange: checkWord('onPeerChange', options.onPeerChange, PEER_CHANGE_POLICIES) ?? 'warn',
    peerAddresses: resolvePeerAddresses(options, connection.platformUrl, env),
  });
}

/** @throws ConfigurationError that names all that is missing, so that nobody finds one after the other. */
function requireNames(options: ClientOptions, env: NodeJS.ProcessEnv): void {
  const isMissing = (name: 'platformUrl' | 'workspaceId' | 'authToken') =>
    readOption(name, options[name] ?? undefined, env) === undefined;
  if (!isMissing('platformUrl') || !isMissing('workspaceId')) return;
  const both = `${nameOption('platformUrl')} and ${nameOption('workspaceId')} are missing.`;
  throw new ConfigurationError(both, {
    hint: `Set them to the address of the platform and to the id that POST /workspaces returned.${
      isMissing('authToken')
        ? ` ${nameOption('authToken')}, the token of the workspace, is not set either.`
        : ''
    } If they are in a file, run node --env-file=<file>, and check that the file is not empty.`,
  });
}

function resolveDeliveryMode(mode: DeliveryMode | undefined, reportedUrl: string | null): DeliveryMode {
  checkWord('deliveryMode', mode, DELIVERY_MODES);
  if (mode === 'push' && reportedUrl === null) {
    throw new ConfigurationError(`deliveryMode "push" needs ${nameOption('reportedUrl')}.`, {
      hint: 'Set the public URL of your server, or use deliveryMode "poll", which needs none.',
    });
  }
  return mode ?? (reportedUrl === null ? 'poll' : 'push');
}

function resolveCard(card: AgentCard | undefined, name: string | undefined, workspaceId: string): AgentCard {
  const given = card ?? {};
  checkObject('agentCard', given, "Pass the card as an object, such as { name: 'researcher' }.");
  return Object.keys(given).length > 0 ? given : { name: name ?? `remote-agent-${workspaceId.slice(0, 8)}` };
}

function resolveStateDirectory(text: string | undefined, workspaceId: string): string {
  if (text === undefined) return join(homedir(), '.molecule', workspaceId);
  return text === '~' || /^~[\\/]/.test(text) ? join(homedir(), text.slice(1)) : resolve(text);
}

function resolvePeerAddresses(
  { allowPeerNetworks }: ClientOptions,
  platformUrl: string,
  env: NodeJS.ProcessEnv,
): ClientSettings['peerAddresses'] {
  const isLocal = isLoopback(new URL(platformUrl));
  const listed = readOption('allowPeerNetworks', undefined, env)?.split(',') ?? [];
  const given = checkNetworks(allowPeerNetworks ?? listed);
  const allowedNetworks = given.map((network) => network.trim()).filter(Boolean);
  for (const network of allowedNetworks) checkNetwork(network);
  return Object.freeze({ allowLoopback: isLocal, allowPrivate: isLocal, allowedNetworks });
}

function checkNetworks(list: readonly string[]): readonly string[] {
  if (Array.isArray(list) && list.every((each) => typeof each === 'string')) return list;
  const hint = "For example ['10.20.0.0/16']; the environment variable separates them by commas.";
  throw wrongSetting('allowPeerNetworks', 'must be a list of texts', hint);
}

function checkNetwork(network: string): void {
  const [address = '', length = '', ...rest] = network.split('/');
  const version = isIP(address);
  const isNetwork = version !== 0 && !address.includes('%') && /^\d{1,3}$/.test(length) && rest.length === 0;
  const isMapped = /^::ffff:/i.test(address);
  if (isNetwork && !isMapped && Number(length) <= (version === 4 ? 32 : 128)) return;
  throw new ConfigurationError(
    `${nameOption('allowPeerNetworks')}: ${JSON.stringify(network.slice(0, 80))} is not a network.`,
    { hint: 'Use CIDR notation, such as 10.20.0.0/16 or fd12:3456::/32.' },
  );
}

export interface OperatorClientOptions extends ConnectionOptions {
  /**
   * The operator key (`ADMIN_TOKEN` in production) or an org key; `null` sends none, which only a platform in dev
   * mode on this machine accepts. Environment: `MOLECULE_OPERATOR_KEY`, `ADMIN_TOKEN`.
   */
  operatorKey?: string | null | undefined;
}

const OPERATOR_OPTIONS = knownOptions<OperatorClientOptions>({
  ...CONNECTION_OPTION_NAMES,
  operatorKey: true,
});

/** Validated {@link OperatorClientOptions} with all defaults applied; frozen. */
export interface OperatorSettings extends ConnectionSettings {
  readonly operatorKey: string | null;
  /** Where the key was set, for errors; `null` where it was not. */
  readonly keyOrigin: string | null;
}

/** @throws ConfigurationError naming the option and its environment variables. */
export function resolveOperatorSettings(
  options: OperatorClientOptions,
  env: NodeJS.ProcessEnv,
): OperatorSettings {
  checkObject('options', options, 'Pass an object, such as { platformUrl, operatorKey }.');
  checkOptionNames('OperatorClient', options, OPERATOR_OPTIONS);
  const connection = resolveConnection(options, env);
  if (options.operatorKey === null)
    return Object.freeze({ ...connection, operatorKey: null, keyOrigin: null });
  const { credential, origin } = resolveCredential('operatorKey', options.operatorKey, env);
  if (credential === null) {
    const hint = 'Pass operatorKey: null for a platform in dev mode on this machine.';
    throw wrongSetting('operatorKey', 'is missing', hint);
  }
  return Object.freeze({ ...connection, operatorKey: credential, keyOrigin: origin });
}
