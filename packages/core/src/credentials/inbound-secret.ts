import type { RedactingLogger } from '../logging/redacting-logger.ts';
import type { TokenStore } from '../settings/client-settings.ts';

const MAX_LENGTH = 4_096;

interface InboundSecretOptions {
  readonly store: TokenStore;
  readonly logger: Pick<RedactingLogger, 'warn' | 'addSecret'>;
}

/**
 * Stores the secret that some platforms send as the bearer when they push to the agent. They send it with each registration
 * or heartbeat, so only a new one is written.
 */
export class InboundSecret {
  readonly #options: InboundSecretOptions;
  #latest: string | undefined;
  #storing: Promise<void> = Promise.resolve();
  #isReported = false;

  constructor(options: InboundSecretOptions) {
    this.#options = options;
  }

  /** The latest one, also of an earlier run; `undefined` when the platform has sent none. Never log it. */
  async current(): Promise<string | undefined> {
    return this.#latest ?? (await this.#options.store.loadInboundSecret?.().catch(() => undefined));
  }

  /** Resolves when `received` is stored, or cannot be; that is logged, and tried again with the next one received. */
  async keep(received: string | undefined): Promise<void> {
    const secret = received?.trim() ?? '';
    if (secret === '' || secret === this.#latest) return;
    this.#latest = secret;
    this.#options.logger.addSecret(secret);
    this.#storing = this.#storing.then(() => this.#store(secret));
    await this.#storing;
  }

  async #store(secret: string): Promise<void> {
    if (secret !== this.#latest) return;
    const { store, logger } = this.#options;
    try {
      if (secret.length > MAX_LENGTH)
        throw new RangeError(`The secret has more than ${MAX_LENGTH} characters.`);
      if ((await store.loadInboundSecret?.().catch(() => undefined)) === secret) return;
      await store.saveInboundSecret?.(secret);
      this.#isReported = false;
    } catch (error) {
      this.#latest = undefined;
      if (!this.#isReported)
        logger.warn({ error }, 'The secret for pushes of the platform could not be stored.');
      this.#isReported = true;
    }
  }
}
