const MIB = 1024 * 1024;
const MAX_BYTES = 128 * MIB;
/** What the answers of one workspace may use together, so that they do not keep those of others from being read. */
const MAX_BYTES_PER_WORKSPACE = 32 * MIB;
/** An answer up to this size is read in any case. */
export const SMALL_ANSWER_BYTES = 64 * 1024;

/** The memory of one answer. */
export interface AnswerShare {
  /** Adds bytes if there is memory for them now. */
  tryGrow(bytes: number): boolean;
  /** Adds bytes as soon as there is memory for them. Rejects with the reason of the signal. */
  grow(bytes: number, signal: AbortSignal): Promise<void>;
  /** Gives back everything. Idempotent. */
  release(): void;
}

interface Reading {
  readonly workspaceId: string;
  bytes: number;
}

interface WorkspaceUse {
  bytes: number;
  /** Its answers that are not small, the oldest first. */
  readonly large: Set<Reading>;
}

/**
 * The memory of all answers that are being read from agents. Above it, or above its part of one workspace, large ones wait
 * for others to end. The oldest one never does, for its workspace and in all: so they cannot wait for each other forever.
 */
export class AnswerMemory {
  readonly #byWorkspace = new Map<string, WorkspaceUse>();
  /** The oldest first. */
  readonly #large = new Set<Reading>();
  readonly #waiting = new Map<Reading, { readonly bytes: number; readonly grant: () => void }>();
  #used = 0;

  open(workspaceId: string): AnswerShare {
    const reading: Reading = { workspaceId, bytes: 0 };
    return {
      tryGrow: (bytes) => this.#tryGrow(reading, bytes),
      grow: (bytes, signal) => this.#grow(reading, bytes, signal),
      release: () => this.#release(reading),
    };
  }

  #tryGrow(reading: Reading, bytes: number): boolean {
    const own = this.#byWorkspace.get(reading.workspaceId) ?? { bytes: 0, large: new Set() };
    if (reading.bytes + bytes > SMALL_ANSWER_BYTES) {
      this.#byWorkspace.set(reading.workspaceId, own);
      this.#large.add(reading);
      own.large.add(reading);
      if (!this.#mayGrow(reading, bytes, own)) return false;
    }
    this.#byWorkspace.set(reading.workspaceId, own);
    reading.bytes += bytes;
    own.bytes += bytes;
    this.#used += bytes;
    return true;
  }

  #mayGrow(reading: Reading, bytes: number, own: WorkspaceUse): boolean {
    if (isFirst(this.#large, reading)) return true;
    if (this.#used + bytes > MAX_BYTES) return false;
    return own.bytes + bytes <= MAX_BYTES_PER_WORKSPACE || isFirst(own.large, reading);
  }

  async #grow(reading: Reading, bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#tryGrow(reading, bytes)) return;
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.delete(reading);
        reject(signal.reason);
      };
      const grant = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.set(reading, { bytes, grant });
    });
  }

  #release(reading: Reading): void {
    const own = this.#byWorkspace.get(reading.workspaceId);
    if (own === undefined) return;
    this.#used -= reading.bytes;
    own.bytes -= reading.bytes;
    reading.bytes = 0;
    own.large.delete(reading);
    const wasLarge = this.#large.delete(reading);
    if (own.bytes === 0 && own.large.size === 0) this.#byWorkspace.delete(reading.workspaceId);
    if (wasLarge || this.#used < MAX_BYTES) this.#grantNext();
  }

  #grantNext(): void {
    for (const [reading, { bytes, grant }] of this.#waiting) {
      if (!this.#tryGrow(reading, bytes)) continue;
      this.#waiting.delete(reading);
      grant();
    }
  }
}

function isFirst(readings: ReadonlySet<Reading>, reading: Reading): boolean {
  const [first] = readings;
  return first === reading;
}
