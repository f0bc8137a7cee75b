import type { Logger } from '../logging/logger.ts';
import { checkToken, type TokenStore } from './token-store.ts';

/** Options of a {@link TokenKeeper}. */
export interface TokenKeeperOptions {
  store: TokenStore;
  /** A token given by the user: used first, never stored by itself. */
  given: string | null;
  logger: Logger;
  /** Called with each token before it is used, so that logs can leave it out. */
  onToken?: ((token: string) => void) | undefined;
}

/** The token in use: from the user, from the store, from a registration; re-read when the platform refuses it. */
export class TokenKeeper {
  readonly #options: TokenKeeperOptions;
  #token: string | undefined;
  #loading: Promise<void> | undefined;
  #renewing: Promise<string | undefined> | undefined;
  #isLoaded = false;

  constructor(options: TokenKeeperOptions) {
    this.#options = options;
    if (options.given !== null) this.#use(options.given);
  }

  /** Whether {@link load} still has to be awaited. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** The token to send now. */
  current(): string | undefined {
    return this.#token;
  }

  /**
   * Reads the store, once.
   * @throws MoleculeError `credential_storage_failed` when the store cannot be read; a later call tries again.
   */
  async load(): Promise<void> {
    if (this.#isLoaded) return;
    this.#loading ??= this.#options.store.load().then((stored) => {
      if (!this.#isLoaded && stored !== undefined) this.#use(stored);
      this.#isLoaded = true;
    });
    try {
      await this.#loading;
    } finally {
      this.#loading = undefined;
    }
  }

  /** Takes a new token into use and stores it. It is in use even when storing fails. */
  async save(token: string): Promise<void> {
    const checked = checkToken(token);
    this.#use(checked);
    await this.#options.store.save(checked);
  }

  /**
   * After the platform refused `rejected`: another token when one is in use by now or in the store, for example
   * because another process rotated it; otherwise `undefined`. Never throws.
   */
  async renew(rejected: string | undefined): Promise<string | undefined> {
    if (this.#token !== rejected) return this.#token;
    this.#renewing ??= this.#reread().finally(() => {
      this.#renewing = undefined;
    });
    const stored = await this.#renewing;
    return stored === rejected ? undefined : stored;
  }

  async #reread(): Promise<string | undefined> {
    try {
      const stored = await this.#options.store.load();
      if (stored !== undefined && stored !== this.#token) {
        this.#use(stored);
        this.#options.logger.info({}, 'The platform refused the token; a newer one was found in the store.');
      }
      return stored;
    } catch (error) {
      this.#options.logger.warn({ error }, 'The token store could not be read again.');
      return undefined;
    }
  }

  #use(token: string): void {
    this.#options.onToken?.(token);
    this.#token = token;
    this.#isLoaded = true;
  }
}
