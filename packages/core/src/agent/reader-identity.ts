import { randomUUID } from 'node:crypto';
import type { InboundPage, ReadInboundOptions } from '../client/inbound-page.ts';
import { ApiError, WorkspaceRemovedError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import { forgetInstanceId, loadInstanceId } from '../presence/instance-id.ts';
import { orAborted } from '../time/linked-abort.ts';
import type { AgentClient, ConflictPolicy } from './agent-options.ts';
import type { DegradedReasons } from './health.ts';

/** The time between two reads of an agent that waits for another one to end, in milliseconds. */
const LONGEST_RETRY_MS = 5_000;

export interface ReaderIdentityOptions {
  readonly client: AgentClient;
  readonly logger: Logger;
  readonly onConflict: ConflictPolicy;
  readonly degraded: DegradedReasons;
  /** Another agent reads, and this one ends. Called once. */
  readonly onLost: (error: ApiError) => void;
  /** A read was refused because the workspace is removed; a heartbeat confirms it. */
  readonly onRemoved: () => void;
}

/**
 * The name of this running agent towards the platform, which lets one instance at a time read the messages of a
 * workspace. Registers, heartbeats and reads go through it; a read that is refused waits here until it is granted, so
 * no delivery knows about it.
 */
export class ReaderIdentity {
  readonly #options: ReaderIdentityOptions;
  readonly #firstRead = Promise.withResolvers<void>();
  #instanceId: string = randomUUID();
  #isStored = false;
  #isRefused = false;
  #isLost = false;

  constructor(options: ReaderIdentityOptions) {
    this.#options = options;
    this.#firstRead.promise.catch(() => {});
  }

  get instanceId(): string {
    return this.#instanceId;
  }

  /** Whether another agent reads at present. */
  get isRefused(): boolean {
    return this.#isRefused || this.#isLost;
  }

  /** Resolves with the first read that is granted; rejects with `workspace_in_use` if this agent ends before. */
  get firstRead(): Promise<void> {
    return this.#firstRead.promise;
  }

  /** Takes the name that the workspace's folder holds. Call it under the folder's lock, before any request. */
  async load(): Promise<void> {
    this.#isStored = true;
    this.#instanceId = await loadInstanceId(this.#options.client.stateDirectory);
  }

  /** The client for presence and for reading. */
  get requests(): Pick<
    AgentClient,
    'register' | 'heartbeat' | 'pollState' | 'getWorkspace' | 'fetchInboundPage'
  > {
    const { client, degraded } = this.#options;
    return {
      register: (options) =>
        degraded.followLimits('register', client.register({ ...options, instanceId: this.#instanceId })),
      heartbeat: (metrics, options) => {
        const sent = client.heartbeat(metrics, { ...options, instanceId: this.#instanceId });
        return degraded.followLimits('heartbeat', sent);
      },
      pollState: (options) => degraded.followLimits('state', client.pollState(options)),
      getWorkspace: (options) => client.getWorkspace(options),
      fetchInboundPage: (options) => degraded.followLimits('read', this.#read(options ?? {})),
    };
  }

  async #read(options: ReadInboundOptions): Promise<InboundPage> {
    const { client, onConflict } = this.#options;
    let takeover = false;
    for (;;) {
      try {
        const read = { ...options, instanceId: this.#instanceId, ...(takeover ? { takeover } : {}) };
        const page = await client.fetchInboundPage(read);
        this.#granted();
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
        await client.clock.sleep(waitMs, { signal: options.signal });
      }
    }
  }

  /** Call when the agent no longer reads, because its messages are pushed. */
  noLongerReads(): void {
    this.#granted();
  }

  #granted(): void {
    this.#firstRead.resolve();
    if (!this.#isRefused) return;
    this.#isRefused = false;
    this.#options.logger.info(
      {},
      'Messages are received, although another agent of this workspace was running.',
    );
    this.#options.degraded.remove('identity-in-use');
  }

  #refused(error: ApiError): void {
    if (this.#isRefused) return;
    this.#isRefused = true;
    this.#options.logger.warn(
      { error },
      'Another running agent receives the messages of this workspace; this one waits until it ends.',
    );
    this.#options.degraded.add('identity-in-use', error);
  }

  /** Ends the agent, and the read with it. */
  async #end(error: ApiError, isSuperseded: boolean, signal: AbortSignal | undefined): Promise<never> {
    const { client, logger, onLost } = this.#options;
    if (!this.#isLost) {
      this.#isLost = true;
      logger.error(
        { error },
        isSuperseded
          ? 'Another agent has taken over this workspace; this one ends.'
          : 'Another running agent receives the messages of this workspace; this one ends.',
      );
      // Started again it is another agent, which waits for the present one or takes over.
      if (isSuperseded && this.#isStored) await forgetInstanceId(client.stateDirectory);
      onLost(error);
      this.#firstRead.reject(
        new MoleculeError('Another running agent receives the messages of this workspace.', {
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
