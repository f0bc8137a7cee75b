import type { AgentCard, DeliveryMode } from '@molecule-ai/protocol';
import type { ConnectionOptions, ConnectionSettings } from './connection-options.ts';

/** Who the agent is and how it is reached, besides how it reaches the platform. */
export interface ClientOptions extends ConnectionOptions {
  /**
   * The workspace's UUID, as `POST /workspaces` answered it. Environment: `MOLECULE_WORKSPACE_ID`, `WORKSPACE_ID`.
   */
  workspaceId?: string | undefined;
  /**
   * A token the workspace already has; used before a stored one, and never written to disk by itself.
   * Environment: `MOLECULE_WORKSPACE_TOKEN`.
   */
  authToken?: string | undefined;
  /**
   * Operator credential for a first registration without a token. It is sent to `/registry/register` only and
   * never stored. Environment: `MOLECULE_ADMIN_TOKEN`.
   */
  adminToken?: string | undefined;
  /** What the agent says about itself. @default `{ name: 'remote-agent-<first 8 of the id>' }` */
  agentCard?: AgentCard | undefined;
  /**
   * Where the platform can reach this agent; left out means it cannot, and messages are polled.
   * Environment: `MOLECULE_REPORTED_URL`.
   */
  reportedUrl?: string | undefined;
  /** How messages arrive. @default `'push'` with `reportedUrl`, otherwise `'poll'` */
  deliveryMode?: DeliveryMode | undefined;
  /**
   * Folder for the token and other private state, created with mode 0700.
   * Environment: `MOLECULE_STATE_DIR`. @default `~/.molecule/<workspaceId>`
   */
  stateDirectory?: string | undefined;
  /** Longest wait for a peer's answer, in milliseconds; the platform holds the call a little shorter. @default 30_000 */
  callTimeoutMs?: number | undefined;
  /** How long a peer's address is remembered, in milliseconds. @default 300_000 */
  peerCacheTtlMs?: number | undefined;
  /** How many peer addresses are remembered. @default 1_000 */
  peerCacheSize?: number | undefined;
}

/** {@link ClientOptions} after checking: complete and frozen. */
export interface ClientSettings extends ConnectionSettings {
  readonly workspaceId: string;
  readonly authToken: string | null;
  readonly adminToken: string | null;
  readonly agentCard: AgentCard;
  readonly reportedUrl: string | null;
  readonly deliveryMode: DeliveryMode;
  /** Absolute. */
  readonly stateDirectory: string;
  readonly callTimeoutMs: number;
  readonly peerCacheTtlMs: number;
  readonly peerCacheSize: number;
}
