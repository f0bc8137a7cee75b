import { traceOfMessage } from '../client/current-message.ts';
import { deadLettered, handledNow, handlings, knownCode } from '../telemetry/telemetry.ts';
import type { Runnable, RunOutcome } from './run.ts';

/**
 * Runs one attempt as an operation in the trace of its message, of which requests that are made meanwhile, also by the handler, become
 * a part.
 */
export async function asHandling(
  { message, attempts }: Pick<Runnable, 'message' | 'attempts'>,
  run: () => Promise<RunOutcome>,
): Promise<RunOutcome> {
  const facts = () => ({
    'messaging.system': 'molecule',
    'messaging.operation.type': 'process',
    'messaging.message.id': message.messageId,
    'messaging.message.conversation_id': message.conversationId,
    'molecule.activity.id': message.id,
    'molecule.source': message.source,
    'molecule.peer.id': message.peerId,
    'molecule.text.length': message.text.length,
    'molecule.attempts_before': attempts,
  });
  const handling = handlings.start('molecule handle', facts, traceOfMessage(message));
  handledNow(1);
  try {
    const outcome = await handling.run(run);
    const how = outcome.kind === 'ended' ? outcome.how : outcome.kind;
    const given = outcome.kind === 'interrupted' ? undefined : outcome.code;
    const code = given === undefined ? undefined : knownCode(given);
    handling.end({ 'molecule.outcome': how }, code);
    if (outcome.kind === 'ended' && outcome.how === 'dead_letter') {
      const { id, messageId } = message;
      deadLettered({
        'molecule.activity.id': id,
        'messaging.message.id': messageId,
        'error.type': code,
      });
    }
    return outcome;
  } catch (error) {
    handling.end({ 'molecule.outcome': 'retry' }, 'internal_error');
    throw error;
  } finally {
    handledNow(-1);
  }
}
