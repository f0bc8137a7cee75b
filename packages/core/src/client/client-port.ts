import {
  type AgentCard,
  buildSendMessage,
  type InboundMessage,
  type JsonObject,
  type Jwks,
  routes,
} from '@molecule-ai/protocol';
import { withTraceHeaders } from '@molecule-ai/telemetry';
import { ApiError } from '../errors/api-error.ts';
import { ConfigurationError } from '../errors/molecule-error.ts';
import type { HeartbeatThread, HeartbeatThreadOptions } from '../heartbeat-worker/heartbeat-thread.ts';
import type { Logger } from '../logging/logger.ts';
import type { PeerChange } from '../peers/peer-identities.ts';
import type { HasSent } from '../peers/sent-directly.ts';
import { getWorkspace, getWorkspaceState, type WorkspaceStateReport } from '../platform-api/workspaces.ts';
import { describe } from '../settings/options.ts';
import type { AnySkill } from '../skills/skill.ts';
import { withSkills } from '../skills/skill-card.ts';
import type { RandomSource } from '../time/backoff.ts';
import type { Clock } from '../time/clock.ts';
import type { CallOptions, RunningAgentOptions } from '../transport/platform-request.ts';
import { type CancellationPage, type FetchCancellationsOptions, readCancellations } from './cancellation.ts';
import {
  type HeartbeatMetrics,
  type HeartbeatOptions,
  type HeartbeatReport,
  openHeartbeatThread,
} from './heartbeat.ts';
import { acknowledge, type InboundPage, type ReadInboundOptions, readInboundPage } from './inbound-page.ts';
import type { ClientParts, PeerClient } from './peer-client.ts';
import { type AskedQuestion, QUESTIONS, type QuestionsToAsk, toQuestion } from './questions.ts';
import { type RegisterOptions, type Registration, registerAgent } from './registration.ts';
import { replyTo } from './reply.ts';

/** Whether the platform reaches an agent; `reason` is a word of docs/contract/presence.md#probe, `null` when it does. */
export interface ProbeResult {
  readonly isReachable: boolean;
  readonly reason: string | null;
  /** Of the response of what the platform reached; `null` when there was none. */
  readonly status?: number | null | undefined;
}

/** A handler that is far ahead waits for a report. */
const PROGRESS_MS = 10_000;

/** More of the answer that a handler is making. */
export interface ProgressReport {
  /** The row of the message. */
  readonly activityId: string;
  /** Names the run of the handler. */
  readonly runId: string;
  /** How much of the text was reported before, in UTF-16 units. */
  readonly offset: number;
  /** At most 256 Ki UTF-16 units. */
  readonly text: string;
  /** Whether the run reports nothing more. */
  readonly isFinal: boolean;
}

export interface ProgressReceipt {
  /** Whether the report was taken. */
  readonly isTaken: boolean;
  /** Where the next report begins, in UTF-16 units; `null` when this run must not report any more. */
  readonly nextOffset: number | null;
}

/** The key of the port on a client, the same in both builds of this package. Its shape must stay compatible between versions. */
export const CLIENT_PORT: unique symbol = Symbol.for('@molecule-ai/core/client-port');

/**
 * What the runtime of an agent and the adapters use of a client, also where an application calls a method of the same name. No entry
 * for applications exports it.
 */
export interface ClientPort extends Pick<PeerClient, 'acknowledge' | 'getWorkspace' | 'reply'> {
  readonly workspaceId: string;
  readonly platformUrl: string;
  readonly capabilities: PeerClient['capabilities'];
  readonly agentCard: AgentCard;
  /** Puts the skills of the running agent on the card. */
  offerSkills(skills: readonly AnySkill[]): void;
  /** The URL under which the platform reaches this agent; `null` when it polls. */
  readonly reportedUrl: string | null;
  /** The folder of the agent's private files; absolute. */
  readonly stateDirectory: string;
  /** Whether `MOLECULE_DISABLED` is set: the agent ends at its start. */
  readonly isDisabled: boolean;
  readonly clock: Clock;
  /** Source of jitter, from 0 to 1. */
  readonly random: RandomSource;
  /** Redacts credentials. */
  readonly logger: Logger;
  /** Aborts, with `client_closed`, when the client closes. Its agent ends with it. */
  readonly closeSignal: AbortSignal;

