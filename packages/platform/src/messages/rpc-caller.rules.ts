import { a2aMethod, isA2a1, isJsonObject, type JsonObject, type JsonValue } from '@molecule-ai/protocol';
import { HttpError } from '../http/http-error.ts';

/**
 * How a caller gets what the platform itself says: as plain bodies, as JSON-RPC in the form of A2A 0.3, or of 1.0. The
 * agent's answer is a JSON-RPC response for all of them.
 */
export type CallerForm = 'plain' | '0.3' | '1.0';

/**
 * JSON-RPC is for callers that show that they speak it: with `A2A-Version`, or with a JSON-RPC request whose method is
 * not `message/send`, which older clients of plain bodies send as well.
 */
export function callerForm(body: unknown, version: string | undefined): CallerForm {
  const { jsonrpc, method } = isJsonObject(body) ? body : {};
  const name = typeof method === 'string' ? method : '';
  if (isA2a1(name, version)) return '1.0';
  const isOther = jsonrpc !== undefined && name !== '' && name !== 'message/send';
  return isOther || (version ?? '').trim() !== '' ? '0.3' : 'plain';
}

/** What is done with a request, by its method in the words of A2A 0.3. */
export type MethodUse = 'deliver' | 'get' | 'cancel';

const USES: Readonly<Record<string, MethodUse>> = {
  'message/send': 'deliver',
  delegate_task: 'deliver',
  'tasks/get': 'get',
  'tasks/cancel': 'cancel',
  cancel_task: 'cancel',
};

/** Methods of A2A 0.3 and 1.0 that exist and that this platform does not offer. */
const NOT_OFFERED: ReadonlySet<string> = new Set([
  'message/stream',
  'message/sendSubscribe',
  'tasks/sendSubscribe',
  'tasks/resubscribe',
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

/** A method that no version of A2A has. */
class UnknownMethod extends HttpError {
  constructor() {
    super(400, 'invalid_message', 'invalid message: unknown method', {
      extras: { field: 'method', hint: 'Send message/send; tasks/get and tasks/cancel ask about a message.' },
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

/** An error of the platform as a JSON-RPC response; `data` has its code and what else a plain body has. */
export function rpcError(error: HttpError, body: unknown): JsonObject {
  const { error: message = '', ...data } = error.toBody();
  const id = isJsonObject(body) ? (body.id ?? null) : null;
  const code = rpcCode(error, body === undefined || body === null);
  const known: JsonValue = typeof id === 'string' || typeof id === 'number' ? id : null;
  return { jsonrpc: '2.0', id: known, error: { code, message, data: data as JsonObject } };
}

const CODES: Readonly<Record<string, number>> = {
  internal_error: -32603,
  message_not_found: -32001,
  not_supported: -32004,
};

function rpcCode(error: HttpError, isUnreadable: boolean): number {
  if (error instanceof UnknownMethod) return -32601;
  const known = CODES[error.code];
  if (known !== undefined) return known;
  if (error.status !== 400) return -32000;
  if (isUnreadable) return error.code === 'invalid_message' ? -32700 : -32600;
  return error.extras.field?.startsWith('params') === true ? -32602 : -32600;
}
