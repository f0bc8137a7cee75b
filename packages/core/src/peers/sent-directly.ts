import { isJsonObject } from '@molecule-ai/protocol';
import type { ClientSettings } from '../settings/client-settings.ts';
import { LatestMap } from '../storage/latest-map.ts';
import { StoredState } from '../storage/stored-state.ts';

/** The messages that were sent last. */
const CAPACITY = 1_000;

/**
 * Which messages went directly to which peer and had not ended when the call returned, also over restarts: the platform does not know them, so
 * only this workspace can tell whether a message of a peer answers one.
 */
export class SentDirectly {
  /** The peer, in lower case, by the id of the message. */
  readonly #peers = new LatestMap<string>(CAPACITY);
  readonly #stored: StoredState;

  constructor({ stateDirectory, logger }: Pick<ClientSettings, 'stateDirectory' | 'logger'>) {
    this.#stored = new StoredState({
      directory: stateDirectory,
      file: 'sent-directly.json',
      logger,
      restore: (stored) => {
        for (const [messageId, peerId] of Object.entries(isJsonObject(stored) ? stored : {})) {
          if (typeof peerId === 'string' && !this.#peers.has(messageId)) this.#peers.set(messageId, peerId);
        }
      },
      snapshot: () => Object.fromEntries(this.#peers),
      whenLost: 'answers to messages that went directly to a peer count as new messages.',
    });
  }

  /** Before the first {@link has}. */
  load(): Promise<void> {
    return this.#stored.load();
  }

  add(messageId: string, peerId: string): void {
    this.#peers.set(messageId, peerId.toLowerCase());
    // What was stored before is read first, so that it is kept.
    void this.#stored.load().then(() => this.#stored.changed());
  }

  has(messageId: string, peerId: string): boolean {
    return this.#peers.get(messageId) === peerId.toLowerCase();
  }

  /** Resolves when what was added is stored. */
  async close(): Promise<void> {
    if (this.#peers.size === 0) return;
    await this.#stored.load();
    await this.#stored.written();
  }
}

/** Whether a message with this id went from here to this peer. */
export type HasSent = (messageId: string, peerId: string) => boolean;

/** Parses messages; once more with what was sent, if one of them claims to answer a message. Others wait for no file. */
export async function parseClaims<Parsed>(
  parse: (hasSent: HasSent) => Parsed,
  sentMessages: () => Promise<HasSent>,
): Promise<Parsed> {
  let isClaimed = false;
  const parsed = parse(() => {
    isClaimed = true;
    return false;
  });
  return isClaimed ? parse(await sentMessages()) : parsed;
}
