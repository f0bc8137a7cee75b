import type { Logger } from '../logging/logger.ts';
import type { ClientSettings, TokenStore } from '../settings/client-settings.ts';
import { checkToken } from './token-store.ts';

export interface TokenManagerOptions {
  store: TokenStore;
  /** The configured credentials, and where they were set; the token is used first, and never written to the store. */
  given: Pick<ClientSettings, 'authToken' | 'adminToken' | 'origins'>;
  logger: Logger;
  /** What the store is, such as `the file …`. */
  storeName?: string | undefined;
  /** Called with each token before its first use, so that logs can redact it. */
  onToken: (token: string) => void;
}

/** Provides the current token, from the options, the store or a registration; re-reads the store after a 401. */
export class TokenManager {
  readonly #options: TokenManagerOptions;
  #token: string | undefined;
  #loading: Promise<void> | undefined;
  #renewing: Promise<string | undefined> | undefined;
  #isLoaded = false;

  constructor(options: TokenManagerOptions) {
    this.#options = options;
    if (options.given.authToken !== null) this.#use(options.given.authToken);
  }

  /** The token to send; `undefined` if there is none. */
  current(): string | undefined {
    return this.#token;
  }

  /** Where the tokens are stored, for people. */
  get storeName(): string {
    return this.#options.storeName ?? 'the token store';
  }

  /** Where a credential came from, for people. */
  originOf(bearer: string): string {
    const { authToken, adminToken, origins } = this.#options.given;
    if (bearer === authToken && origins.authToken) return origins.authToken;
    if (bearer === adminToken && origins.adminToken) return origins.adminToken;
    return origins.authToken
      ? `${this.storeName} (that of ${origins.authToken} was refused before)`
      : this.storeName;
  }

  /**
   * Reads the store once.
   * @throws MoleculeError `credential_storage_failed` when the store cannot be read; the next call retries.
   */
  async load(): Promise<void> {
    if (this.#isLoaded) return;
    this.#loading ??= this.#options.store.load().then((stored) => {
      if (!this.#isLoaded && stored !== undefined) this.#use(stored);
      this.#isLoaded = true;
    });
    await this.#loading.finally(() => {
      this.#loading = undefined;
    });
  }

  /** Uses a new token and stores it. The token is used even if storing fails. */
  async save(token: string): Promise<void> {
    const checked = checkToken(token);
    this.#use(checked);
    await this.#options.store.save(checked);
  }

  /**
   * Returns a token other than `rejected`, if one is in use by now or in the store, for example because another process
   * rotated it; otherwise `undefined`. Never throws.
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
        this.#options.logger.info({}, 'The platform refused the token; using a newer one from the store.');
      }
      return stored;
    } catch (error) {
      this.#options.logger.warn({ error }, 'The token store could not be read again.');
      return undefined;
    }
  }

  #use(token: string): void {
    this.#options.onToken(token);
    this.#token = token;
    this.#isLoaded = true;
  }
}
