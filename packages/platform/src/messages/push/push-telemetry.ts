import { knownCode, pushes, queued } from '../../telemetry/telemetry.ts';
import type { MessageRow } from '../message.store.ts';
import { storedHeaders, storeHeaders, traceOf, withTrace } from '../passed-headers.rules.ts';
import type { PushResult } from './agent-response.ts';

/** A push, and its message in the trace of the push. */
interface StartedPush {
  readonly message: MessageRow;
  end(result: PushResult): void;
  /** The push could not be made or recorded. */
  fail(): void;
}

export function startPush(message: MessageRow, now: number): StartedPush {
  const queuedMs = Math.max(0, now - Date.parse(message.created_at));
  if (message.attempts <= 1) queued(queuedMs / 1_000, {});
  const headers = storedHeaders(message);
  const facts = () => ({
    'messaging.system': 'molecule',
    'messaging.operation.type': 'send',
    'messaging.message.id': message.message_id,
    'molecule.activity.id': message.id,
    'molecule.workspace.id': message.target_id,
    'molecule.attempt': message.attempts,
    'molecule.queued_ms': queuedMs,
  });
  const operation = pushes.start('molecule push', facts, traceOf(headers));
  const traced = withTrace(headers, operation.trace);
  return {
    message: traced === headers ? message : { ...message, passed_headers: storeHeaders(traced) },
    end: (result) => {
      const error = 'error' in result ? result.error : undefined;
      const code = error === undefined ? undefined : knownCode(error.code);
      operation.end({ 'molecule.result': result.kind }, code);
    },
    fail: () => operation.end({ 'molecule.result': 'not_recorded' }, 'internal_error'),
  };
}
