import { HttpError } from '../../http/http-error.ts';
import { acceptances, knownCode } from '../../telemetry/telemetry.ts';
import { traceOf, withTrace } from '../passed-headers.rules.ts';
import type { Acceptance, IncomingMessage } from './acceptance.rules.ts';

/** Accepts a message as an operation, of which the message then names the span as its parent. */
export async function asAcceptance(
  incoming: IncomingMessage,
  accept: (incoming: IncomingMessage) => Promise<Acceptance>,
): Promise<Acceptance> {
  const { callerId, targetId, message } = incoming;
  const facts = () => ({
    'messaging.system': 'molecule',
    'messaging.operation.type': 'create',
    'messaging.message.id': message.messageId,
    'molecule.source': callerId === null ? 'canvas_user' : 'peer_agent',
    'molecule.caller.id': callerId ?? undefined,
    'molecule.workspace.id': targetId,
    'molecule.text.length': message.view.text.length,
  });
  const operation = acceptances.start('molecule accept', facts, traceOf(message.headers) ?? undefined);
  const headers = withTrace(message.headers, operation.trace);
  try {
    const acceptance = await operation.run(() => accept({ ...incoming, message: { ...message, headers } }));
    const isMessage = acceptance.kind === 'message';
    operation.end({
      'molecule.outcome': isMessage ? acceptance.plan : 'reply',
      'molecule.activity.id': isMessage ? acceptance.row.id : undefined,
    });
    return acceptance;
  } catch (error) {
    const code = error instanceof HttpError ? knownCode(error.code) : 'internal_error';
    operation.end({ 'molecule.outcome': 'refused' }, code);
    throw error;
  }
}
