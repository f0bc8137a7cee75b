import { describe, expect, it } from 'vitest';
import { PEER, SELF } from '../../test/agent-ids.ts';
import { messageOf } from '../../test/agent-stage.ts';
import { canceledCalls } from '../client/cancellation.ts';
import { runHandling, toCurrentMessage } from '../client/current-message.ts';
import {
  contextIdOfCall,
  contextIdOfThread,
  conversationOfContext,
  inConversation,
  messageIdOfCall,
  newContextIdOfCall,
  occurrenceOfCall,
} from './call-identity.ts';

const client = { workspaceId: SELF };
const content = { toolName: 'call_peer', peerId: PEER, text: 'hello' };

/** Runs in a handler of the message with this id. */
function handling<T>(
  id: string,
  work: () => T,
  attempt = 1,
  conversationId = `conversation of ${id.charAt(0)}`,
): Promise<T> {
  const message = toCurrentMessage({ ...messageOf(id), conversationId }, { workspaceId: SELF, attempt });
  return runHandling(message, new AbortController().signal, async () => work());
}

describe('messageIdOfCall', () => {
  it('is the same in each attempt of a message and each repeat of a run', async () => {
    const inHandler = () =>
      messageIdOfCall(client, { callId: 'call_0', runId: crypto.randomUUID() }, content);
    expect(await handling('a1', inHandler, 2)).toBe(await handling('a1', inHandler));
    const call = { callId: 'call_0', runId: 'run-1' };
    expect(messageIdOfCall(client, call, content)).toMatch(/^[0-9a-f-]{36}$/);
    expect(messageIdOfCall(client, call, { ...content, peerId: PEER.toUpperCase() })).toBe(
      messageIdOfCall(client, call, content),
    );
  });

  it('is another one for another message, run, call, tool, peer or text', async () => {
    const call = { callId: 'call_0', runId: 'run-1' };
    const ids = [
      messageIdOfCall(client, call, content),
      messageIdOfCall({ workspaceId: PEER }, call, content),
      messageIdOfCall(client, { ...call, runId: 'run-2' }, content),
      messageIdOfCall(client, { ...call, callId: 'call_1' }, content),
      messageIdOfCall(client, call, { ...content, toolName: 'delegate_task_async' }),
      messageIdOfCall(client, call, { ...content, peerId: SELF }),
      messageIdOfCall(client, call, { ...content, text: 'hello \ud800' }),
      messageIdOfCall(client, call, { ...content, more: ['true'] }),
      await handling('a1', () => messageIdOfCall(client, call, content)),
      await handling('a2', () => messageIdOfCall(client, call, content)),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).not.toContain(undefined);
  });

  it('is the next one each time that this process has canceled its message', () => {
    const call = { callId: 'call_0', runId: 'run-canceled' };
    const ids = Array.from({ length: 3 }, () => {
      const id = messageIdOfCall(client, call, content) ?? expect.fail('no id');
      expect(messageIdOfCall(client, call, content)).toBe(id);
      canceledCalls().set(id, true);
      return id;
    });
    expect(new Set(ids).size).toBe(3);
    const next = messageIdOfCall(client, { ...call, callId: 'call_1' }, content);
    expect(messageIdOfCall(client, { ...call, callId: 'call_1' }, content)).toBe(next);
  });

  it('is that of a step of a stored run, whichever message resumes it', async () => {
    const call = { callId: 'call_0', runId: 'run-1', stepId: 'step-1' };
    const first = await handling('a1', () => messageIdOfCall(client, call, content));
    expect(await handling('a2', () => messageIdOfCall(client, { ...call, runId: 'run-2' }, content))).toBe(
      first,
    );
    expect(messageIdOfCall(client, call, content)).toBe(first);
    expect(messageIdOfCall(client, { ...call, stepId: 'step-2' }, content)).not.toBe(first);
    expect(messageIdOfCall(client, { ...call, callId: 'call_1' }, content)).not.toBe(first);
  });

  it('is undefined where nothing makes the call id unique', () => {
    expect(messageIdOfCall(client, { callId: 'call_0' }, content)).toBeUndefined();
    expect(messageIdOfCall(client, { runId: 'run-1' }, content)).toBeUndefined();
    expect(messageIdOfCall(client, { runId: 'run-1', callId: '' }, content)).toBeUndefined();
  });
});

describe('contextIdOfCall', () => {
  it('continues a conversation that was begun anew, for this client', () => {
    const own = { workspaceId: SELF };
    const call = { threadId: 't' };
    const before = contextIdOfCall(own, call, PEER);
    const begun = newContextIdOfCall(own, call, PEER, 'm1');
    expect(begun).not.toBe(before);
    expect(contextIdOfCall(own, call, PEER)).toBe(begun);
    expect(newContextIdOfCall(own, call, PEER, 'm1')).toBe(begun);
    expect(newContextIdOfCall(own, call, PEER, 'm2')).not.toBe(begun);
    expect(contextIdOfCall({ workspaceId: SELF }, call, PEER)).toBe(before);
    expect(newContextIdOfCall(own, {}, PEER, 'm3')).toBeUndefined();
  });

  it('names the conversation of the handled message, where the platform named it', async () => {
    const conversationId = '0123456789abcdef0123456789abcdef';
    const contextId = await handling('a1', () => contextIdOfCall(client, {}, PEER), 1, conversationId);
    expect(contextId).toBe('01234567-89ab-cdef-0123-456789abcdef');
    expect(conversationOfContext(contextId ?? '')).toBe(conversationId);
    for (const other of ['', 'c-1', conversationId, '0123-4567'])
      expect(conversationOfContext(other)).toBeNull();
  });
});

it('a named conversation is that of a call outside of handlers, also in a handler', async () => {
  const named = contextIdOfThread(client, 't1', PEER);
  expect(contextIdOfCall(client, { threadId: 't1' }, PEER.toUpperCase())).toBe(named);
  expect(await handling('a1', () => contextIdOfThread(client, 't1', PEER))).toBe(named);
  expect(contextIdOfThread(client, 't2', PEER)).not.toBe(named);
});

describe('inConversation', () => {
  const call = { callId: 'call_0', runId: 'run-1' };
  const ids = () => [
    messageIdOfCall(client, call, content),
    contextIdOfCall(client, call, PEER),
    contextIdOfCall(client, {}, PEER),
  ];

  it('makes equal calls of two chats two messages in two conversations, each the same when repeated', async () => {
    const [one, other] = [inConversation('chat-1', ids), inConversation('chat-2', ids)];
    expect(new Set([...one, ...other, ...ids()]).size).toBe(7);
    expect(one[1]).toBe(one[2]);
    expect(await inConversation('chat-1', async () => Promise.resolve().then(ids))).toEqual(one);
  });
});

describe('occurrenceOfCall', () => {
  const asked = ['call_peer', { peer_id: PEER, text: 'hello' }];

  it('counts calls with the same content in one attempt, each caller once', async () => {
    const counted = await handling('a1', () => [
      occurrenceOfCall(asked, 'x1'),
      occurrenceOfCall(['call_peer', { peer_id: PEER, text: 'bye' }], 'x2'),
      occurrenceOfCall(asked, 'x3'),
      occurrenceOfCall(asked, 'x1'),
    ]);
    expect(counted).toEqual([0, 0, 1, 0]);
  });
});
