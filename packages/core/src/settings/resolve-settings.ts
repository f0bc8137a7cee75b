import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { AgentCard, DeliveryMode } from '@molecule-ai/protocol';
import { ConfigurationError } from '../errors/configuration-error.ts';
import { checkHeaderValue, checkHttpUrl, checkNumber, checkWorkspaceId } from './checked-values.ts';
import type { ClientOptions, ClientSettings } from './client-options.ts';
import { type Environment, nameOption, readOption } from './environment.ts';
import { MAX_TIMEOUT_MS, resolveConnection } from './resolve-connection.ts';

export const DEFAULT_CALL_TIMEOUT_MS = 30_000;
export const DEFAULT_PEER_CACHE_TTL_MS = 300_000;
export const DEFAULT_PEER_CACHE_SIZE = 1_000;

/**
 * Checks the options of an agent and fills in what is missing, first from `env`, then from defaults.
 * @throws ConfigurationError naming the option and its environment variables.
 */
export function resolveSettings(options: ClientOptions, env: Environment): ClientSettings {
  const workspaceId = checkWorkspaceId(readOption('workspaceId', options.workspaceId, env));
  const reportedUrl = resolveReportedUrl(readOption('reportedUrl', options.reportedUrl, env));
  return Object.freeze({
    ...resolveConnection(options, env),
    workspaceId,
    authToken: checkHeaderValue(readOption('authToken', options.authToken, env), 'authToken') ?? null,
    adminToken: checkHeaderValue(readOption('adminToken', options.adminToken, env), 'adminToken') ?? null,
    agentCard: resolveCard(options.agentCard, readOption('agentName', undefined, env), workspaceId),
    reportedUrl,
    deliveryMode: resolveDeliveryMode(options.deliveryMode, reportedUrl),
    stateDirectory: resolveStateDirectory(
      readOption('stateDirectory', options.stateDirectory, env),
      workspaceId,
    ),
    callTimeoutMs: checkNumber(options.callTimeoutMs, DEFAULT_CALL_TIMEOUT_MS, 'callTimeoutMs', {
      min: 1,
      max: MAX_TIMEOUT_MS,
    }),
    peerCacheTtlMs: checkNumber(options.peerCacheTtlMs, DEFAULT_PEER_CACHE_TTL_MS, 'peerCacheTtlMs', {
      min: 0,
      max: MAX_TIMEOUT_MS,
    }),
    peerCacheSize: checkNumber(options.peerCacheSize, DEFAULT_PEER_CACHE_SIZE, 'peerCacheSize', {
      min: 1,
      max: 1_000_000,
      isInteger: true,
    }),
  });
}

function resolveReportedUrl(value: string | undefined): string | null {
  const text = value?.trim();
  return text ? checkHttpUrl(text, 'reportedUrl').href : null;
}

function resolveDeliveryMode(mode: DeliveryMode | undefined, reportedUrl: string | null): DeliveryMode {
  if (mode === 'push' && reportedUrl === null) {
    throw new ConfigurationError(`deliveryMode "push" needs ${nameOption('reportedUrl')}.`, {
      hint: 'Set the public URL of your server, or use deliveryMode "poll", which needs none.',
    });
  }
  return mode ?? (reportedUrl === null ? 'poll' : 'push');
}

function resolveCard(card: AgentCard | undefined, name: string | undefined, workspaceId: string): AgentCard {
  const isEmpty = card === undefined || Object.keys(card).length === 0;
  return isEmpty ? { name: name ?? `remote-agent-${workspaceId.slice(0, 8)}` } : card;
}

function resolveStateDirectory(value: string | undefined, workspaceId: string): string {
  const text = value?.trim();
  if (!text) return join(homedir(), '.molecule', workspaceId);
  return text === '~' || /^~[\\/]/.test(text) ? join(homedir(), text.slice(1)) : resolve(text);
}
