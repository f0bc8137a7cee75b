import { MoleculeError } from '@molecule-ai/core';
import { RpcException } from '@nestjs/microservices';

/** What `getError()` returns: words of ours only. */
export interface MoleculeRpcErrorData {
  readonly status: 'error';
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly isRetryable: boolean;
}

/** An error of a call to a peer, as an `RpcException`; `cause` is the error itself, of a peer that failed a `PeerReplyError`. */
export class MoleculeRpcException extends RpcException {
  readonly code: string;
  readonly hint: string | undefined;
  override readonly cause: unknown;

  constructor(error: MoleculeError) {
    const { code, message, hint, isRetryable } = error;
    super({ status: 'error', code, message, hint, isRetryable } satisfies MoleculeRpcErrorData);
    this.message = message;
    this.code = code;
    this.hint = hint;
    Object.defineProperty(this, 'cause', { value: error, enumerable: false });
  }
}

/** Errors of core as exceptions of Nest; the others, such as the reason of an abort, as they are. */
export function toRpcException(error: unknown): unknown {
  return MoleculeError.isInstance(error) ? new MoleculeRpcException(error) : error;
}
