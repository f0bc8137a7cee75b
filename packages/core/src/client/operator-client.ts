import {
  type CreateWorkspaceRequest,
  type CreateWorkspaceResponse,
  type DeliveryMode,
  type PatchWorkspaceRequest,
  routes,
} from '@molecule-ai/protocol';
import { ApiError, WorkspaceRemovedError } from '../errors/api-error.ts';
import { redactingLogger } from '../logging/redacting-logger.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { type ActivityFilters, type ActivityPage, ListActivityShape } from '../platform-api/activity.ts';
import { PlatformApi } from '../platform-api/platform-api.ts';
import {
  type GetWorkspaceOptions,
  GetWorkspaceShape,
  getWorkspace,
  getWorkspaceState,
  listWorkspaces,
  type WorkspaceInfo,
  type WorkspaceStateReport,
} from '../platform-api/workspaces.ts';
import {
  DEFAULT_CALL_TIMEOUT_MS,
  type OperatorClientOptions,
  resolveOperatorSettings,
} from '../settings/client-settings.ts';
import { processEnvironment } from '../settings/environment.ts';
import { checkArguments, flag, given, type OptionsOf, optionsSchema } from '../settings/options.ts';
import { linkAbort } from '../time/linked-abort.ts';
import { type CallOptions, CallShape } from '../transport/platform-request.ts';
import { AbandonedCalls, cancelMessage } from './cancellation.ts';
import {
  readMessageState,
  type WaitForAnswerOptions,
  WaitForAnswerShape,
  waitForAnswer,
} from './message-state.ts';
import {
  asCall,
  composeMessage,
  type MessageContent,
  type SendMessageOptions,
  SendMessageShape,
  sendThroughProxy,
} from './peer-calls.ts';
import { createPeerStream, type PeerStream } from './peer-stream.ts';
import {
  type AskedQuestion,
  type ListQuestionsOptions,
  ListQuestionsShape,
  QUESTIONS,
  type QuestionReply,
  toQuestion,
} from './questions.ts';
import { platformSource } from './stream-sources.ts';
import { type OperatorTokens, TokenCalls } from './tokens.ts';

class WorkspaceShape {
  /** At most 255 bytes. */
  name = given<string>();
  tier = given<number>();
  deliveryMode = given<DeliveryMode>();
  maxConcurrentTasks = given<number>();
  /** Position on the canvas. */
  position = given<{ x: number; y: number }>();
}

export class NewWorkspaceShape extends WorkspaceShape {
  role = given<string>();
  /** @default `external`: an agent that runs anywhere */
  runtime = given<string>();
  parentId = given<string | null>();
  /** The URL of the agent; omit it for an agent that polls. */
  url = given<string>();
  /** Stored encrypted. */
  secrets = given<Readonly<Record<string, string>>>();
  /** US cents per month; `null` for no limit. */
  budgetLimitCents = given<number | null>();
}

export interface NewWorkspace extends OptionsOf<NewWorkspaceShape> {
  name: string;
}

export class WorkspaceChangesShape extends WorkspaceShape {
  role = given<string | null>();
  parentId = given<string | null>();
  url = given<string | null>();
  collapsed = given<boolean>();
}

/** Changes to a workspace; omitted fields stay as they are. */
export interface WorkspaceChanges extends OptionsOf<WorkspaceChangesShape> {}

export interface CreatedWorkspace {
  readonly id: string;
  readonly status: string;
  /** The first token, returned once; `null` if the platform issued none. Pass it to the agent; do not log it. */
  readonly authToken: string | null;
  /** Connection data as sent by the platform; contains the token. */
  readonly connection: NonNullable<CreateWorkspaceResponse['connection']> | null;
}

export class DeleteWorkspaceShape extends CallShape {
  /** Also deletes the children; otherwise a workspace with children is refused with 409. @default false */
  confirm = flag(undefined);
  /** Deletes the stored rows instead of keeping them for the audit trail. @default false */
  purge = flag(undefined);
}

export interface DeleteWorkspaceOptions extends OptionsOf<DeleteWorkspaceShape> {}

const CALL = optionsSchema(new CallShape());
const SEND_MESSAGE = optionsSchema(new SendMessageShape());

/**
 * The client of an operator: manages workspaces and their tokens, and sends messages as the user on the canvas.
 * Options and errors are those of `RemoteAgentClient`.
 */
