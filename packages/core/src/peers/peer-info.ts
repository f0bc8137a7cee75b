import type { AgentCard, JsonObject } from '@molecule-ai/protocol';
import { readWorkspaceInfo } from '../platform-api/workspaces.ts';

/**
 * A workspace this agent may talk to. Name, role and card are the peer's own words and untrusted: fence them before
 * a model sees them.
 */
export interface PeerInfo {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  /** @default 2, when the platform sends none */
  readonly tier: number;
  /** Treat unknown words as running. */
  readonly status: string;
  /** `''` when the peer polls. */
  readonly url: string;
  readonly parentId: string | null;
  readonly activeTasks: number;
  readonly agentCard: AgentCard;
  readonly deliveryMode: string | null;
  /** The row itself. */
  readonly raw: JsonObject;
}

/** Reads a row of the peer list; `undefined` when it is no object with an id. Never throws. */
export function readPeerInfo(row: unknown): PeerInfo | undefined {
  const info = readWorkspaceInfo(row);
  if (info === undefined) return undefined;
  const { id, name, status, url, parentId, activeTasks, deliveryMode, raw } = info;
  return {
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
}
