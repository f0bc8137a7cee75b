import { INSTANCE_HEADER } from '@molecule-ai/protocol';
import type { FastifyRequest } from 'fastify';
import type { PlatformContext } from '../context.ts';
import { HttpError } from '../http/http-error.ts';

/** An instance that said nothing for so long no longer holds the identity, in milliseconds. */
const EXPIRES_AFTER_MS = 45_000;
/** Instances remembered for one workspace: those heard of lately, and those that were taken over. */
const MAX_INSTANCES = 32;

/** Who holds the identity, as it is stored. */
interface Identity {
  /** Null while nobody does. */
  readonly holder: string | null;
  /** Those that lost the identity to a take-over and have not read since. */
  readonly superseded: readonly string[];
}

/** One feed read of the instance that holds the identity. */
export interface ReaderClaim {
  /** Aborted by the error of the read, a 409 `identity_in_use`, when another instance takes over. */
  readonly lost: AbortSignal;
  end(): void;
}

/** What is known about the instances of one workspace. */
interface Instances {
  /** Undefined until it was read from the database. */
  identity: Identity | undefined;
  /** When each of them last sent something, on the monotonic clock; the latest last. */
  readonly seen: Map<string, number>;
  /** The feed reads of the holder that are under way. */
  readonly reads: Set<AbortController>;
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
    const instances = this.#instancesOf(workspaceId);
    this.#note(instances, instanceId);
    let identity = instances.identity ?? (await this.#read(workspaceId, instances));
    while (identity.holder !== instanceId) {
      const isHeld = this.#heldForMs(instances) > 0;
      if (isHeld && !takeover) throw this.#inUse(instances, instanceId);
      const lost = isHeld ? [...identity.superseded, String(identity.holder)] : identity.superseded;
      const superseded = lost.slice(-MAX_INSTANCES).filter((id) => id !== instanceId);
      identity = await this.#replace(workspaceId, instances, identity, { holder: instanceId, superseded });
    }
    const read = new AbortController();
    instances.reads.add(read);
    const end = () => {
      if (instances.reads.delete(read)) this.#note(instances, instanceId);
    };
    return { lost: read.signal, end };
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
    const instances = this.#instancesOf(workspaceId);
    let identity = instances.identity ?? (await this.#read(workspaceId, instances));
    instances.seen.delete(instanceId);
    if (identity.holder === instanceId) {
      identity = await this.#replace(workspaceId, instances, identity, { ...identity, holder: null });
    }
    const since = this.#options.clock.monotonic() - EXPIRES_AFTER_MS;
    const isOtherReading = identity.holder !== null && instances.reads.size > 0;
    return { isOtherActive: isOtherReading || [...instances.seen.values()].some((at) => at > since) };
  }

  #instancesOf(workspaceId: string): Instances {
    let instances = this.#workspaces.get(workspaceId);
    if (instances === undefined) {
      instances = { identity: undefined, seen: new Map(), reads: new Set() };
      this.#workspaces.set(workspaceId, instances);
    }
    return instances;
  }

  async #read(workspaceId: string, instances: Instances): Promise<Identity> {
    const row = await this.#options.database.query
      .selectFrom('reader_identities')
      .select(['instance_id', 'superseded'])
      .where('workspace_id', '=', workspaceId)
      .executeTakeFirst();
    const superseded = row === undefined ? [] : (JSON.parse(row.superseded) as string[]);
    return this.#setIdentity(instances, { holder: row?.instance_id ?? null, superseded });
  }

  /** Stores who holds the identity unless another one has it by now; returns who has it. */
  async #replace(
    workspaceId: string,
    instances: Instances,
    before: Identity,
    next: Identity,
  ): Promise<Identity> {
    const row = { instance_id: next.holder, superseded: JSON.stringify(next.superseded) };
    const { numInsertedOrUpdatedRows } = await this.#options.database.query
      .insertInto('reader_identities')
      .values({ workspace_id: workspaceId, ...row })
      .onConflict((conflict) =>
        conflict
          .column('workspace_id')
          .doUpdateSet(row)
          .where('reader_identities.instance_id', 'is not distinct from', before.holder),
      )
      .executeTakeFirst();
    if (numInsertedOrUpdatedRows !== 1n) return this.#read(workspaceId, instances);
    return instances.identity === before ? this.#setIdentity(instances, next) : (instances.identity ?? next);
  }

  /** The reads of the former holder end when another instance takes its place. */
  #setIdentity(instances: Instances, identity: Identity): Identity {
    const former = instances.identity?.holder ?? '';
    instances.identity = identity;
    if (identity.holder === null || identity.holder === former) return identity;
    const reads = [...instances.reads];
    instances.reads.clear();
    for (const read of reads) read.abort(this.#inUse(instances, former));
    return identity;
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
  #heldForMs({ identity, reads, seen }: Instances): number {
    const holder = identity?.holder ?? null;
    if (holder === null) return 0;
    if (reads.size > 0) return EXPIRES_AFTER_MS;
    return (seen.get(holder) ?? this.#startedAt) + EXPIRES_AFTER_MS - this.#options.clock.monotonic();
  }

  #inUse(instances: Instances, instanceId: string): HttpError {
    const retryAfter = Math.max(1, Math.ceil(this.#heldForMs(instances) / 1_000));
    const superseded = instances.identity?.superseded.includes(instanceId) === true;
    return new HttpError(409, 'identity_in_use', 'another running agent reads for this workspace', {
      retry_after: retryAfter,
      superseded,
      hint: superseded
        ? 'It has taken over: this agent ends.'
        : 'Stop the other one, wait for it to end, or take over with X-Molecule-Takeover: 1.',
    });
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
