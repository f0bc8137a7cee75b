import { dirname, join } from 'node:path';
import { invalidArgument, MoleculeError } from '../errors/molecule-error.ts';
import type { Logger } from '../logging/logger.ts';
import type { TokenStore } from '../settings/client-settings.ts';
import {
  describe,
  given,
  number,
  type OptionsOf,
  option,
  optionsSchema,
  parseOptions,
  type SettingsOf,
} from '../settings/options.ts';
import { withFileLock } from '../storage/file-lock.ts';
import {
  readPrivateFile,
  removeAbandonedTemporaries,
  storageError,
  writePrivateFile,
} from '../storage/private-file.ts';
import { systemClock } from '../time/clock.ts';

const TOKEN = /^[\x21-\x7e]+$/;
/** Servers refuse requests with larger headers. */
const MAX_TOKEN_LENGTH = 4_096;

/**
 * Trims and validates a token. The error does not contain it.
 * @throws MoleculeError `invalid_argument` when it cannot be used in a header.
 */
export function checkToken(token: unknown): string {
  const text = typeof token === 'string' ? token.trim() : '';
  if (text === '') throw invalidArgument('A token must be a text that is not blank.');
  if (!TOKEN.test(text)) throw invalidArgument('A token must be printable ASCII without white space.');
  if (text.length <= MAX_TOKEN_LENGTH) return text;
  throw invalidArgument(`A token must have at most ${MAX_TOKEN_LENGTH} characters.`);
}

/** Keeps the token, and the secret for pushes, in memory only. */
export class MemoryTokenStore implements TokenStore {
  #token: string | undefined;
  #inboundSecret: string | undefined;

  constructor(token?: string) {
    if (token !== undefined) this.#token = checkToken(token);
  }

  async load(): Promise<string | undefined> {
    return this.#token;
  }

  async save(token: string): Promise<void> {
    this.#token = checkToken(token);
  }

  async loadInboundSecret(): Promise<string | undefined> {
    return this.#inboundSecret;
  }

  async saveInboundSecret(secret: string): Promise<void> {
    this.#inboundSecret = checkToken(secret);
  }
}

const FILE_NAME = '.auth_token';
const INBOUND_SECRET_NAME = '.platform_inbound_secret';
const MAX_TOKEN_BYTES = 16 * 1024;

class FileTokenStoreShape {
  /** Folder of the token file; created with mode 0700 if missing. */
  directory = option<string>((value, refuse) =>
    typeof value === 'string' ? value : refuse(`must be a path, got ${describe(value)}`),
  );
  logger = given<Logger>();
  /** How long a save waits for the lock, in milliseconds. @default 2_000 */
  lockTimeoutMs = number({ min: 0, byDefault: undefined });
}

export interface FileTokenStoreOptions extends OptionsOf<FileTokenStoreShape> {
  directory: string;
}

const FILE_STORE = optionsSchema(new FileTokenStoreShape());

/**
 * Stores the token in `<directory>/.auth_token`, like the Python SDK, and the secret for pushes in
 * `.platform_inbound_secret`, both with mode 0600. A save replaces the file atomically, so a crash leaves the old one.
 * Symbolic links are refused.
 */
export class FileTokenStore implements TokenStore {
  /** The token file. */
  readonly path: string;
  readonly #options: SettingsOf<FileTokenStoreShape>;

  constructor(options: FileTokenStoreOptions) {
    this.#options = parseOptions('FileTokenStore', FILE_STORE, options);
    this.path = join(this.#options.directory, FILE_NAME);
  }

  /** @throws MoleculeError `credential_storage_failed` when the file exists and cannot be read. */
  load(): Promise<string | undefined> {
    return this.#read(this.path);
  }

  /** @throws MoleculeError `credential_storage_failed`, or `lock_timeout` when another process holds the lock. */
  save(token: string): Promise<void> {
    return this.#write(this.path, token);
  }

  /** @throws MoleculeError `credential_storage_failed` when the file exists and cannot be read. */
  loadInboundSecret(): Promise<string | undefined> {
    return this.#read(this.#inboundSecretPath);
  }

  /** @throws MoleculeError `credential_storage_failed`, or `lock_timeout` when another process holds the lock. */
  saveInboundSecret(secret: string): Promise<void> {
    return this.#write(this.#inboundSecretPath, secret);
  }

  get #inboundSecretPath(): string {
    return join(this.#options.directory, INBOUND_SECRET_NAME);
  }

  async #read(path: string): Promise<string | undefined> {
    const { logger } = this.#options;
    const text = await readPrivateFile(path, { maxBytes: MAX_TOKEN_BYTES, logger }).catch(
      throwCredentialError,
    );
    const token = text?.trim() ?? '';
    if (token === '') return undefined;
    try {
      return checkToken(token);
    } catch (cause) {
      throwCredentialError(storageError('No valid token in the file', path, cause));
    }
  }

  async #write(path: string, token: string): Promise<void> {
    const text = checkToken(token);
    const write = async (): Promise<void> => {
      await removeAbandonedTemporaries(dirname(path));
      await writePrivateFile(path, `${text}\n`);
    };
    const lock = { timeoutMs: this.#options.lockTimeoutMs, clock: systemClock };
    await withFileLock(`${this.path}.lock`, write, lock).catch(throwCredentialError);
  }
}

/** Rethrows a storage error with the code for credential files. */
function throwCredentialError(error: unknown): never {
  if (!MoleculeError.isInstance(error) || error.code !== 'storage_failed') throw error;
  const { message, hint, cause } = error;
  throw new MoleculeError(message, { code: 'credential_storage_failed', hint, cause });
}
