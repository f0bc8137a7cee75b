/** Options of a {@link TokenStore} call. */
export interface TokenStoreOptions {
  signal?: AbortSignal | undefined;
}

/** Where the workspace token is kept between runs. */
export interface TokenStore {
  /** The stored token, or `undefined` when there is none. */
  load(options?: TokenStoreOptions): Promise<string | undefined>;
  /** Replaces the stored token as a whole or leaves the old one as it was. */
  save(token: string, options?: TokenStoreOptions): Promise<void>;
  /** Forgets the stored token; nothing to forget is fine. */
  clear(options?: TokenStoreOptions): Promise<void>;
}
