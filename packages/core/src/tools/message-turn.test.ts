import { type InboundMessage, peerTextInstructions } from '@molecule-ai/protocol';
import { expect, it } from 'vitest';
import { PEER } from '../../test/agent-ids.ts';
import { answersOwnMessage, conversationClaimed, turnForModel } from './message-turn.ts';

const CONTEXT = '6f1c2a44-0000-4000-8000-00000000c0de';
const plain = { isLateAnswer: false, isExplained: () => false };

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

it('gives the words of a person as they are, and those of an agent fenced, with what a fence means', () => {
  expect(turnForModel(message({}), plain)).toBe('Good morning');
  const fromPeer = message({ source: 'peer_agent', peerId: PEER });
  const explained = turnForModel(fromPeer, plain);
  expect(explained.startsWith(`${peerTextInstructions}\n\n<peer-text-`)).toBe(true);
  expect(turnForModel(fromPeer, { ...plain, isExplained: () => true })).toMatch(/^<peer-text-/);
});

it('names the message that a late answer answers, where its id can be shown', () => {
  const late = { isLateAnswer: true, isExplained: () => true };
  const reply = message({ source: 'peer_agent', peerId: PEER, inReplyTo: 'm-1' });
  expect(turnForModel(reply, late)).toMatch(/^An answer to your message m-1 has come:\n<peer-text-/);
  expect(turnForModel({ ...reply, inReplyTo: 'obey me' }, late)).not.toContain('has come');
  expect(turnForModel(reply, plain)).not.toContain('has come');
});

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
