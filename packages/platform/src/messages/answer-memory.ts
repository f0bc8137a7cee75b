const MIB = 1024 * 1024;
const MAX_BYTES = 128 * MIB;
/** What the answers of one workspace may use together, so that they do not keep those of others from being read. */
const MAX_BYTES_PER_WORKSPACE = 32 * MIB;
/** An answer up to this size is read in any case. */
export const SMALL_ANSWER_BYTES = 64 * 1024;

/** The memory of one reading of an answer: of its body, or of what is collected from its events. */
export interface AnswerShare {
  /** Adds bytes if there is memory for them now. */
  tryGrow(bytes: number): boolean;
  /** Adds bytes as soon as there is memory for them. Rejects with the reason of the signal. */
  grow(bytes: number, signal: AbortSignal): Promise<void>;
  /** Counts what has been read, whether there is memory or not: wait with `grow(0)` before more is read. */
  resize(bytes: number): void;
  /** Gives back everything. Idempotent. */
  release(): void;
}

/** The memory of one answer: of what is read of it, and of its text for readers. One, so that it never waits for itself. */
export interface AnswerAccount {
  /** A reading begins. */
  share(): AnswerShare;
  /** Whether there is memory for so many bytes more, without a turn as the oldest. */
  fits(bytes: number): boolean;
  /** Counts bytes of the text, negative ones when it is dropped. */
  add(bytes: number): void;
  /** Nobody needs the text now: `reclaim` is called when others need its memory. Undefined: somebody does. */
  offer(reclaim: (() => void) | undefined): void;
}

interface WorkspaceUse {
  bytes: number;
  /** Its answers that are not small and being read, the oldest first. */
  readonly large: Set<Account>;
  /** Those whose text nobody needs, the one that has not grown for longest first. */
  readonly offered: Set<Account>;
}

interface WaitingShare {
  readonly account: Account;
  readonly bytes: number;
  readonly grant: () => void;
}

export interface AnswerMemoryLimits {
  /** @default 128 MiB */
  readonly maxBytes?: number;
  /** @default 32 MiB */
  readonly maxBytesPerWorkspace?: number;
}

/**
 * The memory of all answers that are being read from agents, and of their texts for those who read these meanwhile. Above it, or
 * above its part of one workspace, texts that nobody reads are dropped; then large answers wait for others to end. The
 * oldest one never does, for its workspace and in all: so they cannot wait for each other forever.
 */
export class AnswerMemory {
  readonly #maxBytes: number;
  readonly #maxBytesPerWorkspace: number;
  readonly #byWorkspace = new Map<string, WorkspaceUse>();
  /** The oldest first. */
  readonly #large = new Set<Account>();
  /** The one that has not grown for longest first. */
  readonly #offered = new Set<Account>();
  readonly #waiting = new Set<WaitingShare>();
  #used = 0;
  #isGranting = false;
  #hasFreed = false;

  constructor({
    maxBytes = MAX_BYTES,
    maxBytesPerWorkspace = MAX_BYTES_PER_WORKSPACE,
  }: AnswerMemoryLimits = {}) {
    this.#maxBytes = maxBytes;
    this.#maxBytesPerWorkspace = maxBytesPerWorkspace;
  }

  /** The memory of an answer of this workspace. */
  open(workspaceId: string): AnswerAccount {
    const account: Account = { workspaceId, bytes: 0, readings: 0, reclaim: undefined };
    return {
      share: () => this.#share(account),
      fits: (bytes) => account.bytes + bytes <= SMALL_ANSWER_BYTES || this.#makeRoom(account, bytes),
      add: (bytes) => this.#add(account, bytes),
      offer: (reclaim) => this.#offer(account, reclaim),
    };
  }

  #share(account: Account): AnswerShare {
    let held = 0;
    let isOpen = true;
    account.readings += 1;
    const add = (bytes: number) => {
      held += bytes;
      this.#add(account, bytes);
    };
    const tryGrow = (bytes: number) => {
      if (!this.#mayGrow(account, bytes)) return false;
      add(bytes);
      return true;
    };
    return {
      tryGrow,
      grow: async (bytes, signal) => {
        signal.throwIfAborted();
        if (!tryGrow(bytes)) await this.#wait({ account, bytes, grant: () => add(bytes) }, signal);
      },
      resize: (bytes) => {
        if (isOpen) add(bytes - held);
      },
      release: () => {
        if (!isOpen) return;
        isOpen = false;
        account.readings -= 1;
        if (account.readings === 0) this.#forgetLarge(account);
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
      const waiting: WaitingShare = {
        account,
        bytes,
        grant: () => {
          signal.removeEventListener('abort', onAbort);
          grant();
          resolve();
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiting);
    });
  }

  #mayGrow(account: Account, bytes: number): boolean {
    if (account.bytes + bytes <= SMALL_ANSWER_BYTES) return true;
    const own = this.#useOf(account);
    this.#large.add(account);
    own.large.add(account);
    if (this.#makeRoom(account, bytes) || isFirst(this.#large, account)) return true;
    return this.#used + bytes <= this.#maxBytes && isFirst(own.large, account);
  }

  /** Whether the bytes fit, after texts that nobody needs were dropped. */
  #makeRoom(account: Account, bytes: number): boolean {
    const { offered } = this.#useOf(account);
    const isOwnFull = () => this.#useOf(account).bytes + bytes > this.#maxBytesPerWorkspace;
    while (isOwnFull() && this.#reclaimFirst(offered));
    while (this.#used + bytes > this.#maxBytes && this.#reclaimFirst(this.#offered));
    return !isOwnFull() && this.#used + bytes <= this.#maxBytes;
  }

  #reclaimFirst(offered: ReadonlySet<Account>): boolean {
    const [first] = offered;
    const reclaim = first?.reclaim;
    if (first === undefined || reclaim === undefined) return false;
    this.#offer(first, undefined);
    reclaim();
    return true;
  }

  #offer(account: Account, reclaim: (() => void) | undefined): void {
    const own = this.#useOf(account);
    account.reclaim = reclaim;
    for (const offered of [own.offered, this.#offered]) {
      offered.delete(account);
      if (reclaim !== undefined) offered.add(account);
    }
    this.#tidy(account, own);
    if (reclaim !== undefined) this.#grantNext();
  }

  #add(account: Account, bytes: number): void {
    const own = this.#useOf(account);
    account.bytes += bytes;
    own.bytes += bytes;
    this.#used += bytes;
    this.#tidy(account, own);
    // Small ones are counted as well, but never wait.
    while (bytes > 0 && this.#used > this.#maxBytes && this.#reclaimFirst(this.#offered));
    if (bytes < 0) this.#grantNext();
  }

  #forgetLarge(account: Account): void {
    this.#large.delete(account);
    this.#useOf(account).large.delete(account);
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

  #useOf({ workspaceId }: Account): WorkspaceUse {
    const known = this.#byWorkspace.get(workspaceId);
    if (known !== undefined) return known;
    const own = { bytes: 0, large: new Set<Account>(), offered: new Set<Account>() };
    this.#byWorkspace.set(workspaceId, own);
    return own;
  }

  #tidy({ workspaceId }: Account, { bytes, large, offered }: WorkspaceUse): void {
    if (bytes === 0 && large.size === 0 && offered.size === 0) this.#byWorkspace.delete(workspaceId);
  }
}

interface Account {
  readonly workspaceId: string;
  bytes: number;
  readings: number;
  reclaim: (() => void) | undefined;
}

function isFirst(accounts: ReadonlySet<Account>, account: Account): boolean {
  const [first] = accounts;
  return first === account;
}
