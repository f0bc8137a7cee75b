import { MoleculeError } from '../errors/molecule-error.ts';
import { readReply } from '../peers/peer-reply.ts';
import { LatestMap } from '../storage/latest-map.ts';
import { processState } from '../storage/process-state.ts';
import { linkAbort, withDeadline } from '../time/linked-abort.ts';
import type { Transport } from '../transport/transport.ts';
import { type CanceledMessage, isUnknownMessage, sendCancel } from './cancellation.ts';
import { readMessageState } from './message-state.ts';

const CANCEL_MS = 5_000;
const CLOSE_MS = 1_000;
const MAX_PENDING = 100;
/** Pauses while the platform does not know the message: its request may still be on the way. */
const RETRY_DELAYS_MS = [250, 500, 1_000, 2_000];

type Closable = Pick<Transport, 'close'>;

/**
 * Cancels the messages of calls that their callers aborted: in the background, each for at most five seconds. Failures
 * are logged at level debug only, because nobody waits for the result.
 */
export class AbandonedCalls {
  readonly #transport: Transport;
  readonly #peers: Closable | undefined;
  readonly #life = linkAbort();
  readonly #pending = new Set<Promise<unknown>>();

  /** @param peers what cancellations use besides `transport` */
  constructor(transport: Transport, peers?: Closable) {
    this.#transport = transport;
    this.#peers = peers;
  }

  /** Aborts with `client_closed`. */
  get closed(): AbortSignal {
    return this.#life.signal;
  }

  /** Cancels the message if the platform offers it. Never throws. */
  cancel(message: CanceledMessage): void {
    this.run(message.messageId, (signal) => this.#cancel(message, signal));
  }

  /** Runs another way to cancel a message, which resolves with its task where it is known. Never throws. */
  run(messageId: string, cancel: (signal: AbortSignal) => Promise<unknown>): void {
    if (this.#life.signal.aborted || this.#pending.size >= MAX_PENDING) return;
    const { clock, logger } = this.#transport.settings;
    const limits = { clock, timeoutMs: CANCEL_MS, what: 'Cancelling', signal: this.#life.signal };
    const work = withDeadline(limits, cancel)
      .then((task) => {
        // It may have ended otherwise just before.
        if (isCanceled(task, messageId)) rememberCanceled(messageId);
      })
      .catch((error: unknown) => {
        logger.debug({ error, messageId }, 'The message of an aborted call was not canceled.');
      })
      .finally(() => this.#pending.delete(work));
    this.#pending.add(work);
  }

  /**
   * Closes the connections, after up to a second for the cancellations in progress: an abort just before the end of a
   * process counts as well.
   */
  async close(): Promise<void> {
    if (this.#pending.size > 0) {
      using limit = linkAbort();
      const { clock } = this.#transport.settings;
      const time = clock.sleep(CLOSE_MS, { signal: limit.signal }).catch(() => {});
      await Promise.race([time, Promise.all(this.#pending)]);
      limit.abort();
    }
    this.#life.abort(new MoleculeError('The client was closed.', { code: 'client_closed' }));
    await Promise.all([this.#transport.close(), this.#peers?.close()]);
  }

  async #cancel(message: CanceledMessage, signal: AbortSignal): Promise<unknown> {
    for (const delayMs of [...RETRY_DELAYS_MS, null]) {
      try {
        if (!(await this.#isOffered(message, signal))) return undefined;
        return (await sendCancel(this.#transport, message, { signal })).body;
      } catch (error) {
        if (!isUnknownMessage(error) || delayMs === null) throw error;
        await this.#transport.settings.clock.sleep(delayMs, { signal });
      }
    }
    return undefined;
  }

  /** A platform that has not responded to this client yet names its capabilities in the response to a read. */
  async #isOffered({ workspaceId, messageId }: CanceledMessage, signal: AbortSignal): Promise<boolean> {
    const { capabilities } = this.#transport;
    if (!capabilities.isKnown) {
      const reading = { lane: 'receiving', signal } as const;
      await readMessageState(this.#transport, workspaceId, messageId, reading).catch((error: unknown) => {
        if (!capabilities.isKnown) throw error;
      });
    }
    return capabilities.words.has('cancel');
  }
}

function isCanceled(task: unknown, messageId: string): boolean {
  const facts = { peerId: '', messageId, isWrapped: true, hasNamedState: true };
  return task !== undefined && task !== null && readReply(task, facts).status === 'canceled';
}

const MAX_CANCELED = 10_000;

/** Remembers a message that ended as canceled because its caller had aborted: the latest 10 000, until the process ends. */
export function rememberCanceled(messageId: string): void {
  canceled().set(messageId, true);
}

/** Whether this process has canceled the message, so that it never has an answer. */
export function wasCanceled(messageId: string): boolean {
  return canceled().has(messageId);
}

function canceled(): LatestMap<true> {
  return processState('canceled-calls', () => new LatestMap<true>(MAX_CANCELED));
}
