/** Why a platform could not start although its options are valid. */
export type PlatformStartErrorCode =
  /** Another process listens on the port. */
  | 'port_in_use'
  /** The host is unknown, not an address of this machine, or not permitted. */
  | 'address_unusable'
  /** Another platform uses the data folder. */
  | 'data_folder_in_use'
  /** The data folder cannot be created or written, or its disk is full. */
  | 'data_folder_unusable'
  /** The stored data was written by a version of the platform that this one cannot read. */
  | 'data_incompatible'
  /** The database is damaged, or the file is none. */
  | 'data_damaged';

/** Thrown by `createPlatform` for a problem of the machine; everything opened so far has been closed again. */
export class PlatformStartError extends Error {
  override readonly name = 'PlatformStartError';
  readonly code: PlatformStartErrorCode;
  /** How to solve the problem, in one sentence. */
  readonly hint: string;

  constructor(
    code: PlatformStartErrorCode,
    message: string,
    { hint, cause }: { hint: string; cause?: unknown },
  ) {
    super(message, { cause });
    this.code = code;
    this.hint = hint;
  }
}
