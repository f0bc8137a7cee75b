import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClientPort } from '../client/client-port.ts';
import type { HeartbeatMetrics, HeartbeatOptions, HeartbeatReport } from '../client/heartbeat.ts';
import type { InboundPage, ReadInboundOptions } from '../client/inbound-page.ts';
import type { RegisterOptions, Registration } from '../client/registration.ts';
import { ApiError, WorkspaceRemovedError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { InboundOptions } from '../inbound/inbound-options.ts';
import type { Logger } from '../logging/logger.ts';
import { readPrivateFile, writePrivateFile } from '../storage/private-file.ts';
import { orAborted, withDeadline } from '../time/linked-abort.ts';
import type { RunningAgentOptions } from '../transport/platform-request.ts';
import type { ConflictPolicy } from './agent-options.ts';
import type { AgentReport } from './agent-report.ts';

/** The time between two reads of an agent that waits for another one to end, in milliseconds. */
const LONGEST_RETRY_MS = 5_000;
/** Time limit of each of the last two requests, in milliseconds. */
const LAST_REQUEST_MS = 2_000;

/** Under the folder of the workspace: the name by which the platform recognises this agent after a restart. */
const INSTANCE_FILE = 'instance';
const MAX_INSTANCE_BYTES = 1_024;

const IN_USE = 'Another running agent receives the messages of this workspace';

type FeedClient = InboundOptions['client'];
type RepeatedRequest = 'register' | 'heartbeat' | 'state' | 'acknowledge' | 'read' | 'reply';

export interface AgentRequestsOptions {
  readonly port: ClientPort;
  readonly logger: Logger;
  readonly onConflict: ConflictPolicy;
  readonly report: AgentReport;
  /** What each register request says of the agent. */
  readonly registration: () => Pick<RegisterOptions, 'deliveryMode' | 'agentCard'>;
  readonly onRegistered: (registration: Registration) => void;
  /** Another agent reads, and this one ends. Called once. */
  readonly onLost: (error: ApiError) => void;
  /** A read was refused because the workspace is removed; a heartbeat confirms it. */
  readonly onRemoved: () => void;
}

/**
 * The requests of one running agent, whose name the platform is given with registers, heartbeats and reads: one instance at a time reads
 * the messages of a workspace. A read that is refused for it waits here until it is granted, so no delivery knows about it. While the
 * platform limits requests that the agent repeats, the agent is degraded as `rate-limited`.
 */
export class AgentRequests implements FeedClient {
  readonly workspaceId: string;
  readonly getWorkspace: ClientPort['getWorkspace'] = (...asked) => this.#port.getWorkspace(...asked);
  readonly askQuestions: ClientPort['askQuestions'] = (...asked) => this.#port.askQuestions(...asked);
  readonly fetchCancellations: ClientPort['fetchCancellations'] = (...asked) =>
    this.#port.fetchCancellations(...asked);
  readonly pollState: ClientPort['pollState'] = (...asked) =>
    this.#followed('state', this.#port.pollState(...asked));
  readonly acknowledge: ClientPort['acknowledge'] = (...acknowledged) =>
    this.#followed('acknowledge', this.#port.acknowledge(...acknowledged));
  readonly reply: ClientPort['reply'] = (...answer) => this.#followed('reply', this.#port.reply(...answer));
  readonly reportProgress: ClientPort['reportProgress'] = (...report) => this.#port.reportProgress(...report);
  readonly observeReply: ClientPort['observeReply'] = (message) => this.#port.observeReply(message);
  readonly sentMessages: ClientPort['sentMessages'] = () => this.#port.sentMessages();
  /** Resolves with the first read that is granted; rejects with `workspace_in_use` if this agent ends before. */
  readonly firstRead = Promise.withResolvers<void>();
  readonly #port: ClientPort;
  readonly #options: AgentRequestsOptions;
  /** The kinds of requests that are limited. */
  readonly #limited = new Set<RepeatedRequest>();
  #instanceId: string = randomUUID();
  #isStored = false;
  #isRefused = false;
  #isLost = false;

  constructor(options: AgentRequestsOptions) {
    this.#port = options.port;
    this.#options = options;
    this.workspaceId = options.port.workspaceId;
    this.firstRead.promise.catch(() => {});
  }

  get capabilities(): ClientPort['capabilities'] {
    return this.#port.capabilities;
  }

  /** Takes the name that the workspace's folder holds, or stores a new one. Call it under the folder's lock, before any request. */
  async load(): Promise<void> {
    this.#isStored = true;
    const stored = await readPrivateFile(this.#instanceFile, { maxBytes: MAX_INSTANCE_BYTES }).catch(
      () => '',
    );
    const name = stored?.trim() ?? '';
    if (/^[\x21-\x7e]{1,200}$/.test(name)) this.#instanceId = name;
    // The agent runs without a folder as well, and says so when it cannot store a position.
    else await writePrivateFile(this.#instanceFile, `${this.#instanceId}\n`).catch(() => {});
  }

  get #instanceFile(): string {
    return join(this.#port.stateDirectory, INSTANCE_FILE);
  }

  async register(options?: RunningAgentOptions): Promise<Registration> {
    const { registration, onRegistered } = this.#options;
    const request = { ...options, ...registration(), instanceId: this.#instanceId };
    const registered = await this.#followed('register', this.#port.register(request));
    onRegistered(registered);
    return registered;
  }

  heartbeat(metrics: HeartbeatMetrics, options?: HeartbeatOptions): Promise<HeartbeatReport> {
    const sent = this.#port.heartbeat(metrics, { ...options, instanceId: this.#instanceId });
    return this.#followed('heartbeat', sent);
  }

  /** Reports that no task is running any more. Never rejects. */
  async lastHeartbeat(): Promise<void> {
    const idle = { ...this.#options.report.metrics(), activeTasks: 0, currentTask: '' };
    await this.#last('The last heartbeat', (signal) => this.#port.heartbeat(idle, { signal }));
  }

  /** Reports that this agent stops, so that nobody waits for it. Never rejects. */
  async goodbye(): Promise<void> {
    if (!this.#port.capabilities.has('instances')) return;
    await this.#last('The goodbye', (signal) => this.#port.goodbye(this.#instanceId, { signal }));
  }

  async #last(what: string, send: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    const { clock } = this.#port;
    await withDeadline({ clock, timeoutMs: LAST_REQUEST_MS, what }, send).catch(() => {});
  }

  fetchInboundPage(options: ReadInboundOptions = {}): Promise<InboundPage> {
    return this.#followed('read', this.#read(options));
  }

  /** Follows a request that the agent repeats by itself. One that succeeds ends the limit of those of its `kind`. */
  async #followed<T>(kind: RepeatedRequest, request: Promise<T>): Promise<T> {
    const { report } = this.#options;
    try {
      const result = await request;
      if (this.#limited.delete(kind) && this.#limited.size === 0) report.recovered('rate-limited');
      return result;
    } catch (error) {
      if (isRateLimited(error)) {
        this.#limited.add(kind);
        report.degraded('rate-limited', error);
      }
      throw error;
    }
  }

  async #read(options: ReadInboundOptions): Promise<InboundPage> {
    const { onConflict } = this.#options;
    let takeover = false;
    for (;;) {
      try {
        const read = { ...options, instanceId: this.#instanceId, ...(takeover ? { takeover } : {}) };
        const page = await this.#port.fetchInboundPage(read);
        this.granted();
        return page;
      } catch (error) {
        if (WorkspaceRemovedError.isInstance(error)) this.#options.onRemoved();
        if (!isConflict(error)) throw error;
        const isSuperseded = error.details?.superseded === true;
        if (isSuperseded || onConflict === 'fail')
          return await this.#end(error, isSuperseded, options.signal);
        if (onConflict === 'takeover' && !takeover) {
          takeover = true;
          continue;
        }
        takeover = onConflict === 'takeover';
        this.#refused(error);
        const waitMs = Math.min(error.retryAfterMs ?? LONGEST_RETRY_MS, LONGEST_RETRY_MS);
        await this.#port.clock.sleep(waitMs, { signal: options.signal });
      }
    }
  }

  /** Call when the agent no longer reads, because its messages are pushed, as well. */
  granted(): void {
    this.firstRead.resolve();
    if (!this.#isRefused) return;
    this.#isRefused = false;
    const text = 'Messages are received, although another agent of this workspace was running.';
    this.#options.logger.info({}, text);
    this.#options.report.recovered('identity-in-use');
  }

  #refused(error: ApiError): void {
    if (this.#isRefused) return;
    this.#isRefused = true;
    this.#options.logger.warn({ error }, `${IN_USE}; this one waits until it ends.`);
    this.#options.report.degraded('identity-in-use', error);
  }

  /** Ends the agent, and the read with it. */
  async #end(error: ApiError, isSuperseded: boolean, signal: AbortSignal | undefined): Promise<never> {
    const { logger, onLost } = this.#options;
    if (!this.#isLost) {
      this.#isLost = true;
      const why = isSuperseded ? 'Another agent has taken over this workspace' : IN_USE;
      logger.error({ error }, `${why}; this one ends.`);
      // Started again it is another agent, which waits for the present one or takes over.
      if (isSuperseded && this.#isStored) await rm(this.#instanceFile, { force: true }).catch(() => {});
      onLost(error);
      this.firstRead.reject(
        new MoleculeError(`${IN_USE}.`, {
          code: 'workspace_in_use',
          hint: 'Stop it, give this agent its own workspace, or set onConflict to "wait" or "takeover".',
          cause: error,
        }),
      );
    }
    if (signal === undefined) throw error;
    return orAborted(new Promise<never>(() => {}), signal);
  }
}

function isConflict(error: unknown): error is ApiError {
  return ApiError.isInstance(error) && error.platformCode === 'identity_in_use';
}

/** Whether the platform limits requests; it can be reached then. */
export function isRateLimited(error: unknown): boolean {
  return MoleculeError.isInstance(error) && error.code === 'rate_limited';
}
