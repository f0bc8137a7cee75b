import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type AgentCard, DELIVERY_MODES, type DeliveryMode } from '@molecule-ai/protocol';
import { ConfigurationError } from '../errors/configuration-error.ts';
import {
  checkCredential,
  checkHttpUrl,
  checkNumber,
  checkObject,
  checkWord,
  checkWorkspaceId,
} from './checked-values.ts';
import { type ConnectionOptions, type ConnectionSettings, resolveConnection } from './connection-settings.ts';
import { type Environment, nameOption, originOf, readOption } from './environment.ts';
import { type PeerOptions, type PeerSettings, resolvePeerSettings } from './peer-settings.ts';

const DEFAULT_PEER_CACHE_TTL_MS = 300_000;
const DEFAULT_PEER_CACHE_SIZE = 1_000;
const DEFAULT_MAX_HELD_READS = 1_000;

/** Identity and reachability of the agent, in addition to the connection to the platform. */
export interface ClientOptions extends ConnectionOptions, PeerOptions {
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
}

/** Validated {@link ClientOptions} with all defaults applied; frozen. */
export interface ClientSettings extends ConnectionSettings, PeerSettings {
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
  readonly callTimeoutMs: number;
  readonly maxHeldReads: number;
  readonly peerCacheTtlMs: number;
  readonly peerCacheSize: number;
}

export const DEFAULT_CALL_TIMEOUT_MS = 30_000;

/**
 * Validates the options of an agent. Missing values are taken from `env`, then from the defaults.
 * @throws ConfigurationError naming the option and its environment variables.
 */
export function resolveClientSettings(options: ClientOptions, env: Environment): ClientSettings {
  checkObject('options', options, 'Pass an object, such as { platformUrl, workspaceId }.');
  const {
    callTimeoutMs = DEFAULT_CALL_TIMEOUT_MS,
    maxHeldReads = DEFAULT_MAX_HELD_READS,
    peerCacheTtlMs = DEFAULT_PEER_CACHE_TTL_MS,
    peerCacheSize = DEFAULT_PEER_CACHE_SIZE,
  } = options;
  requireNames(options, env);
  const workspaceId = checkWorkspaceId(readOption('workspaceId', options.workspaceId, env));
  const reportedUrl = resolveReportedUrl(readOption('reportedUrl', options.reportedUrl, env));
  const connection = resolveConnection(options, env);
  const givenToken = options.authToken ?? undefined;
  return Object.freeze({
    ...connection,
    ...resolvePeerSettings(options, connection.platformUrl, env),
    workspaceId,
    authToken: checkCredential(readOption('authToken', givenToken, env), 'authToken') ?? null,
    adminToken: checkCredential(readOption('adminToken', options.adminToken, env), 'adminToken') ?? null,
    origins: Object.freeze({
      authToken: originOf('authToken', givenToken, env),
      adminToken: originOf('adminToken', options.adminToken, env),
    }),
    agentCard: resolveCard(options.agentCard, readOption('agentName', undefined, env), workspaceId),
    reportedUrl,
    deliveryMode: resolveDeliveryMode(options.deliveryMode, reportedUrl),
    stateDirectory: resolveStateDirectory(
      readOption('stateDirectory', options.stateDirectory, env),
      workspaceId,
    ),
    callTimeoutMs: checkNumber('callTimeoutMs', callTimeoutMs, { min: 1 }),
    maxHeldReads: checkNumber('maxHeldReads', maxHeldReads, { min: 1, max: 65_535, isInteger: true }),
    peerCacheTtlMs: checkNumber('peerCacheTtlMs', peerCacheTtlMs, { min: 0 }),
    peerCacheSize: checkNumber('peerCacheSize', peerCacheSize, { min: 1, max: 1_000_000, isInteger: true }),
  });
}

/** @throws ConfigurationError that names all that is missing, so that nobody finds one after the other. */
function requireNames(options: ClientOptions, env: Environment): void {
  const isMissing = (name: 'platformUrl' | 'workspaceId' | 'authToken') =>
    !readOption(name, options[name] ?? undefined, env)?.trim();
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

function resolveReportedUrl(value: string | undefined): string | null {
  const text = value?.trim();
  return text ? checkHttpUrl(text, 'reportedUrl').href : null;
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

function resolveStateDirectory(value: string | undefined, workspaceId: string): string {
  const text = value?.trim();
  if (!text) return join(homedir(), '.molecule', workspaceId);
  return text === '~' || /^~[\\/]/.test(text) ? join(homedir(), text.slice(1)) : resolve(text);
}
