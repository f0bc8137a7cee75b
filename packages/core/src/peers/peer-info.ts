import type { AgentCard, JsonObject } from '@molecule-ai/protocol';
import { readWorkspaceInfo } from '../platform-api/workspaces.ts';
import { markReceived } from './received-values.ts';

/**
 * A workspace this agent may communicate with. Name, role and card are written by the peer and untrusted: fence them
 * before passing them to a model.
 */
export interface PeerInfo {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  /** @default 2, when the platform sends none */
  readonly tier: number;
  /** Treat unknown values as running. */
  readonly status: string;
  /** `''` when the peer polls. */
  readonly url: string;
  readonly parentId: string | null;
  readonly activeTasks: number;
  readonly agentCard: AgentCard;
  readonly deliveryMode: string | null;
  /** The row as sent by the platform. */
  readonly raw: JsonObject;
}

/** Reads a row of the peer list; `undefined` if it is not an object with an id. Never throws. */
export function readPeerInfo(row: unknown): PeerInfo | undefined {
  const info = readWorkspaceInfo(row);
  if (info === undefined) return undefined;
  const { id, name, status, url, parentId, activeTasks, deliveryMode, raw } = info;
  const peer = {
    id,
    name,
    role: info.role ?? '',
    tier: info.tier ?? 2,
    status,
    url,
    parentId,
    activeTasks,
    agentCard: info.agentCard ?? {},
    deliveryMode,
    raw,
  };
  return markReceived(peer, { kind: 'peer' });
}
