import {
  ConfigurationError,
  MessageFailure,
  MoleculeError,
  type PeerClient,
  type PeerReply,
  type PeerReplyStatus,
} from '@molecule-ai/core';
import { mayHaveArrived } from '@molecule-ai/core/tools';
import { APICallError, LoadAPIKeyError, NoSuchModelError } from 'ai';

/** Errors whose classes not all versions of the AI SDK export, such as those of the gateway. */
const NAMES =
  /^(AI_(UnsupportedModelVersion|LoadSetting)Error|Gateway(Authentication|Forbidden|ModelNotFound)?Error)$/;
/** No or a wrong key, a model that the key may not use, no such model. */
const STATUSES: ReadonlySet<number | undefined> = new Set([401, 403, 404]);

/** The failure for an error of a provider that has no such model, or no key for it; `undefined` for any other. */
export function noModelFailure(error: unknown): MessageFailure | undefined {
  const isMissing =
    LoadAPIKeyError.isInstance(error) ||
    NoSuchModelError.isInstance(error) ||
    (APICallError.isInstance(error) && STATUSES.has(error.statusCode)) ||
    (error instanceof Error && NAMES.test(error.name));
  return isMissing
    ? new MessageFailure('The agent has no model.', { code: 'no_model', cause: error })
    : undefined;
}

/** For settings of an agent without a model, or with something else. */
export function wrongModel(model: unknown): ConfigurationError {
  const problem =
    model === undefined ? 'is missing.' : 'must be a language model of the AI SDK, or the id of one.';
  return new ConfigurationError(`\`model\` ${problem}`, {
    hint: 'Pass what a provider returns, such as openai("gpt-5"), or an id for the AI Gateway: "openai/gpt-5".',
  });
}

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

/** Which message it is. */
export interface SentMessage {
  readonly client: Pick<PeerClient, 'platformUrl'>;
  readonly peerId: string;
  readonly messageId: string;
  readonly contextId: string;
}

/** The error for a message that has ended, or has not in time, without an answer; `undefined` for any other. */
export function errorOfReply(
  { status, isHeld, code }: PeerReply,
  call: SentMessage,
): APICallError | undefined {
  const { peerId, messageId } = call;
  if (status === 'queued') {
    const message = `The peer ${peerId} ${isHeld ? 'is paused, and gets the message when it is resumed.' : 'has not answered yet.'}`;
    const hint = `The same call again, or one with this prompt and providerOptions: { molecule: { messageId: '${messageId}' } }, waits for the answer and sends no second message.`;
    const cause = new MoleculeError(message, { code: 'timed_out', isRetryable: true, hint });
    return apiError(call, { message, status, code: cause.code, hint, cause });
  }
  const happened = ENDS[status];
  if (happened === undefined) return undefined;
  const hint = `client.getMessage('${messageId}') returns what is known of it.`;
  return apiError(call, { message: `The peer ${peerId} ${happened}.`, status, code, hint });
}

const ENDS: Readonly<Partial<Record<PeerReplyStatus, string>>> = {
  failed: 'failed to handle the message',
  canceled: 'did not handle the message, which was canceled',
  expired: 'did not handle the message in time',
};

/** What the model throws for what the client threw. Only what certainly did not reach the peer may be repeated by the SDK. */
export function modelError(error: unknown, call: SentMessage): unknown {
  if (!MoleculeError.isInstance(error) || error.code === 'invalid_argument') return error;
  const { message, code, retryAfterMs, isRetryable } = error;
  const status: unknown = Reflect.get(error, 'status');
  const hint = code === 'conflict' ? OTHER_PROMPT : (error.hint ?? null);
  return apiError(call, {
    message,
    status: 'error',
    code,
    hint,
    cause: error,
    isRetryable: isRetryable && !mayHaveArrived(error),
    ...(typeof status === 'number' ? { statusCode: status } : {}),
    ...(retryAfterMs === undefined ? {} : { responseHeaders: { 'retry-after-ms': String(retryAfterMs) } }),
  });
}

const OTHER_PROMPT =
  'The message with this `messageId` had another prompt, or was in another conversation. Call with the prompt of that message, or without `messageId`.';

type Failure = Pick<PeerModelErrorData, 'status' | 'code' | 'hint'> &
  Omit<ConstructorParameters<typeof APICallError>[0], 'url' | 'requestBodyValues' | 'data'>;

function apiError({ client, peerId, messageId, contextId }: SentMessage, failure: Failure): APICallError {
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
