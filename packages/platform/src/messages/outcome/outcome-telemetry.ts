import { knownCode, messageEnded, outcomes } from '../../telemetry/telemetry.ts';
import type { EndedMessage } from '../message.store.ts';
import { storedHeaders, traceOf } from '../passed-headers.rules.ts';
import type { Outcome } from './outcome.rules.ts';

/** Reports the end of a message, or that questions interrupt it. Call after the commit. */
export function reportOutcome(message: EndedMessage, outcome: Outcome, now: number): void {
  const { state } = outcome;
  if (state !== 'input_required') {
    const lastedMs = Math.max(0, now - Date.parse(message.created_at));
    messageEnded(lastedMs / 1_000, { 'molecule.state': state });
  }
  const facts = () => ({
    'messaging.system': 'molecule',
    'messaging.message.id': message.message_id,
    'molecule.activity.id': message.id,
    'molecule.workspace.id': message.target_id,
    'molecule.caller.id': message.source_id ?? undefined,
    'molecule.state': state,
  });
  const trace = traceOf(storedHeaders(message));
  const { failure } = { failure: undefined, ...outcome };
  const code = failure?.kind === 'delivery' ? knownCode(failure.error.code) : 'agent_failed';
  outcomes.start('molecule outcome', facts, trace).end({}, state === 'failed' ? code : undefined);
}
