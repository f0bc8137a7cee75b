import { MoleculeError, type PeerClient, type PeerReply, type PeerReplyStatus } from '@molecule-ai/core';
import type { PeerCall } from '@molecule-ai/core/adapter-kit';
import { APICallError } from 'ai';

/** `data` of an `APICallError`, as plain JSON. */
export type PeerModelErrorData = {
  /** `error` when the call itself failed, else what became of the message. */
  status: PeerReplyStatus | 'error';
  /** Of a message that failed, the agent may have chosen it. */
  code: string | null;
  /** What to do about it. */
  hint: string | null;
  messageId: string;
  contextId: string;
};

/** The error for a message that has ended, or has not in time, without an answer; `undefined` for any other. */
export function errorOfReply(
  { status, isHeld, code }: PeerReply,
  call: PeerCall,
  client: Platform,
): APICallError | undefined {
  const { peerId, messageId } = call;
  if (status === 'queued') {
    const message = `The peer ${peerId} ${isHeld ? 'is paused, and gets the message when it is resumed.' : 'has not answered yet.'}`;
    const hint = `The same call again, or one with this prompt and providerOptions: { molecule: { messageId: '${messageId}' } }, waits for the answer and sends no second message.`;
    const cause = new MoleculeError(message, { code: 'timed_out', isRetryable: true, hint });
    return apiError(call, client, { message, status, code: cause.code, hint, cause });
  }
  const happened = ENDS[status];
  if (happened === undefined) return undefined;
  const hint = `client.getMessage('${messageId}') returns what is known of it.`;
  return apiError(call, client, { message: `The peer ${peerId} ${happened}.`, status, code, hint });
}

const ENDS: Readonly<Partial<Record<PeerReplyStatus, string>>> = {
  failed: 'failed to handle the message',
  canceled: 'did not handle the message, which was canceled',
  expired: 'did not handle the message in time',
};

/** What the model throws for what the client threw. Only what certainly did not reach the peer may be repeated by the SDK. */
export function modelError(error: unknown, call: PeerCall, client: Platform): unknown {
  if (call.isAborted) return error;
  if (!MoleculeError.isInstance(error) || error.code === 'invalid_argument') return error;
  const { message, code, retryAfterMs, isRetryable } = error;
  const status: unknown = Reflect.get(error, 'status');
  const hint = code === 'conflict' ? OTHER_PROMPT : (error.hint ?? null);
  return apiError(call, client, {
    message,
    status: 'error',
    code,
    hint,
    cause: error,
    isRetryable: isRetryable && !call.mayHaveArrived(error),
    ...(typeof status === 'number' ? { statusCode: status } : {}),
    ...(retryAfterMs === undefined ? {} : { responseHeaders: { 'retry-after-ms': String(retryAfterMs) } }),
  });
}

const OTHER_PROMPT =
  'The message with this `messageId` had another prompt, or was in another conversation. Call with the prompt of that message, or without `messageId`.';

type Platform = Pick<PeerClient, 'platformUrl'>;

type Failure = Pick<PeerModelErrorData, 'status' | 'code' | 'hint'> &
  Omit<ConstructorParameters<typeof APICallError>[0], 'url' | 'requestBodyValues' | 'data'>;

function apiError(
  { peerId, messageId, contextId }: PeerCall,
  client: Platform,
  failure: Failure,
): APICallError {
  const { status, code, hint, isRetryable = false, ...rest } = failure;
  const data: PeerModelErrorData = { status, code, hint, messageId, contextId };
  return new APICallError({
    ...rest,
    url: new URL(client.platformUrl).origin,
    requestBodyValues: { peerId, messageId, contextId },
    isRetryable,
    data,
  });
}
