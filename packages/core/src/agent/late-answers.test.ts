import type { InboundMessage } from '@molecule-ai/protocol';
import { expect, it } from 'vitest';
import { PEER } from '../../test/agent-ids.ts';
import { answersOwnMessage, conversationClaimed } from './agent-turns.ts';

const CONTEXT = '6f1c2a44-0000-4000-8000-00000000c0de';

function message(given: Partial<InboundMessage>): InboundMessage {
  const base = {
    source: 'canvas_user',
    peerId: '',
    inReplyTo: '',
    contextId: '',
    text: 'Good morning',
    answers: [],
  };
  return { ...base, ...given } as InboundMessage;
}

it('believes the platform which message is answered, not the sender', async () => {
  const reply = message({ inReplyTo: 'm-1', peerId: PEER, contextId: CONTEXT });
  expect(conversationClaimed(reply)).toBe(CONTEXT.replaceAll('-', ''));
  expect(conversationClaimed({ ...reply, inReplyTo: '' })).toBeNull();
  const confirms = (
    sent: { peerId: string; contextId: string } | null,
    signal = new AbortController().signal,
  ) => {
    const getMessage = async () => sent ?? Promise.reject(new Error('unknown'));
    return answersOwnMessage(reply, { client: { getMessage } as never, signal });
  };
  expect(await confirms({ peerId: PEER, contextId: CONTEXT })).toBe(true);
  expect(await confirms({ peerId: PEER, contextId: 'another' })).toBe(false);
  expect(await confirms({ peerId: 'another', contextId: CONTEXT })).toBe(false);
  expect(await confirms(null)).toBe(false);
  await expect(confirms(null, AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped');
});
