import { currentMessage } from '../client/current-message.ts';
import { LatestMap } from '../client/latest-map.ts';
import type { PeerClient } from '../client/peer-client.ts';
import { deriveUuid } from '../platform-api/idempotency-key.ts';
import { processState } from '../storage/process-state.ts';
import type { ToolCall } from './tool-definition.ts';

/** Conversations that were begun anew and are continued, for each client. */
const MAX_NEWER = 1_000;

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
 * The id of the message that a tool call sends: a digest of the message that is handled, else of the run, and of the call's id,
 * tool, peer and text. So the call that is repeated in another attempt or after a restart sends the same message. `undefined` without a
 * call id, and where neither a message nor a run makes it unique.
 */
export function messageIdOfCall(
  { workspaceId }: Client,
  { callId, runId = '' }: Pick<ToolCall, 'callId' | 'runId'>,
  { toolName, peerId, text, more = [] }: CallContent,
): string | undefined {
  const handled = currentMessage()?.activityId ?? '';
  if (callId === undefined || callId === '' || (handled === '' && runId === '')) return undefined;
  const turn = handled === '' ? ['run', runId] : ['message', handled];
  return deriveUuid('tool-call', workspaceId, ...turn, callId, toolName, peerId.toLowerCase(), text, ...more);
}

/**
 * The context id under which a workspace and a peer talk, within one conversation of the workspace: that of the message which is handled,
 * else the thread or the run. It is derived, so it is the same after a restart. `undefined` outside of all of them: each call is then a
 * conversation of its own.
 */
export function contextIdOfCall(
  client: Client,
  call: Pick<ToolCall, 'threadId' | 'runId'>,
  peerId: string,
): string | undefined {
  const key = conversationKey(client, call, peerId);
  return key === undefined ? undefined : (newerOf(client).get(key) ?? deriveUuid('peer-context', key));
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
  const handled = currentMessage()?.conversationId ?? '';
  const scope = [handled, threadId, runId].findIndex((id) => id !== '');
  if (scope === -1) return undefined;
  return JSON.stringify([workspaceId, scope, [handled, threadId, runId][scope], peerId.toLowerCase()]);
}

function newerOf(client: Client): LatestMap<string> {
  const all = processState('newer-peer-contexts', () => new WeakMap<object, LatestMap<string>>());
  const known = all.get(client) ?? new LatestMap<string>(MAX_NEWER);
  all.set(client, known);
  return known;
}