  register(options?: RegisterOptions & RunningAgentOptions): Promise<Registration>;
  heartbeat(metrics: HeartbeatMetrics, options?: HeartbeatOptions): Promise<HeartbeatReport>;
  pollState(options?: RunningAgentOptions): Promise<WorkspaceStateReport>;
  fetchInboundPage(options?: ReadInboundOptions): Promise<InboundPage>;

  /** The current token; `undefined` if there is none yet. Never log it. */
  currentToken(): Promise<string | undefined>;

  /**
   * The secret that the platform sends as bearer with each push, on platforms that sign no tokens; `undefined` if there is
   * none. Never log it.
   */
  currentInboundSecret(): Promise<string | undefined>;

  /** Whether the platform reaches this URL, and an agent of this workspace responds there. Nothing is stored. */
  probe(url: string, options?: CallOptions): Promise<ProbeResult>;

  /** The public keys with which the platform signs the tokens of requests to this agent. */
  fetchSigningKeys(options?: CallOptions): Promise<Jwks>;

  /**
   * For heartbeats from the worker thread of this process, which repeats the last one while the event loop is blocked. Close it.
   * `null` with an own `dispatcher` or `clock`.
   */
  openHeartbeatThread(options: HeartbeatThreadOptions): HeartbeatThread | null;

  /**
   * Reports that a running agent stops: another one may read at once, and the workspace is offline unless another one
   * is active.
   * @throws ApiError `routing_problem` from a platform without this route.
   */
  goodbye(instanceId: string, options?: CallOptions): Promise<void>;

  /**
   * Reads which messages to this agent were canceled.
   * @throws MoleculeError `not_supported` for a platform that does not cancel.
   */
  fetchCancellations(options?: FetchCancellationsOptions): Promise<CancellationPage>;

  /**
   * Adds to the streamed answer of a message of the own feed that was sent with `message/stream`. Not retried: repeat it with more
   * text.
   * @throws ApiError `not_found` when the message has ended, or the platform has no streams.
   */
  reportProgress(report: ProgressReport, options?: CallOptions): Promise<ProgressReceipt>;

  /** Sends a message with this id to the own workspace, and does not wait: whether it comes shows whether messages come. */
  sendInboundProbe(messageId: string, options?: CallOptions): Promise<void>;

  /** Calls `listener` when a peer is not what it was when it was first used; returns a function that ends that. */
  onPeerChanged(listener: (change: PeerChange) => void): () => void;

  /**
   * Stores, once, the questions that the handling of a direct message raised.
   * @throws AccessDeniedError, ApiError `conflict` when the message has ended, MoleculeError `not_supported`.
   */
  askQuestions(asked: QuestionsToAsk, options?: CallOptions): Promise<AskedQuestion[]>;

  /** Resolves with what tells whether a message with this id went from here to this peer. */
  sentMessages(): Promise<HasSent>;

  /**
   * Takes a message that came in another way than by `fetchInboundPage`, which does this itself: ends the calls that wait for it.
   * Returns whether a call has returned what it says, now or before; then it is not handled.
   */
  observeReply(message: InboundMessage): boolean;
}

/** `undefined` for anything that is not a `RemoteAgentClient`, of this package or of a copy of it. */
export function findClientPort(client: unknown): ClientPort | undefined {
  return Reflect.get(Object(client), CLIENT_PORT) as ClientPort | undefined;
}

