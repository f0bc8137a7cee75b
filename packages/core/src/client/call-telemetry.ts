import { isErrorCode } from '@molecule-ai/protocol';
import type { Facts, Operation } from '@molecule-ai/telemetry';
import type { PeerReply } from '../peers/peer-reply.ts';
import { calls, codeOfError } from '../telemetry/telemetry.ts';
import type { OutgoingMessage } from './peer-calls.ts';

/** What was called, by the name of its method in snake case. */
export type CallName = 'call_peer' | 'send_to_peer' | 'stream_peer' | 'send_message' | 'stream_message';

/** A call in progress, and the message with the report of its attempts. */
export interface StartedCall {
  readonly message: OutgoingMessage;
  /** Runs a part of the call in its trace. */
  run<T>(work: () => T): T;
  ended(reply: PeerReply): void;
  failed(error: unknown): void;
  /** The caller reads no further. */
  left(): void;
}

/** @param from the calling workspace; `''` for an operator */
export function startCall(name: CallName, message: OutgoingMessage, from: string): StartedCall {
  const operation: Operation = calls.start(`molecule ${name}`, () => ({
    'messaging.system': 'molecule',
    'messaging.operation.type': 'send',
    'messaging.message.id': message.messageId,
    'molecule.operation': name,
    'molecule.peer.id': message.targetId,
    'molecule.workspace.id': from === '' ? undefined : from,
  }));
  return {
    message: { ...message, onAttempt: (attempt: Facts) => operation.event('molecule.attempt', attempt) },
    run: (work) => operation.run(work),
    ended: (reply) => {
      const { status, via, code } = reply;
      const failure = code !== null && isErrorCode(code) ? code : 'failed';
      operation.end(
        { 'molecule.status': status, 'molecule.via': via },
        status === 'failed' ? failure : undefined,
      );
    },
    failed: (error) => operation.end({ 'molecule.status': 'error' }, codeOfError(error)),
    left: () => operation.end({ 'molecule.status': 'left' }),
  };
}

/** Runs a call to its reply. */
export async function asCall(
  call: StartedCall,
  work: (message: OutgoingMessage) => Promise<PeerReply>,
): Promise<PeerReply> {
  try {
    const reply = await call.run(() => work(call.message));
    call.ended(reply);
    return reply;
  } catch (error) {
    call.failed(error);
    throw error;
  }
}
