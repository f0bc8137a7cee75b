import { checkToken } from './checked-token.ts';
import type { TokenStore, TokenStoreOptions } from './token-store.ts';

/** A {@link TokenStore} that forgets with the process. */
export class MemoryTokenStore implements TokenStore {
  #token: string | undefined;

  constructor(token?: string) {
    if (token !== undefined) this.#token = checkToken(token);
  }

  async load(options?: TokenStoreOptions): Promise<string | undefined> {
    options?.signal?.throwIfAborted();
    return this.#token;
  }

  async save(token: string, options?: TokenStoreOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    this.#token = checkToken(token);
  }

  async clear(options?: TokenStoreOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    this.#token = undefined;
  }
}
