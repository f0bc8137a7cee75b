import { MoleculeError } from '../errors/molecule-error.ts';

const TOKEN = /^[\x21-\x7e]+$/;

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

/** The token without surrounding white space; one that cannot stand in a header is refused. Never shows it. */
export function checkToken(token: unknown): string {
  const text = typeof token === 'string' ? token.trim() : '';
  if (text === '') {
    throw new MoleculeError('A token must be a text that is not blank.', { code: 'invalid_argument' });
  }
  if (!TOKEN.test(text)) {
    throw new MoleculeError('A token must be printable ASCII without white space.', {
      code: 'invalid_argument',
    });
  }
  return text;
}

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
