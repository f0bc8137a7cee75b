import type { PlatformContext } from '../context.ts';
import { HttpError } from '../http/http-error.ts';

const MAX_BYTES = 64 * 1024 * 1024;
/** What the reads of one workspace may use together, so that its slow readers do not keep others from reading. */
const MAX_BYTES_PER_WORKSPACE = 24 * 1024 * 1024;
const MAX_WAIT_MS = 10_000;
const MAX_WAITING = 10_000;

/** Memory that one read uses. */
export interface MemoryShare {
  /** Gives back what is above `bytes`. */
  shrink(bytes: number): void;
  /** Gives back everything. Idempotent. */
  release(): void;
}

interface WaitingRead {
  readonly workspaceId: string;
  readonly bytes: number;
  readonly grant: (share: MemoryShare) => void;
}

/**
 * The memory of all pages that are being built or sent. A read that would exceed it waits for its turn, in the order of
 * arrival; a workspace with many large reads waits for itself only.
 */
export class PageMemory {
  readonly #clock: PlatformContext['clock'];
  readonly #byWorkspace = new Map<string, number>();
  readonly #waiting = new Set<WaitingRead>();
  #used = 0;

  constructor({ clock }: Pick<PlatformContext, 'clock'>) {
    this.#clock = clock;
  }

  /** @throws HttpError 503 `platform_unavailable` when there is none for 10 s. */
  async reserve(workspaceId: string, wanted: number): Promise<MemoryShare> {
    const bytes = Math.min(wanted, MAX_BYTES);
    if (this.#waiting.size === 0 && this.#fits(workspaceId, bytes)) return this.#take(workspaceId, bytes);
    if (this.#waiting.size >= MAX_WAITING) throw tooManyReads();
    return new Promise((resolve, reject) => {
      const read: WaitingRead = {
        workspaceId,
        bytes,
        grant: (share) => {
          cancelTimer();
          resolve(share);
        },
      };
      const cancelTimer = this.#clock.schedule(MAX_WAIT_MS, () => {
        this.#waiting.delete(read);
        reject(tooManyReads());
        // It may have been what others waited behind.
        this.#grantNext();
      });
      this.#waiting.add(read);
      this.#grantNext();
    });
  }

  #fits(workspaceId: string, bytes: number): boolean {
    const own = this.#byWorkspace.get(workspaceId) ?? 0;
    return this.#used + bytes <= MAX_BYTES && (own === 0 || own + bytes <= MAX_BYTES_PER_WORKSPACE);
  }

  #grantNext(): void {
    for (const read of this.#waiting) {
      if (this.#used + read.bytes > MAX_BYTES) return;
      if (!this.#fits(read.workspaceId, read.bytes)) continue;
      this.#waiting.delete(read);
      read.grant(this.#take(read.workspaceId, read.bytes));
    }
  }

  #take(workspaceId: string, bytes: number): MemoryShare {
    let held = bytes;
    this.#add(workspaceId, bytes);
    const shrink = (to: number) => {
      if (to >= held) return;
      this.#add(workspaceId, to - held);
      held = to;
      this.#grantNext();
    };
    return { shrink, release: () => shrink(0) };
  }

  #add(workspaceId: string, bytes: number): void {
    this.#used += bytes;
    const own = (this.#byWorkspace.get(workspaceId) ?? 0) + bytes;
    if (own === 0) this.#byWorkspace.delete(workspaceId);
    else this.#byWorkspace.set(workspaceId, own);
  }
}

function tooManyReads(): HttpError {
  return new HttpError(503, 'platform_unavailable', 'too many large pages are being read', {
    extras: { retry_after: 2, hint: 'Read again shortly, or with a smaller limit.' },
    headers: { 'retry-after': '2' },
  });
}