export interface OperatorClient extends Pick<OperatorCalls, keyof OperatorCalls> {}

class OperatorCalls {
  static {
    checkArguments(
      OperatorCalls.prototype,
      {
        createWorkspace: { 0: optionsSchema(new NewWorkspaceShape()), 1: CALL },
        listWorkspaces: { 0: CALL },
        getWorkspace: { 1: optionsSchema(new GetWorkspaceShape()) },
        updateWorkspace: { 1: optionsSchema(new WorkspaceChangesShape()), 2: CALL },
        deleteWorkspace: { 1: optionsSchema(new DeleteWorkspaceShape()) },
        pause: { 1: CALL },
        resume: { 1: CALL },
        state: { 1: CALL },
        sendMessage: { 2: SEND_MESSAGE },
        streamMessage: { 2: SEND_MESSAGE },
        cancelMessage: { 2: CALL },
        getMessage: { 2: CALL },
        waitForAnswer: { 2: optionsSchema(new WaitForAnswerShape()) },
        listQuestions: { 1: optionsSchema(new ListQuestionsShape()) },
        answerQuestion: { 3: CALL },
        listActivity: { 1: optionsSchema(new ListActivityShape()) },
        health: { 0: CALL },
        ready: { 0: CALL },
      },
      ['streamMessage'],
    );
  }

  readonly #abandoned: AbandonedCalls;
  readonly #api: PlatformApi;
  readonly tokens: OperatorTokens;

