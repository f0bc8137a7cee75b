import { MoleculeError } from '../errors/molecule-error.ts';

const TOKEN = /^[\x21-\x7e]+$/;
/** Servers refuse requests with larger headers. */
const MAX_TOKEN_LENGTH = 4_096;

export interface TokenStoreOptions {
  signal?: AbortSignal | undefined;
}

/** Stores the workspace token between runs. */
export interface TokenStore {
  /** Returns the stored token, or `undefined` if there is none. */
  load(options?: TokenStoreOptions): Promise<string | undefined>;
  /** Replaces the stored token atomically. */
  save(token: string, options?: TokenStoreOptions): Promise<void>;
  /** Deletes the stored token, if there is one. */
  clear(options?: TokenStoreOptions): Promise<void>;
  /**
   * Returns the secret that some platforms send as the bearer when they push to the agent, or `undefined` if there is none.
   * A store without this method and {@link saveInboundSecret} does not keep it.
   */
  loadInboundSecret?(options?: TokenStoreOptions): Promise<string | undefined>;
  /** Replaces this secret atomically. */
  saveInboundSecret?(secret: string, options?: TokenStoreOptions): Promise<void>;
}

/**
 * Trims and validates a token. The error does not contain it.
 * @throws MoleculeError `invalid_argument` when it cannot be used in a header.
 */
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
  if (text.length > MAX_TOKEN_LENGTH) {
    throw new MoleculeError(`A token must have at most ${MAX_TOKEN_LENGTH} characters.`, {
      code: 'invalid_argument',
    });
  }
  return text;
}

/** Keeps the token, and the secret for pushes, in memory only. */
export class MemoryTokenStore implements TokenStore {
  #token: string | undefined;
  #inboundSecret: string | undefined;

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

  async loadInboundSecret(options?: TokenStoreOptions): Promise<string | undefined> {
    options?.signal?.throwIfAborted();
    return this.#inboundSecret;
  }

  async saveInboundSecret(secret: string, options?: TokenStoreOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    this.#inboundSecret = checkToken(secret);
  }
}