/** @throws ConfigurationError for anything that is not a `RemoteAgentClient`. */
export function clientPort(client: unknown): ClientPort {
  const port = findClientPort(client);
  if (port !== undefined) return port;
  throw new ConfigurationError(`client must be a RemoteAgentClient, got ${describe(client)}.`, {
    hint: 'Pass a RemoteAgentClient.',
  });
}

export function createClientPort(parts: ClientParts): ClientPort {
  const { api, settings, tokens, profile, heartbeats, sent } = parts;
  const { workspaceId } = settings;
  const params = { id: workspaceId };
  return {
    workspaceId,
    platformUrl: settings.platformUrl,
    reportedUrl: settings.reportedUrl,
    stateDirectory: settings.stateDirectory,
    isDisabled: settings.isDisabled,
    clock: settings.clock,
    random: settings.random,
    logger: parts.logger,
    closeSignal: sent.closed,
    get capabilities() {
      return api.capabilities.words;
    },
    get agentCard() {
      return withSkills(profile.card as JsonObject, profile.skills);
    },
    offerSkills: (skills) => {
      profile.skills = skills;
    },
    register: (options = {}) => registerAgent(parts, options),
    heartbeat: (metrics, options = {}) => heartbeats.send(metrics, options),
    pollState: (options = {}) => getWorkspaceState(api, workspaceId, options),
    getWorkspace: (options = {}) => getWorkspace(api, workspaceId, options),
    fetchInboundPage: (options = {}) => readInboundPage(parts, sent, options),
    acknowledge: (upTo, options = {}) => acknowledge(parts, upTo, options),
    reply: (message, answer, options = {}) => replyTo(parts, message, answer, options),
    currentToken: () => tokens.load().then(() => tokens.current()),
    currentInboundSecret: () => parts.inboundSecret.current(),
    async probe(url, { signal } = {}) {
      const { reachable, reason, status } = await api.call(routes.probe, { params, body: { url }, signal });
      return { isReachable: reachable, reason, status };
    },
    fetchSigningKeys: ({ signal } = {}) => api.call(routes.jwks, { signal }),
    openHeartbeatThread: (options) => openHeartbeatThread(parts, options),
    async goodbye(instanceId, { signal } = {}) {
      const body = { workspace_id: workspaceId, instance_id: instanceId };
      await api.call(routes.goodbye, { body, signal });
    },
    fetchCancellations: (options = {}) => readCancellations(parts, options),
    async reportProgress({ activityId, runId, offset, text, isFinal }, { signal } = {}) {
      const input = {
        params: { ...params, activityId },
        body: { run_id: runId, offset, text, final: isFinal || undefined },
        isRepeatable: false,
        timeoutMs: PROGRESS_MS,
        signal,
      };
      try {
        return { isTaken: true, nextOffset: (await api.call(routes.reportProgress, input)).offset };
      } catch (error) {
        if (!ApiError.isInstance(error) || error.platformCode !== 'progress_conflict') throw error;
        const expected = error.details?.expected_offset;
        return { isTaken: false, nextOffset: typeof expected === 'number' ? expected : null };
      }
    },
    async sendInboundProbe(messageId, { signal } = {}) {
      await api.send(routes.sendMessage, {
        params,
        body: buildSendMessage({ messageId, contextId: messageId, text: 'Inbound probe' }),
        timeoutMs: settings.requestTimeoutMs,
        headers: { 'x-timeout': '0' },
        isRepeatable: true,
        signal,
      });
    },
    onPeerChanged: (listener) => parts.identities.listen(listener),
    askQuestions({ questions, messageId, sourceId, contextId }, { signal } = {}) {
      const message = { message_id: messageId, source_id: sourceId, context_id: contextId };
      const body = { questions: [...questions], message };
      const input = { params, body, headers: withTraceHeaders({}), signal };
      return api.whereOffered(QUESTIONS, async () =>
        (await api.call(routes.askQuestions, input)).questions.map(toQuestion),
      );
    },
    sentMessages: () => sent.known(),
    observeReply: (message) => sent.observe(message),
  };
}
