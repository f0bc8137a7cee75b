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
    const data = { status: 'error', code, message, hint, isRetryable } satisfies MoleculeRpcErrorData;
    super(Object.defineProperty(data, CALL_ERROR, { value: error }));
    this.message = message;
    this.code = code;
    this.hint = hint;
    Object.defineProperty(this, 'cause', { value: error, enumerable: false });
  }
}

/** Marks what `getError()` returns, which is all that the filter of Nest leaves of the exception. */
const CALL_ERROR = Symbol.for('@molecule-ai/nestjs/call-error');

/** The error of core, from the content of a {@link MoleculeRpcException}: a method that failed by it is tried again, as by any other error. */
export function callErrorOf(content: unknown): MoleculeError | undefined {
  return Reflect.get(Object(content), CALL_ERROR);
}

/** Errors of core as exceptions of Nest; the others, such as the reason of an abort, as they are. */
export function toRpcException(error: unknown): unknown {
  return MoleculeError.isInstance(error) ? new MoleculeRpcException(error) : error;
}
