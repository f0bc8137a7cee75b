import type { MessageView } from '@molecule-ai/protocol';
import type { PlatformContext } from '../../context.ts';
import type { WorkspaceDirectory } from '../../directory/workspace-directory.ts';
import type { PeerTokensService } from '../../peer-tokens/peer-tokens.service.ts';
import { canPush } from '../delivery.rules.ts';
import type { MessageRow, MessageStore } from '../message.store.ts';
import { buildPush, type PushContent, type PushedMessage, viewOf } from './push-body.rules.ts';
import type { PushRequest } from './push-endpoint.ts';

export interface PushRequestsOptions extends Pick<PlatformContext, 'publicUrl' | 'settings'> {
  readonly store: MessageStore;
  readonly workspaces: WorkspaceDirectory;
  readonly peerTokens: Pick<PeerTokensService, 'forPush'>;
}

/** Makes the requests that are posted to agents. */
export class PushRequests {
  readonly #options: PushRequestsOptions;

  constructor(options: PushRequestsOptions) {
    this.#options = options;
  }

  /** The request to post; undefined when the target can no longer be pushed to. */
  async prepare(
    message: PushedMessage,
    content: PushContent | undefined,
    isStreamed: boolean,
  ): Promise<Omit<PushRequest, 'purpose' | 'signal'> | undefined> {
    const { peerTokens, publicUrl, settings } = this.#options;
    if (content === undefined || !canPush(content.target)) return undefined;
    const { caller, target, view } = content;
    const { body, headers } = buildPush(message, {
      caller,
      view,
      publicUrl: publicUrl(),
      wrapAnswers: settings.wrapPeerResults,
      agentTaskId: await this.#agentTaskId(message, view),
      isStreamed,
    });
    const { token } = await peerTokens.forPush(message.source_id, target.id);
    const authorization = `Bearer ${token}`;
    return { targetId: target.id, url: target.url, body, headers: { ...headers, authorization } };
  }

  /** The agent's own id of the task that a message continues under the id of the platform; undefined for other ids. */
  async #agentTaskId(
    { source_id: sourceId, target_id: targetId }: PushedMessage,
    { message: { taskId } }: MessageView,
  ): Promise<string | undefined> {
    if (typeof taskId !== 'string' || taskId === '') return undefined;
    const task = await this.#options.store.find(taskId.toLowerCase());
    const isOfBoth = task?.source_id === sourceId && task.target_id === targetId;
    return isOfBoth ? (task.agent_task_id ?? undefined) : undefined;
  }

  /** What is pushed of a stored message; undefined as for `prepare`. */
  async read(message: MessageRow): Promise<PushContent | undefined> {
    const parties = await this.readParties(message);
    return parties && { ...parties, view: viewOf(message) };
  }

  async readParties(message: PushedMessage): Promise<Omit<PushContent, 'view'> | undefined> {
    const { workspaces } = this.#options;
    const target = await workspaces.find(message.target_id);
    if (target === undefined || !canPush(target)) return undefined;
    const callerId = message.source_id;
    const caller = callerId === null ? undefined : await workspaces.find(callerId);
    return { target, caller };
  }
}
