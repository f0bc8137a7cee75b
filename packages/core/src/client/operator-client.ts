import { redactingLogger } from '../logging/redacting-logger.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { readRecord } from '../peers/read-reply.ts';
import type { ActivityFilters } from '../platform-api/activity.ts';
import { getHealth, getReady } from '../platform-api/health.ts';
import { getMessageRecord } from '../platform-api/messages.ts';
import type { WorkspaceInfo } from '../platform-api/workspace-info.ts';
import {
  deleteWorkspace,
  getWorkspaces,
  patchWorkspace,
  postPause,
  postResume,
  postWorkspace,
} from '../platform-api/workspace-lifecycle.ts';
import { type GetWorkspaceOptions, getWorkspaceInfo } from '../platform-api/workspaces.ts';
import { processEnvironment } from '../settings/environment.ts';
import { type OperatorClientOptions, resolveOperatorSettings } from '../settings/operator-options.ts';
import { DEFAULT_CALL_TIMEOUT_MS } from '../settings/resolve-settings.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import { Transport } from '../transport/transport.ts';
import { type ActivityPage, readActivityPage } from './activity-page.ts';
import { type CallPeerOptions, sendThroughProxy } from './call-peer.ts';
import { OperatorTokens } from './operator-tokens.ts';
import { pollWorkspaceState, type WorkspaceStateReport } from './state-poll.ts';
import { type WaitForAnswerOptions, waitForRecord } from './wait-for-answer.ts';
import {
  type CreatedWorkspace,
  createBody,
  createdWorkspace,
  type NewWorkspace,
  patchBody,
  type WorkspaceChanges,
} from './workspace-changes.ts';

/** How much a deletion takes along. */
export interface DeleteWorkspaceOptions extends CallOptions {
  /** Also deletes the children; without it, children are a 409. @default false */
  confirm?: boolean | undefined;
  /** Erases the rows instead of keeping them for the audit trail. @default false */
  purge?: boolean | undefined;
}

/**
 * What an operator does with a platform: workspaces, their tokens and messages to them as the user on the canvas.
 * Takes `{ signal }` and throws like `RemoteAgentClient`.
 */
export class OperatorClient {
  readonly #transport: Transport;
  /** The tokens of workspaces. */
  readonly tokens: OperatorTokens;

  /** @throws ConfigurationError naming the option and its environment variable. */
  constructor(options: OperatorClientOptions = {}) {
    const checked = resolveOperatorSettings(options, processEnvironment());
    const { operatorKey } = checked;
    const logger = redactingLogger(checked.logger, operatorKey === null ? [] : [operatorKey]);
    const bearers = {
      isLoaded: true,
      load: async () => {},
      current: () => operatorKey ?? undefined,
      renew: async () => undefined,
    };
    this.#transport = new Transport({ ...checked, logger }, bearers, null);
    this.tokens = new OperatorTokens(this.#transport);
  }

  /** Without trailing slash. */
  get platformUrl(): string {
    return this.#transport.settings.platformUrl;
  }

  /** Creates a workspace. Never repeated by itself: creating twice makes two. */
  async createWorkspace(workspace: NewWorkspace, options: CallOptions = {}): Promise<CreatedWorkspace> {
    return createdWorkspace(await postWorkspace(this.#transport, createBody(workspace), options));
  }

  /** All workspaces but removed ones, oldest first. */
  listWorkspaces(options: CallOptions = {}): Promise<WorkspaceInfo[]> {
    return getWorkspaces(this.#transport, options);
  }

  /** @throws WorkspaceRemovedError unless `includeRemoved`. */
  getWorkspace(workspaceId: string, options: GetWorkspaceOptions = {}): Promise<WorkspaceInfo> {
    return getWorkspaceInfo(this.#transport, workspaceId, options);
  }

  async updateWorkspace(
    workspaceId: string,
    changes: WorkspaceChanges,
    options: CallOptions = {},
  ): Promise<void> {
    await patchWorkspace(this.#transport, workspaceId, patchBody(changes), options);
  }

  /** Final: the workspace never comes back. Gives how many descendants went with it. */
  async deleteWorkspace(workspaceId: string, options: DeleteWorkspaceOptions = {}): Promise<number> {
    return (await deleteWorkspace(this.#transport, workspaceId, options)).cascade_deleted;
  }

  /** Pauses a workspace and its descendants; gives how many. Messages to them are kept (decision 17). */
  async pause(workspaceId: string, options: CallOptions = {}): Promise<number> {
    return (await postPause(this.#transport, workspaceId, options)).paused_count;
  }

  /** Resumes a workspace and its descendants; gives how many. They are online again with their next heartbeat. */
  async resume(workspaceId: string, options: CallOptions = {}): Promise<number> {
    return (await postResume(this.#transport, workspaceId, options)).resumed_count;
  }

  state(workspaceId: string, options: CallOptions = {}): Promise<WorkspaceStateReport> {
    return pollWorkspaceState(this.#transport, workspaceId, options);
  }

  /**
   * Writes to an agent as the user on the canvas. A polling, offline or paused agent gives a reply with status
   * `queued` (and `isHeld` while paused): ask later with {@link waitForAnswer}.
   */
  sendMessage(workspaceId: string, text: string, options: CallPeerOptions = {}): Promise<PeerReply> {
    const timeoutMs = options.timeoutMs ?? DEFAULT_CALL_TIMEOUT_MS;
    return sendThroughProxy(this.#transport, workspaceId, text, { ...options, timeoutMs, isWrapped: false });
  }

  /** Where a message to a workspace stands, without waiting. */
  async getMessage(workspaceId: string, messageId: string, options: CallOptions = {}): Promise<PeerReply> {
    const record = await getMessageRecord(this.#transport, workspaceId, messageId, options);
    return readRecord(record, { isWrapped: false });
  }

  /** Waits for the answer to a message; when none comes in time, the reply is still `queued`. */
  waitForAnswer(
    workspaceId: string,
    messageId: string,
    options: WaitForAnswerOptions = {},
  ): Promise<PeerReply> {
    return waitForRecord(this.#transport, workspaceId, messageId, { ...options, isWrapped: false });
  }

  /** One page of a workspace's activity. */
  listActivity(workspaceId: string, filters: ActivityFilters & CallOptions = {}): Promise<ActivityPage> {
    return readActivityPage(this.#transport, workspaceId, filters);
  }

  /** Resolves when the platform's process answers. */
  health(options: CallOptions = {}): Promise<void> {
    return getHealth(this.#transport, options);
  }

  /** Resolves when the platform can work, its database included. */
  ready(options: CallOptions = {}): Promise<void> {
    return getReady(this.#transport, options);
  }

  /** Ends all connections; calls under way reject with `client_closed`. Idempotent. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
