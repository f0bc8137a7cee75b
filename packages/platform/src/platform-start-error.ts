/** Why a platform could not start although its options were fine. */
export type PlatformStartErrorCode =
  /** Something else listens on the port. */
  | 'port_in_use'
  /** The address cannot be listened on: not ours, or not permitted. */
  | 'address_unusable'
  /** Another platform runs on the same data folder. */
  | 'data_folder_in_use'
  /** The data folder cannot be made or written. */
  | 'data_folder_unusable'
  /** The stored data was written by a version of the platform that this one cannot read. */
  | 'data_incompatible';

/** Thrown by `createPlatform` when the machine is in the way; everything opened so far has been closed again. */
export class PlatformStartError extends Error {
  override readonly name = 'PlatformStartError';
  readonly code: PlatformStartErrorCode;
  /** What to do about it, in one sentence. */
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
