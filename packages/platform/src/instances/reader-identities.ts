import { INSTANCE_HEADER } from '@molecule-ai/protocol';
import type { FastifyRequest } from 'fastify';
import type { PlatformContext } from '../context.ts';
import { HttpError } from '../http/http-error.ts';

/** An instance that said nothing for so long no longer holds the identity, in milliseconds. */
const EXPIRES_AFTER_MS = 45_000;
/** Instances remembered for one workspace: those heard of lately, and those that were taken over. */
const MAX_INSTANCES = 32;

/** What is known about the instances of one workspace. */
interface Instances {
  /** Undefined until it was read from the database, null while nobody holds the identity. */
  holder: string | null | undefined;
  /** Those that lost the identity to a take-over and have not read since. */
  superseded: readonly string[];
  /** What the database holds, to write only what changed. */
  stored: string;
  /** When each of them last sent something, on the monotonic clock; the latest last. */
  readonly seen: Map<string, number>;
  /** The feed reads of the holder that are under way. */
  readonly reads: Set<ReaderClaim>;
}

/**
 * Which running agent reads the feed of each workspace. One instance at a time holds the identity; its reads claim
 * it, registers and heartbeats renew it. Who holds it is stored when it changes; when it was last used is in memory,
 * so that a read costs no statement. After a restart of the platform the stored holder has one whole period to read.
 */
export class ReaderIdentities {
  readonly #options: Pick<PlatformContext, 'clock' | 'database' | 'events'>;
  readonly #workspaces = new Map<string, Instances>();
  readonly #startedAt: number;

  constructor(options: Pick<PlatformContext, 'clock' | 'database' | 'events'>) {
    this.#options = options;
    this.#startedAt = options.clock.monotonic();
    options.events.subscribe(['WORKSPACE_REMOVED'], (workspaceId) => this.#workspaces.delete(workspaceId));
  }

  /**
   * Claims the identity for one feed read; end it when the read is over.
   * @throws HttpError 409 `identity_in_use` while another instance holds it, unless `takeover`.
   */
  async claim(workspaceId: string, instanceId: string, takeover: boolean): Promise<ReaderClaim> {
    const instances = await this.#load(workspaceId);
    this.#note(instances, instanceId);
    if (instances.holder !== instanceId) {
      if (this.#heldForMs(instances) > 0) {
        if (!takeover) throw this.#inUse(instances, instanceId);
        const lost = [...instances.superseded, String(instances.holder)];
        instances.superseded = lost.slice(-MAX_INSTANCES);
      }
      instances.holder = instanceId;
      instances.superseded = instances.superseded.filter((id) => id !== instanceId);
      const former = [...instances.reads];
      instances.reads.clear();
      for (const read of former) read.lose();
    }
    const claim = new ReaderClaim({
      refusal: () => this.#inUse(instances, instanceId),
      onEnd: () => {
        if (instances.reads.delete(claim)) this.#note(instances, instanceId);
      },
    });
    instances.reads.add(claim);
    try {
      await this.#store(workspaceId, instances);
    } catch (error) {
      claim.end();
      throw error;
    }
    return claim;
  }

  /** The instance sent a register or a heartbeat: what it holds it keeps for another period. */
  renew(workspaceId: string, instanceId: string): void {
    this.#note(this.#instancesOf(workspaceId), instanceId);
  }

  /**
   * The instance stops: its identity is free at once. Returns whether another instance of the workspace sent
   * anything within the last period.
   */
  async release(workspaceId: string, instanceId: string): Promise<{ readonly isOtherActive: boolean }> {
    const instances = await this.#load(workspaceId);
    instances.seen.delete(instanceId);
    if (instances.holder === instanceId) {
      instances.holder = null;
      await this.#store(workspaceId, instances);
    }
    const since = this.#options.clock.monotonic() - EXPIRES_AFTER_MS;
    const isOtherReading = instances.holder !== null && instances.reads.size > 0;
    return { isOtherActive: isOtherReading || [...instances.seen.values()].some((at) => at > since) };
  }

  #instancesOf(workspaceId: string): Instances {
    let instances = this.#workspaces.get(workspaceId);
    if (instances === undefined) {
      const nothing = { holder: undefined, superseded: [], stored: '' };
      instances = { ...nothing, seen: new Map(), reads: new Set() };
      this.#workspaces.set(workspaceId, instances);
    }
    return instances;
  }