  /** @throws ConfigurationError naming the option and its environment variable. */
  constructor(options: OperatorClientOptions = {}) {
    const checked = resolveOperatorSettings(options, processEnvironment());
    const { operatorKey, keyOrigin } = checked;
    const logger = redactingLogger(checked.logger, operatorKey === null ? [] : [operatorKey]);
    const bearers = {
      load: async () => {},
      current: () => operatorKey ?? undefined,
      renew: async () => undefined,
      originOf: () => keyOrigin ?? 'the option operatorKey',
      storeName: null,
    };
    this.#api = new PlatformApi({ ...checked, logger }, bearers, null);
    this.#abandoned = new AbandonedCalls(this.#api);
    this.tokens = new TokenCalls(this.#api);
  }

  /** Without trailing slash. */
  get platformUrl(): string {
    return this.#api.settings.platformUrl;
  }

  /** Never retried, because a repeat would create a second workspace. */
  async createWorkspace(workspace: NewWorkspace, options: CallOptions = {}): Promise<CreatedWorkspace> {
    const { runtime = 'external', parentId, deliveryMode, maxConcurrentTasks, ...rest } = workspace;
    const { budgetLimitCents, position, ...same } = rest;
    const body: CreateWorkspaceRequest = {
      ...same,
      runtime,
      external: runtime === 'external' ? true : undefined,
      parent_id: parentId,
      delivery_mode: deliveryMode,
      budget_limit: budgetLimitCents,
      max_concurrent_tasks: maxConcurrentTasks,
      canvas: position,
    };
    const input = { body, signal: options.signal };
    const { id, status, connection } = await this.#api.call(routes.createWorkspace, input);
    return { id, status, authToken: connection?.auth_token || null, connection: connection ?? null };
  }

  /** All workspaces except removed ones, oldest first. */
  listWorkspaces(options: CallOptions = {}): Promise<WorkspaceInfo[]> {
    return listWorkspaces(this.#api, options);
  }

  /** @throws WorkspaceRemovedError unless `includeRemoved`. */
  getWorkspace(workspaceId: string, options: GetWorkspaceOptions = {}): Promise<WorkspaceInfo> {
    return getWorkspace(this.#api, workspaceId, options);
  }

  async updateWorkspace(
    workspaceId: string,
    changes: WorkspaceChanges,
    { signal }: CallOptions = {},
  ): Promise<void> {
    const { parentId, deliveryMode, maxConcurrentTasks, position, ...rest } = changes;
    const body: PatchWorkspaceRequest = {
      ...rest,
      parent_id: parentId,
      delivery_mode: deliveryMode,
      max_concurrent_tasks: maxConcurrentTasks,
      x: position?.x,
      y: position?.y,
    };
    await this.#api.call(routes.patchWorkspace, { params: { id: workspaceId }, body, signal });
  }

  /** Cannot be undone. Returns the number of descendants that were removed as well. */
  async deleteWorkspace(workspaceId: string, options: DeleteWorkspaceOptions = {}): Promise<number> {
    const { confirm, purge, signal } = options;
    const query = { confirm: confirm || undefined, purge: purge || undefined };
    const input = { params: { id: workspaceId }, query, signal };
    try {
      return (await this.#api.call(routes.deleteWorkspace, input)).cascade_deleted;
    } catch (error) {
      // Some platforms also require the name of the workspace.
      if (confirm !== true || !this.#isRefusedElsewhere(error, 400)) throw error;
      const { name } = await this.getWorkspace(workspaceId, { signal });
      // A header has bytes: the name is sent in UTF-8.
      const headers = { 'x-confirm-name': Buffer.from(name, 'utf8').toString('latin1') };
      return (await this.#api.call(routes.deleteWorkspace, { ...input, headers })).cascade_deleted;
    }
  }

  /** Pauses a workspace and its descendants; returns their number. Messages to them are queued. */
  async pause(workspaceId: string, { signal }: CallOptions = {}): Promise<number> {
    const params = { id: workspaceId };
    const paused = await this.#withDescendants((query) =>
      this.#api.call(routes.pauseWorkspace, { params, query, signal }),
    );
    return paused.paused_count;
  }

  /** Resumes a workspace and its descendants; returns their number. They are online after their next heartbeat. */
  async resume(workspaceId: string, { signal }: CallOptions = {}): Promise<number> {
    const params = { id: workspaceId };
    const resumed = await this.#withDescendants((query) =>
      this.#api.call(routes.resumeWorkspace, { params, query, signal }),
    );
    return resumed.resumed_count;
  }

  async state(workspaceId: string, { signal }: CallOptions = {}): Promise<WorkspaceStateReport> {
    try {
      return await getWorkspaceState(this.#api, workspaceId, { signal });
    } catch (error) {
      // Some platforms refuse an operator the state; then it is that of the workspace.
      if (!this.#isRefusedElsewhere(error, 401)) throw error;
      const { status } = await this.getWorkspace(workspaceId, { signal }).catch((failure: unknown) => {
        if (!WorkspaceRemovedError.isInstance(failure)) throw failure;
        return { status: 'removed' };
      });
      const [paused, deleted] = [status === 'paused', status === 'removed'];
      return { workspaceId, status, paused, deleted, shouldStop: paused || deleted };
    }
  }

  /**
   * Sends a message as the user on the canvas, by default in the one conversation that all people have with the agent, and
   * waits for the answer up to `timeoutMs`. When the agent is slower, offline or paused (`isHeld`), the status is `queued`;
   * {@link waitForAnswer} then returns the answer. An abort also cancels the message.
   */
  async sendMessage(
    workspaceId: string,
    content: string | MessageContent,
    options: SendMessageOptions = {},
  ): Promise<PeerReply> {
    const { timeoutMs = DEFAULT_CALL_TIMEOUT_MS, signal } = options;
    const message = composeMessage(this.#api, 'send_message', workspaceId, content, options);
    return await asCall(message.operation, () =>
      sendThroughProxy(this.#api, message, { signal, timeoutMs }, this.#abandoned.cancel),
    );
  }

  /**
   * Sends a message as {@link sendMessage} does, at once, and returns its answer as it is made: iterate the stream for the pieces of
   * the text. A connection that breaks is opened again, and the stream continues where it was. Leaving the loop cancels nothing;
   * an abort of `signal` cancels the message. Errors of the call come with the iteration.
   * @throws MoleculeError `invalid_argument` for a blank text.
   */
  streamMessage(
    workspaceId: string,
    content: string | MessageContent,
    options: SendMessageOptions = {},
  ): PeerStream {
    const { signal, timeoutMs = Number.POSITIVE_INFINITY } = options;
    const message = composeMessage(this.#api, 'stream_message', workspaceId, content, options);
    return createPeerStream({
      settings: this.#api.settings,
      message,
      link: linkAbort(signal, this.#abandoned.closed),
      sources: [platformSource(this.#api, message, this.#abandoned.cancel)],
      openTimeoutMs: DEFAULT_CALL_TIMEOUT_MS,
      timeoutMs,
    });
  }

  /**
   * Cancels a message that was sent with {@link sendMessage}, and returns its state: `canceled`, or how it had ended
   * before.
   * @throws ApiError `not_found`; MoleculeError `not_supported` for a platform that does not cancel.
   */
  cancelMessage(workspaceId: string, messageId: string, options: CallOptions = {}): Promise<PeerReply> {
    return cancelMessage(this.#api, workspaceId, messageId, options);
  }

  /** Returns the state of a message without waiting. */
  getMessage(workspaceId: string, messageId: string, options: CallOptions = {}): Promise<PeerReply> {
    return readMessageState(this.#api, workspaceId, messageId, options);
  }

  /** Waits for the answer to a message; after the timeout the status is still `queued`. */
  waitForAnswer(
    workspaceId: string,
    messageId: string,
    options: WaitForAnswerOptions = {},
  ): Promise<PeerReply> {
    return waitForAnswer(this.#api, workspaceId, messageId, options);
  }

  /**
   * The questions that the agent of a workspace asked, newest first, a page of 100 unless `limit` and `offset` say otherwise. Texts and data are the agent's: show
   * them as text.
   * @throws MoleculeError `not_supported` for a platform that does not track questions.
   */
  listQuestions(workspaceId: string, options: ListQuestionsOptions = {}): Promise<AskedQuestion[]> {
    const { state, limit, offset, signal } = options;
    return this.#api.whereOffered(QUESTIONS, async () => {
      const input = { params: { id: workspaceId }, query: { state, limit, offset }, signal };
      return (await this.#api.call(routes.listQuestions, input)).questions.map(toQuestion);
    });
  }

  /**
   * Answers a question of an agent: `{ decision }` for an approval, `{ text }` for others. The agent continues when all
   * questions of its message are answered. The same answer again changes nothing.
   * @throws ApiError `not_found` for an unknown question, `conflict` when it is closed or was answered in
   * another way; MoleculeError `not_supported`.
   */
  answerQuestion(
    workspaceId: string,
    questionId: string,
    { decision, text }: QuestionReply,
    { signal }: CallOptions = {},
  ): Promise<AskedQuestion> {
    return this.#api.whereOffered(QUESTIONS, async () => {
      const input = { params: { id: workspaceId, questionId }, body: { decision, text }, signal };
      return toQuestion((await this.#api.call(routes.answerQuestion, input)).question);
    });
  }

  /** Returns one page of a workspace's activity. */
  listActivity(workspaceId: string, filters: ActivityFilters & CallOptions = {}): Promise<ActivityPage> {
    return this.#api.listActivity(workspaceId, filters);
  }

  /** Resolves when the platform's process responds. */
  health(options: CallOptions = {}): Promise<void> {
    return this.#probe(routes.health, options);
  }

  /** Resolves when the platform and its database are usable. */
  async ready(options: CallOptions = {}): Promise<void> {
    await this.#probe(routes.ready, options).catch((error: unknown) => {
      // An older platform has one probe.
      if (!ApiError.isInstance(error) || error.code !== 'routing_problem') throw error;
      return this.#probe(routes.health, options);
    });
  }

  /** Closes all connections; pending calls reject with `client_closed`. Idempotent. */
  close(): Promise<void> {
    return this.#abandoned.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Whether a platform that names no capabilities refused a request with this status. */
  #isRefusedElsewhere(error: unknown, status: number): boolean {
    const { words } = this.#api.capabilities;
    return ApiError.isInstance(error) && error.status === status && words.size === 0;
  }

  /** Some platforms refuse a workspace with descendants unless the request has `cascade`, which ours does not know. */
  async #withDescendants<T>(attempt: (query: { readonly cascade?: true }) => Promise<T>): Promise<T> {
    try {
      return await attempt({});
    } catch (error) {
      if (!this.#isRefusedElsewhere(error, 409)) throw error;
      return attempt({ cascade: true });
    }
  }

  /** Without a credential and without retries: a probe reports the current state. */
  async #probe(route: typeof routes.health | typeof routes.ready, { signal }: CallOptions): Promise<void> {
    await this.#api.send(route, { bearer: null, isRepeatable: false, signal });
  }
}

/** @throws ConfigurationError naming the option and its environment variable. */
export const OperatorClient: new (options?: OperatorClientOptions) => OperatorClient =
  class OperatorClient extends OperatorCalls {};
