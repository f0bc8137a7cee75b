import { AsyncLocalStorage } from 'node:async_hooks';
import crypto from 'node:crypto';
import { canceledCalls } from '../client/cancellation.ts';
import { currentMessage } from '../client/current-message.ts';
import type { PeerClient } from '../client/peer-client.ts';
import { deriveUuid } from '../platform-api/idempotency-key.ts';
import { LatestMap } from '../storage/latest-map.ts';
import { processState } from '../storage/process-state.ts';
import type { ToolCall } from './tool-definition.ts';

/** Conversations that were begun anew and are continued, for each client. */
const MAX_NEWER = 1_000;

/** What the platform calls a conversation, in the groups of a UUID. */
const CONVERSATION_ID = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/;
/** The place of a thread among what names a conversation: the handled message, a thread, a run. */
const THREAD = 1;
const CONTEXT_ID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/** One for the process: an application may load this package both as ES module and as CommonJS. */
const scopes = processState('conversations', () => new AsyncLocalStorage<string>());

/**
 * Runs work that belongs to one conversation of a program which handles no message, such as a chat. Peers that are asked in it remember
 * what they were asked there before, and calls with the same ids in two conversations are two messages.
 * @param conversationId unique in this program, the same after a restart
 */
export function inConversation<T>(conversationId: string, work: () => T): T {
  return scopes.run(conversationId, work);
}

/** The conversation of {@link inConversation} in which the calling code runs; `''` outside of all. */
export function currentConversation(): string {
  return scopes.getStore() ?? '';
}

type Client = Pick<PeerClient, 'workspaceId'>;

/** What is sent in a call; two calls that differ in it are two messages. */
export interface CallContent {
  readonly toolName: string;
  /** `''` for the user. */
  readonly peerId: string;
  readonly text: string;
  /** Whatever else belongs to the message. */
  readonly more?: readonly string[] | undefined;
}

/**
 * The id of the message that a tool call sends: a digest of the step of a stored run, else of the message that is handled, else of the
 * run, and of the call's id, tool, peer and text. So the call that is repeated in another attempt or after a restart sends the same
 * message, unless this process has canceled that: then it is the next one. `undefined` without a call id, and where none of them makes it unique.
 */
export function messageIdOfCall(
  { workspaceId }: Client,
  { callId, runId = '', stepId = '' }: Pick<ToolCall, 'callId' | 'runId' | 'stepId'>,
  { toolName, peerId, text, more = [] }: CallContent,
): string | undefined {
  const handled = currentMessage()?.activityId ?? '';
  const conversation = currentConversation();
  const turns = [
    ['step', stepId],
    ['message', handled],
    // Two chats that are word for word the same are two runs.
    ['run', conversation === '' || runId === '' ? runId : JSON.stringify([conversation, runId])],
  ] as const;
  const turn = turns.find(([, id]) => id !== '');
  if (callId === undefined || callId === '' || turn === undefined) return undefined;
  const content = [toolName, peerId.toLowerCase(), text, ...more];
  let id = deriveUuid('tool-call', workspaceId, ...turn, callId, ...content);
  while (canceledCalls().has(id)) id = deriveUuid('tool-call-anew', id);
  return id;
}

/**
 * The context id under which a workspace and a peer talk, within one conversation of the workspace: that of the message which is handled,
 * else the thread, the conversation of `inConversation`, or the run. Of a message it is the id of its conversation as a UUID, which {@link conversationOfContext} reads, else it is derived: so it is the same after a restart. `undefined` outside of all of them: each call is then a
 * conversation of its own.
 */
export function contextIdOfCall(
  client: Client,
  call: Pick<ToolCall, 'threadId' | 'runId'>,
  peerId: string,
): string | undefined {
  const key = conversationKey(client, call, peerId);
  if (key === undefined) return undefined;
  const handled = currentMessage()?.conversationId ?? '';
  const newer = newerOf(client).get(key);
  if (newer !== undefined) return newer;
  if (!CONVERSATION_ID.test(handled)) return deriveUuid('peer-context', key);
  return handled.replace(CONVERSATION_ID, '$1-$2-$3-$4-$5');
}

/** The context id of {@link contextIdOfCall} outside of handlers, for code that names the conversation itself. */
export function contextIdOfThread({ workspaceId }: Client, threadId: string, peerId: string): string {
  return deriveUuid('peer-context', keyIn(workspaceId, THREAD, threadId, peerId));
}

/**
 * The conversation in whose handling the messages of this context were sent, so that a late answer can be handled where its question was
 * asked. Any UUID names one, so check that there is such a conversation. `null` for other texts.
 */
export function conversationOfContext(contextId: string): string | null {
  const digits = contextId.replaceAll('-', '');
  return CONTEXT_ID.test(contextId) && CONVERSATION_ID.test(digits) ? digits : null;
}

/**
 * How often others have called the same in this attempt of the message that is handled, before this call: 0, 1, … Each caller has one
 * number for a content. For frameworks whose ids of calls are others in each attempt: the content and this number are the same in all of them. 0
 * outside of handlers.
 * @param content what is called, as plain JSON
 * @param caller names this call within the attempt
 */
export function occurrenceOfCall(content: readonly unknown[], caller: string): number {
  const handled = currentMessage();
  if (handled === undefined) return 0;
  const attempts = processState('calls-of-attempts', () => new WeakMap<object, Map<string, string[]>>());
  const calls = attempts.get(handled) ?? new Map<string, string[]>();
  attempts.set(handled, calls);
  const key = crypto.hash('sha256', JSON.stringify(content));
  const callers = calls.get(key) ?? [];
  if (!callers.includes(caller)) callers.push(caller);
  calls.set(key, callers);
  return callers.indexOf(caller);
}

/** The call with an id that tells it from others of its attempt, where `callerId` says that the framework has none. @param content as plain JSON */
export function countedCall(call: ToolCall, content: readonly unknown[]): ToolCall {
  const { callId, callerId } = call;
  if (callerId === undefined || currentMessage() === undefined) return call;
  const place = occurrenceOfCall([...content, callId ?? null], callerId);
  return { ...call, callId: JSON.stringify([callId ?? null, place]) };
}

/** Begins the conversation with the peer anew. This process continues it until it ends; another one continues the first. */
export function newContextIdOfCall(
  client: Client,
  call: Pick<ToolCall, 'threadId' | 'runId'>,
  peerId: string,
  messageId: string | undefined,
): string | undefined {
  const key = conversationKey(client, call, peerId);
  if (key === undefined) return undefined;
  const contextId = deriveUuid('new-peer-context', messageId ?? crypto.randomUUID(), key);
  newerOf(client).set(key, contextId);
  return contextId;
}

function conversationKey(
  { workspaceId }: Client,
  { threadId = '', runId = '' }: Pick<ToolCall, 'threadId' | 'runId'>,
  peerId: string,
): string | undefined {
  const scopes = [
    [0, currentMessage()?.conversationId ?? ''],
    [1, threadId],
    [3, currentConversation()],
    [2, runId],
  ] as const;
  const scope = scopes.find(([, id]) => id !== '');
  return scope === undefined ? undefined : keyIn(workspaceId, scope[0], scope[1], peerId);
}

function keyIn(workspaceId: string, scope: number, id: string, peerId: string): string {
  return JSON.stringify([workspaceId, scope, id, peerId.toLowerCase()]);
}

function newerOf(client: Client): LatestMap<string> {
  const all = processState('newer-peer-contexts', () => new WeakMap<object, LatestMap<string>>());
  const known = all.get(client) ?? new LatestMap<string>(MAX_NEWER);
  all.set(client, known);
  return known;
}
