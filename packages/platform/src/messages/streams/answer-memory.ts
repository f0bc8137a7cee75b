const MIB = 1024 * 1024;
const MAX_BYTES = 128 * MIB;
/** What the answers of one workspace may use together, so that they do not keep those of others from being read. */
const MAX_BYTES_PER_WORKSPACE = 32 * MIB;
/** An answer up to this size is read in any case. */
export const SMALL_ANSWER_BYTES = 64 * 1024;

/** The memory of one answer: of what is read of it, and of its text for readers. One, so that it never waits for itself. */
export type AnswerAccount = ReturnType<AnswerMemory['open']>;

/** The memory of one reading of an answer: of its body, or of what is collected from its events. */
export type AnswerShare = ReturnType<AnswerAccount['share']>;

interface Account {
  /** The memory of its workspace. */
  readonly own: Pool;
  bytes: number;
  readings: number;
  reclaim: (() => void) | undefined;
}

/** Memory, and the answers that use it. */
class Pool {
  readonly maxBytes: number;
  bytes = 0;
  /** Those that are not small and being read, the oldest first. */
  readonly large = new Set<Account>();
  /** Those whose text nobody needs, the one that has not grown for longest first. */
  readonly offered = new Set<Account>();

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  fits(bytes: number): boolean {
    return this.bytes + bytes <= this.maxBytes;
  }

  isOldest(account: Account): boolean {
    return this.large.values().next().value === account;
  }
}

interface WaitingShare {
  readonly account: Account;
  readonly bytes: number;
  readonly grant: () => void;
}

/**
 * The memory of all answers that are being read from agents, and of their texts for those who read these meanwhile. Above it, or
 * above its part of one workspace, texts that nobody reads are dropped; then large answers wait for others to end. The
 * oldest one never does, for its workspace and in all: so they cannot wait for each other forever.
 */
export class AnswerMemory {
  readonly #all: Pool;
  readonly #maxBytesPerWorkspace: number;
  readonly #byWorkspace = new Map<string, Pool>();
  readonly #waiting = new Set<WaitingShare>();
  #isGranting = false;
  #hasFreed = false;

  /** @param limits of all, and of one workspace */
  constructor({ maxBytes = MAX_BYTES, maxBytesPerWorkspace = MAX_BYTES_PER_WORKSPACE } = {}) {
    this.#all = new Pool(maxBytes);
    this.#maxBytesPerWorkspace = maxBytesPerWorkspace;
  }

  /** The memory of an answer of this workspace. */
  open(workspaceId: string) {
    const own = this.#byWorkspace.get(workspaceId) ?? new Pool(this.#maxBytesPerWorkspace);
    this.#byWorkspace.set(workspaceId, own);
    const account: Account = { own, bytes: 0, readings: 0, reclaim: undefined };
    return {
      /** A reading begins. */
      share: () => this.#share(account),
      /** Whether there is memory for so many bytes more, without a turn as the oldest. */
      fits: (bytes: number) => account.bytes + bytes <= SMALL_ANSWER_BYTES || this.#makeRoom(account, bytes),
      /** Counts bytes of the text, negative ones when it is dropped. */
      add: (bytes: number) => this.#add(account, bytes),
      /** Nobody needs the text now: `reclaim` is called when others need its memory. Undefined: somebody does. */
      offer: (reclaim: (() => void) | undefined) => this.#offer(account, reclaim),
    };
  }

  #share(account: Account) {
    let held = 0;
    account.readings += 1;
    const add = (bytes: number) => {
      held += bytes;
      this.#add(account, bytes);
    };
    /** Adds bytes as soon as there is memory for them. Rejects with the reason of the signal. */
    const grow = async (bytes: number, signal: AbortSignal): Promise<void> => {
      signal.throwIfAborted();
      if (this.#mayGrow(account, bytes)) add(bytes);
      else await this.#wait({ account, bytes, grant: () => add(bytes) }, signal);
    };
    return {
      grow,
      /** Uses so many bytes from now on, whether there is memory or not, and resolves when more may be read. */
      hold: (bytes: number, signal: AbortSignal): Promise<void> => {
        add(bytes - held);
        return grow(0, signal);
      },
      /** Gives back everything. Call it once. */
      release: (): void => {
        account.readings -= 1;
        if (account.readings === 0) for (const pool of [account.own, this.#all]) pool.large.delete(account);
        add(-held);
        this.#grantNext();
      },
    };
  }

  #wait({ account, bytes, grant }: WaitingShare, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.delete(waiting);
        reject(signal.reason);
      };
      const onGrant = () => {
        signal.removeEventListener('abort', onAbort);
        grant();
        resolve();
      };
      const waiting = { account, bytes, grant: onGrant };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiting);
    });
  }

  #mayGrow(account: Account, bytes: number): boolean {
    if (account.bytes + bytes <= SMALL_ANSWER_BYTES) return true;
    for (const pool of [account.own, this.#all]) pool.large.add(account);
    if (this.#makeRoom(account, bytes) || this.#all.isOldest(account)) return true;
    return this.#all.fits(bytes) && account.own.isOldest(account);
  }

  /** Whether the bytes fit, after texts that nobody needs were dropped. */
  #makeRoom({ own }: Account, bytes: number): boolean {
    for (const pool of [own, this.#all]) while (!pool.fits(bytes) && this.#reclaimFirst(pool));
    return own.fits(bytes) && this.#all.fits(bytes);
  }

  #reclaimFirst({ offered }: Pool): boolean {
    const [first] = offered;
    const reclaim = first?.reclaim;
    if (first === undefined || reclaim === undefined) return false;
    this.#offer(first, undefined);
    reclaim();
    return true;
  }

  #offer(account: Account, reclaim: (() => void) | undefined): void {
    account.reclaim = reclaim;
    for (const { offered } of [account.own, this.#all]) {
      offered.delete(account);
      if (reclaim !== undefined) offered.add(account);
    }
    if (reclaim !== undefined) this.#grantNext();
  }

  #add(account: Account, bytes: number): void {
    account.bytes += bytes;
    account.own.bytes += bytes;
    this.#all.bytes += bytes;
    // Small ones are counted as well, but never wait.
    while (bytes > 0 && !this.#all.fits(0) && this.#reclaimFirst(this.#all));
    if (bytes < 0) this.#grantNext();
  }

  /** Texts that are dropped for one of them make room for others as well: not from within, which could go deep. */
  #grantNext(): void {
    this.#hasFreed = true;
    if (this.#isGranting) return;
    this.#isGranting = true;
    while (this.#hasFreed) {
      this.#hasFreed = false;
      for (const waiting of this.#waiting) {
        if (this.#mayGrow(waiting.account, waiting.bytes) && this.#waiting.delete(waiting)) waiting.grant();
      }
    }
    this.#isGranting = false;
  }
}
