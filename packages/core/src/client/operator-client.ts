import { routes } from '@molecule-ai/protocol';
import { redactingLogger } from '../logging/redacting-logger.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { type ActivityFilters, type ActivityPage, readActivityPage } from '../platform-api/activity.ts';
import { call } from '../platform-api/call.ts';
import {
  type GetWorkspaceOptions,
  getWorkspace,
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
import { checkArgumentNames, checkCallsOf } from '../settings/known-options.ts';
import { linkAbort } from '../time/linked-abort.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import { Transport } from '../transport/transport.ts';
import { AbandonedCalls } from './abandoned-calls.ts';
import { asCall, startCall } from './call-telemetry.ts';
import { cancelMessage } from './cancellation.ts';
import {
  CALL,
  DELETE_WORKSPACE,
  GET_WORKSPACE,
  LIST_ACTIVITY,
  LIST_QUESTIONS,
  NEW_WORKSPACE,
  SEND_MESSAGE,
  STREAM_MESSAGE,
  WAIT_FOR_ANSWER,
  WORKSPACE_CHANGES,
} from './known-options.ts';
import { readMessageState, type WaitForAnswerOptions, waitForAnswer } from './message-state.ts';
import {
  composeMessage,
  type SendMessageOptions,
  type StreamMessageOptions,
  sendThroughProxy,
} from './peer-calls.ts';
import { createPeerStream, type PeerStream, type PeerStreamOptions } from './peer-stream.ts';
import {
  type AskedQuestion,
  answerQuestion,
  type ListQuestionsOptions,
  listQuestions,
  type QuestionReply,
} from './questions.ts';
import { PlatformSource } from './stream-sources.ts';
import { type OperatorTokens, operatorTokens } from './tokens.ts';
import {
  type CreatedWorkspace,
  createBody,
  createdWorkspace,
  type NewWorkspace,
  patchBody,
  type WorkspaceChanges,
} from './workspace-changes.ts';
import {
  type DeleteWorkspaceOptions,
  deleteWorkspace,
  pauseTree,
  probe,
  resumeTree,
  stateForOperator,
} from './workspace-lifecycle.ts';

/**
 * The client of an operator: manages workspaces and their tokens, and sends messages as the user on the canvas.
 * Options and errors are those of `RemoteAgentClient`.
 */
export interface OperatorClient extends Pick<OperatorCalls, keyof OperatorCalls> {}

class OperatorCalls {
  static {
    checkCallsOf<OperatorCalls>(OperatorCalls.prototype, {
      createWorkspace: [1, CALL],
      listWorkspaces: [0, CALL],
      getWorkspace: [1, GET_WORKSPACE],
      updateWorkspace: [2, CALL],
      deleteWorkspace: [1, DELETE_WORKSPACE],
      pause: [1, CALL],
      resume: [1, CALL],
      state: [1, CALL],
      sendMessage: [2, SEND_MESSAGE],
      streamMessage: [2, STREAM_MESSAGE, 'throws'],
      cancelMessage: [2, CALL],
      getMessage: [2, CALL],
      waitForAnswer: [2, WAIT_FOR_ANSWER],
      listQuestions: [1, LIST_QUESTIONS],
      answerQuestion: [3, CALL],
      listActivity: [1, LIST_ACTIVITY],
      health: [0, CALL],
      ready: [0, CALL],
    });
  }

  readonly #abandoned: AbandonedCalls;
  readonly #transport: Transport;
  readonly tokens: OperatorTokens;

  /** @throws ConfigurationError naming the option and its environment variable. */
  constructor(options: OperatorClientOptions = {}) {
    const checked = resolveOperatorSettings(options, processEnvironment());
    const { operatorKey, keyOrigin } = checked;
    const logger = redactingLogger(checked.logger, operatorKey === null ? [] : [operatorKey]);
    const bearers = {
      isLoaded: true,
      load: async () => {},
      current: () => operatorKey ?? undefined,
      renew: async () => undefined,
      originOf: () => keyOrigin ?? 'the option operatorKey',
      storeName: null,
    };
    this.#transport = new Transport({ ...checked, logger }, bearers, null);
    this.#abandoned = new AbandonedCalls(this.#transport);
    this.tokens = operatorTokens(this.#transport);
  }

  /** Without trailing slash. */
  get platformUrl(): string {
    return this.#transport.settings.platformUrl;
  }

  /** Never retried, because a repeat would create a second workspace. */
  async createWorkspace(workspace: NewWorkspace, options: CallOptions = {}): Promise<CreatedWorkspace> {
    checkArgumentNames('createWorkspace', workspace, NEW_WORKSPACE);
    const body = createBody(workspace);
    return createdWorkspace(
      await call(this.#transport, routes.createWorkspace, { body, signal: options.signal }),
    );
  }

  /** All workspaces except removed ones, oldest first. */
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
    checkArgumentNames('updateWorkspace', changes, WORKSPACE_CHANGES);
    const input = { params: { id: workspaceId }, body: patchBody(changes), signal };
    await call(this.#transport, routes.patchWorkspace, input);
  }

  /** Cannot be undone. Returns the number of descendants that were removed as well. */
  deleteWorkspace(workspaceId: string, options: DeleteWorkspaceOptions = {}): Promise<number> {
    return deleteWorkspace(this.#transport, workspaceId, options);
  }

  /** Pauses a workspace and its descendants; returns their number. Messages to them are queued. */
  pause(workspaceId: string, options: CallOptions = {}): Promise<number> {
    return pauseTree(this.#transport, workspaceId, options);
  }

  /** Resumes a workspace and its descendants; returns their number. They are online after their next heartbeat. */
  resume(workspaceId: string, options: CallOptions = {}): Promise<number> {
    return resumeTree(this.#transport, workspaceId, options);
  }

  state(workspaceId: string, options: CallOptions = {}): Promise<WorkspaceStateReport> {
    return stateForOperator(this.#transport, workspaceId, options);
  }

  /**
   * Sends a message as the user on the canvas, by default in the one conversation that all people have with the agent, and
   * waits for the answer up to `timeoutMs`. When the agent is slower, offline or paused (`isHeld`), the status is `queued`;
   * {@link waitForAnswer} then returns the answer. An abort also cancels the message.
   */
  async sendMessage(workspaceId: string, text: string, options: SendMessageOptions = {}): Promise<PeerReply> {
    const { timeoutMs = DEFAULT_CALL_TIMEOUT_MS, signal } = options;
    const composed = composeMessage(this.#transport, workspaceId, text, {
      ...options,
      isInNewContext: false,
    });
    return await asCall(startCall('send_message', composed, ''), (message) =>
      sendThroughProxy(this.#transport, message, {
        signal,
        timeoutMs,
        isWrapped: false,
        onAbandoned: (messageId) => this.#abandoned.cancel({ workspaceId, messageId }),
      }),
    );
  }

  /**
   * Sends a message as {@link sendMessage} does, at once, and returns its answer as it is made: iterate the stream for the pieces of
   * the text. A connection that breaks is opened again, and the stream continues where it was. Leaving the loop cancels nothing;
   * an abort of `signal` cancels the message. Errors of the call come with the iteration.
   * @throws MoleculeError `invalid_argument` for a blank text.
   */
  streamMessage(workspaceId: string, text: string, options: StreamMessageOptions = {}): PeerStream {
    const transport = this.#transport;
    const { signal, timeoutMs = Number.POSITIVE_INFINITY } = options;
    const composed = composeMessage(transport, workspaceId, text, { ...options, isInNewContext: false });
    const call = startCall('stream_message', composed, '');
    const { message } = call;
    const onAbandoned = (messageId: string) => this.#abandoned.cancel({ workspaceId, messageId });
    const streamed: PeerStreamOptions = {
      settings: transport.settings,
      message,
      call,
      link: linkAbort(signal, this.#abandoned.closed),
      sources: [new PlatformSource({ transport, message, isWrapped: false, onAbandoned })],
      openTimeoutMs: DEFAULT_CALL_TIMEOUT_MS,
      timeoutMs,
    };
    return call.run(() => createPeerStream(streamed));
  }

  /**
   * Cancels a message that was sent with {@link sendMessage}, and returns its state: `canceled`, or how it had ended
   * before.
   * @throws ApiError `not_found`; MoleculeError `not_supported` for a platform that does not cancel.
   */
  cancelMessage(workspaceId: string, messageId: string, options: CallOptions = {}): Promise<PeerReply> {
    return cancelMessage(this.#transport, { workspaceId, messageId, isWrapped: false }, options);
  }

  /** Returns the state of a message without waiting. */
  getMessage(workspaceId: string, messageId: string, { signal }: CallOptions = {}): Promise<PeerReply> {
    return readMessageState(this.#transport, workspaceId, messageId, { signal, isWrapped: false });
  }

  /** Waits for the answer to a message; after the timeout the status is still `queued`. */
  waitForAnswer(
    workspaceId: string,
    messageId: string,
    options: WaitForAnswerOptions = {},
  ): Promise<PeerReply> {
    return waitForAnswer(this.#transport, workspaceId, messageId, { ...options, isWrapped: false });
  }

  /**
   * The questions that the agent of a workspace asked, newest first, a page of 100 unless `limit` and `offset` say otherwise. Texts and data are the agent's: show
   * them as text.
   * @throws MoleculeError `not_supported` for a platform that does not track questions.
   */
  listQuestions(workspaceId: string, options: ListQuestionsOptions = {}): Promise<AskedQuestion[]> {
    return listQuestions(this.#transport, workspaceId, options);
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
    answer: QuestionReply,
    options: CallOptions = {},
  ): Promise<AskedQuestion> {
    return answerQuestion(this.#transport, { workspaceId, questionId }, answer, options);
  }

  /** Returns one page of a workspace's activity. */
  listActivity(workspaceId: string, filters: ActivityFilters & CallOptions = {}): Promise<ActivityPage> {
    return readActivityPage(this.#transport, workspaceId, filters);
  }

  /** Resolves when the platform's process responds. */
  health(options: CallOptions = {}): Promise<void> {
    return probe(this.#transport, routes.health, options);
  }

  /** Resolves when the platform and its database are usable. */
  ready(options: CallOptions = {}): Promise<void> {
    return probe(this.#transport, routes.ready, options);
  }

  /** Closes all connections; pending calls reject with `client_closed`. Idempotent. */
  close(): Promise<void> {
    return this.#abandoned.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** @throws ConfigurationError naming the option and its environment variable. */
export const OperatorClient: new (options?: OperatorClientOptions) => OperatorClient =
  class OperatorClient extends OperatorCalls {};
