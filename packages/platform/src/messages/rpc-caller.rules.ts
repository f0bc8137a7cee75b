import { a2aMethod, type ErrorBody, isA2a1, isJsonObject, type JsonObject } from '@molecule-ai/protocol';
import { HttpError } from '../http/http-error.ts';

/**
 * In which form a caller gets what the platform itself says: plain bodies, or JSON-RPC as in A2A 0.3 or 1.0. The answer of
 * an agent is a JSON-RPC response for all of them.
 */
export type CallerForm = 'plain' | '0.3' | '1.0';

/**
 * JSON-RPC is for callers that show that they speak it: by `A2A-Version`, by a JSON-RPC request whose method is not
 * `message/send`, which older clients that expect plain bodies send as well, or by a batch.
 */
export function callerForm(body: unknown, version: string | undefined): CallerForm {
  const { jsonrpc, method } = isJsonObject(body) ? body : {};
  const name = typeof method === 'string' ? method : '';
  if (isA2a1(name, version)) return '1.0';
  const isOther = jsonrpc !== undefined && name !== '' && name !== 'message/send';
  return isOther || isBatch(body) || namesVersion(version) ? '0.3' : 'plain';
}

function isBatch(body: unknown): boolean {
  return Array.isArray(body) && body.some((one) => isJsonObject(one) && one.jsonrpc !== undefined);
}

/** Whether a caller follows A2A to the letter: it says which version, or uses a method of 1.0. */
export function followsA2a(form: CallerForm, version: string | undefined): boolean {
  return form === '1.0' || namesVersion(version);
}

function namesVersion(version: string | undefined): boolean {
  return version !== undefined && version.trim() !== '';
}

/** The JSON-RPC id of a request; null when it has none, or none that a response can carry. */
export function rpcIdOf(body: unknown): string | number | null {
  const id = isJsonObject(body) ? body.id : undefined;
  return typeof id === 'string' || isExactNumber(id) ? id : null;
}

/** A whole number beyond 2^53 was rounded when it was parsed, so that a response could not name it. */
export function isExactNumber(id: unknown): id is number {
  return typeof id === 'number' && Number.isFinite(id) && (!Number.isInteger(id) || Number.isSafeInteger(id));
}

/** What is done with a request, by its method in the words of A2A 0.3. */
type MethodUse = 'deliver' | 'stream' | 'get' | 'cancel' | 'resubscribe';

const USES: Readonly<Record<string, MethodUse>> = {
  'message/send': 'deliver',
  delegate_task: 'deliver',
  'message/stream': 'stream',
  'message/sendSubscribe': 'stream',
  'tasks/resubscribe': 'resubscribe',
  'tasks/get': 'get',
  'tasks/cancel': 'cancel',
  cancel_task: 'cancel',
};

/** Methods of A2A up to 1.0 that this platform does not offer. */
const NOT_OFFERED: ReadonlySet<string> = new Set([
  'tasks/send',
  'tasks/sendSubscribe',
  'tasks/list',
  'tasks/pushNotification/set',
  'tasks/pushNotification/get',
  'tasks/pushNotificationConfig/set',
  'tasks/pushNotificationConfig/get',
  'tasks/pushNotificationConfig/list',
  'tasks/pushNotificationConfig/delete',
  'agent/getAuthenticatedExtendedCard',
  'agent/authenticatedExtendedCard',
  'ListTasks',
  'CreateTaskPushNotificationConfig',
  'SetTaskPushNotificationConfig',
  'GetTaskPushNotificationConfig',
  'ListTaskPushNotificationConfig',
  'ListTaskPushNotificationConfigs',
  'DeleteTaskPushNotificationConfig',
  'GetExtendedAgentCard',
]);

class UnknownMethod extends HttpError {
  constructor() {
    super(400, 'invalid_message', 'invalid message: unknown method', {
      extras: {
        field: 'method',
        hint: 'Send message/send or message/stream; tasks/get and tasks/cancel are about a message.',
      },
    });
  }
}

/**
 * What to do with a request. @throws HttpError 400 `invalid_message` for an unknown method, 501 `not_supported` for one
 * that is not offered.
 */
export function useOf(method: string): MethodUse {
  const name = a2aMethod(method);
  const use = Object.hasOwn(USES, name) ? USES[name] : undefined;
  if (use !== undefined) return use;
  if (!NOT_OFFERED.has(name)) throw new UnknownMethod();
  throw new HttpError(501, 'not_supported', 'this platform does not offer the method', {
    extras: { field: 'method', hint: 'Send message/send, and ask for the state with tasks/get.' },
  });
}

/** Before the rest of a request is read, which says nothing to somebody who uses another method. @throws as `useOf` */
export function requireKnownMethod(body: unknown): void {
  const method = isJsonObject(body) ? body.method : undefined;
  if (typeof method === 'string' && method !== '') useOf(method);
}

/** An error of the platform as a JSON-RPC response; `data` has everything of the plain body except its text. */
export function rpcError(plain: ErrorBody, error: HttpError, body: unknown): JsonObject {
  const { error: message = '', ...data } = plain;
  return {
    jsonrpc: '2.0',
    id: rpcIdOf(body),
    error: { code: rpcCode(error), message, data: data as JsonObject },
  };
}

const CODES: Readonly<Record<string, number>> = {
  invalid_json: -32700,
  internal_error: -32603,
  message_not_found: -32001,
  message_ended: -32002,
  not_supported: -32004,
};

function rpcCode(error: HttpError): number {
  if (error instanceof UnknownMethod) return -32601;
  const known = CODES[error.code];
  if (known !== undefined) return known;
  if (error.status !== 400) return -32000;
  return error.extras.field?.startsWith('params') === true ? -32602 : -32600;
}