  async #load(workspaceId: string): Promise<Instances> {
    const instances = this.#instancesOf(workspaceId);
    if (instances.holder !== undefined) return instances;
    const row = await this.#options.database.query
      .selectFrom('reader_identities')
      .select(['instance_id', 'superseded'])
      .where('workspace_id', '=', workspaceId)
      .executeTakeFirst();
    // Another read of the same workspace may have been quicker.
    if (instances.holder === undefined) {
      instances.holder = row?.instance_id ?? null;
      instances.superseded = row === undefined ? [] : (JSON.parse(row.superseded) as string[]);
      instances.stored = valuesOf(instances).key;
    }
    return instances;
  }

  async #store(workspaceId: string, instances: Instances): Promise<void> {
    if (valuesOf(instances).key === instances.stored) return;
    await this.#options.database.transaction(async ({ trx }) => {
      const { key, row } = valuesOf(instances);
      await trx
        .insertInto('reader_identities')
        .values({ workspace_id: workspaceId, ...row })
        .onConflict((conflict) => conflict.column('workspace_id').doUpdateSet(row))
        .execute();
      instances.stored = key;
    });
  }

  #note({ seen }: Instances, instanceId: string): void {
    seen.delete(instanceId);
    seen.set(instanceId, this.#options.clock.monotonic());
    for (const id of seen.keys()) {
      if (seen.size <= MAX_INSTANCES) break;
      seen.delete(id);
    }
  }

  /** How long the holder keeps the identity if it says nothing more, in milliseconds. */
  #heldForMs({ holder, reads, seen }: Instances): number {
    if (holder === null || holder === undefined) return 0;
    if (reads.size > 0) return EXPIRES_AFTER_MS;
    return (seen.get(holder) ?? this.#startedAt) + EXPIRES_AFTER_MS - this.#options.clock.monotonic();
  }

  #inUse(instances: Instances, instanceId: string): HttpError {
    const retryAfter = Math.max(1, Math.ceil(this.#heldForMs(instances) / 1_000));
    const superseded = instances.superseded.includes(instanceId);
    return new HttpError(409, 'identity_in_use', 'another running agent reads for this workspace', {
      retry_after: retryAfter,
      superseded,
      hint: superseded
        ? 'It has taken over: this agent ends.'
        : 'Stop the other one, wait for it to end, or take over with X-Molecule-Takeover: 1.',
    });
  }
}

/** One feed read of the instance that holds the identity. */
export class ReaderClaim {
  /** Another instance has taken over. */
  isLost = false;
  /** What the read of an instance gets that has lost the identity. */
  readonly refusal: () => HttpError;
  readonly end: () => void;
  #whenLost: (() => void) | undefined;

  constructor({ refusal, onEnd }: { refusal: () => HttpError; onEnd: () => void }) {
    this.refusal = refusal;
    this.end = onEnd;
  }

  /** Runs `task` once when another instance takes over. */
  onLost(task: () => void): void {
    if (this.isLost) task();
    else this.#whenLost = task;
  }

  lose(): void {
    this.isLost = true;
    this.#whenLost?.();
  }
}

/**
 * The instance that a request names, undefined when it names none.
 * @throws HttpError 400 for a name that is longer than 200 characters or not printable ASCII.
 */
export function readInstanceId({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  const value = headers[INSTANCE_HEADER];
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string' && /^[\x21-\x7e]{1,200}$/.test(value)) return value;
  throw new HttpError(400, 'invalid_request', `invalid ${INSTANCE_HEADER} header`, {
    field: INSTANCE_HEADER,
  });
}

function valuesOf({ holder, superseded }: Instances) {
  const row = { instance_id: holder ?? null, superseded: JSON.stringify(superseded) };
  return { row, key: JSON.stringify(row) };
}
