import { routes } from '@molecule-ai/protocol';
import { redactingLogger } from '../logging/redacting-logger.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { type ActivityFilters, type ActivityPage, readActivityPage } from '../platform-api/activity.ts';
import { call, send } from '../platform-api/call.ts';
import {
  type GetWorkspaceOptions,
  getWorkspace,
  getWorkspaceState,
  listWorkspaces,
  type WorkspaceInfo,
  type WorkspaceStateReport,
} from '../platform-api/workspaces.ts';
import { DEFAULT_CALL_TIMEOUT_MS } from '../settings/client-settings.ts';
import { processEnvironment } from '../settings/environment.ts';
import { type OperatorClientOptions, resolveOperatorSettings } from '../settings/operator-settings.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import { Transport } from '../transport/transport.ts';
import {
  type CallPeerOptions,
  readMessageState,
  sendThroughProxy,
  type WaitForAnswerOptions,
  waitForAnswer,
} from './peer-calls.ts';
import { OperatorTokens } from './tokens.ts';
import {
  type CreatedWorkspace,
  createBody,
  createdWorkspace,
  type NewWorkspace,
  patchBody,
  type WorkspaceChanges,
} from './workspace-changes.ts';

/** Options of `deleteWorkspace`. */
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

  /** Creates a workspace. Never retried: creating twice makes two. */
  async createWorkspace(workspace: NewWorkspace, options: CallOptions = {}): Promise<CreatedWorkspace> {
    const body = createBody(workspace);
    return createdWorkspace(
      await call(this.#transport, routes.createWorkspace, { body, signal: options.signal }),
    );
  }

  /** All workspaces but removed ones, oldest first. */
  listWorkspaces(options: CallOptions = {}): Promise<WorkspaceInfo[]> {
    return listWorkspaces(this.#transport, options);
  }

  /** @throws WorkspaceRemovedError unless `includeRemoved`. */
  getWorkspace(workspaceId: string, options: GetWorkspaceOptions = {}): Promise<WorkspaceInfo> {
    return getWorkspace(this.#transport, workspaceId, options);
  }

  async updateWorkspace(
    workspaceId: string,
    changes: WorkspaceChanges,
    { signal }: CallOptions = {},
  ): Promise<void> {
    const input = { params: { id: workspaceId }, body: patchBody(changes), signal };
    await call(this.#transport, routes.patchWorkspace, input);
  }

  /** Final: the workspace never comes back. Returns how many descendants were removed with it. */
  async deleteWorkspace(workspaceId: string, options: DeleteWorkspaceOptions = {}): Promise<number> {
    const { confirm, purge, signal } = options;
    const query = { confirm: confirm || undefined, purge: purge || undefined };
    const input = { params: { id: workspaceId }, query, signal };
    return (await call(this.#transport, routes.deleteWorkspace, input)).cascade_deleted;
  }

  /** Pauses a workspace and its descendants; returns how many. Messages to them are kept. */
  async pause(workspaceId: string, { signal }: CallOptions = {}): Promise<number> {
    const input = { params: { id: workspaceId }, signal };
    return (await call(this.#transport, routes.pauseWorkspace, input)).paused_count;
  }

  /** Resumes a workspace and its descendants; returns how many. They are online again with their next heartbeat. */
  async resume(workspaceId: string, { signal }: CallOptions = {}): Promise<number> {
    const input = { params: { id: workspaceId }, signal };
    return (await call(this.#transport, routes.resumeWorkspace, input)).resumed_count;
  }

  state(workspaceId: string, options: CallOptions = {}): Promise<WorkspaceStateReport> {
    return getWorkspaceState(this.#transport, workspaceId, options);
  }

  /**
   * Writes to an agent as the user on the canvas. A polling, offline or paused agent gives a reply with status
   * `queued` (and `isHeld` while paused): ask later with {@link waitForAnswer}.
   */
  sendMessage(workspaceId: string, text: string, options: CallPeerOptions = {}): Promise<PeerReply> {
    const timeoutMs = options.timeoutMs ?? DEFAULT_CALL_TIMEOUT_MS;
    return sendThroughProxy(this.#transport, workspaceId, text, { ...options, timeoutMs, isWrapped: false });
  }

  /** The state of a message to a workspace, without waiting. */
  getMessage(workspaceId: string, messageId: string, { signal }: CallOptions = {}): Promise<PeerReply> {
    return readMessageState(this.#transport, workspaceId, messageId, { signal, isWrapped: false });
  }

  /** Waits for the answer to a message; when none comes in time, the reply is still `queued`. */
  waitForAnswer(
    workspaceId: string,
    messageId: string,
    options: WaitForAnswerOptions = {},
  ): Promise<PeerReply> {
    return waitForAnswer(this.#transport, workspaceId, messageId, { ...options, isWrapped: false });
  }

  /** One page of a workspace's activity. */
  listActivity(workspaceId: string, filters: ActivityFilters & CallOptions = {}): Promise<ActivityPage> {
    return readActivityPage(this.#transport, workspaceId, filters);
  }

  /** Resolves when the platform's process answers. */
  health(options: CallOptions = {}): Promise<void> {
    return this.#probe(routes.health, options);
  }

  /** Resolves when the platform can work, its database included. */
  ready(options: CallOptions = {}): Promise<void> {
    return this.#probe(routes.ready, options);
  }

  /** Ends all connections; calls under way reject with `client_closed`. Idempotent. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Without a bearer and without retries: a probe reports the present moment. */
  async #probe(route: typeof routes.health | typeof routes.ready, { signal }: CallOptions): Promise<void> {
    await send(this.#transport, route, { bearer: null, isRepeatable: false, signal });
  }
}
